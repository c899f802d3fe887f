"""Plans: launch order, records once they are done, failures that stay their own, Core ML never timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmark.agent_runner import AgentRun, Runner
from benchmark.bench import BenchmarkPlan, launch_order, run_plan
from benchmark.devices import DeviceState, HostDevice
from benchmark.errors import AgentError
from benchmark.launch_records import Launch
from benchmark.records import BenchmarkRecord, DeviceFacts, RunSettings, Status
from export import targets
from export.artifact import Artifact
from export.precision import Precision, TargetName, Tower
from export.runtimes import OnnxRuntimeSession

BuildArtifact = Callable[..., Artifact]


class ScriptedDevice:
    """Runs nothing: launches come from a maker, and artefacts in `broken` fail in the given launch."""

    agent_sha256 = "f" * 64
    lease_key = "scripted"

    def __init__(self, launch: Callable[[], Launch], broken: dict[str, int] | None = None) -> None:
        self.launch = launch
        self.broken = broken or {}
        self.started: list[str] = []

    def facts(self) -> DeviceFacts:
        return HostDevice().facts()

    def state(self) -> DeviceState:
        return DeviceState(None)

    def check(self) -> None:
        pass

    def settings(self, asked: RunSettings) -> RunSettings:
        return asked

    def untimed_reason(self, target: TargetName) -> str | None:
        return HostDevice(platform="linux").untimed_reason(target)

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        yield self

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        name = artifact.folder.name
        self.started.append(name)
        if self.started.count(name) == self.broken.get(name):
            raise AgentError("it was ended by SIGSEGV")
        return AgentRun(self.launch(), artifact.golden(artifact.manifest.golden.outputs), f"{runtime} 1.0", None)


def execute(device: Any, artifacts: tuple[Artifact, ...], launches: int = 3) -> list[BenchmarkRecord]:
    stored: list[BenchmarkRecord] = []
    returned = run_plan(
        BenchmarkPlan(artifacts, RunSettings(launches=launches)),
        device,
        append=stored.append,
        watch=lambda _: None,
    )
    assert returned == stored
    return stored


def test_launches_are_interleaved_there_and_back() -> None:
    assert launch_order(3, 3) == [0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert launch_order(0, 3) == []


def test_one_record_per_artefact_with_all_launches(make: Any, build_artifact: BuildArtifact) -> None:
    device = ScriptedDevice(lambda: make.launch(1.0))
    records = execute(device, (build_artifact("a"), build_artifact("b", tower=Tower.TEXT)))
    assert device.started == ["a", "b", "b", "a", "a", "b"]
    assert [record.artifact.tower for record in records] == ["image", "text"]
    assert {len(record.launches) for record in records} == {3}
    assert {record.runtime.version for record in records} == {"onnxruntime 1.0"}
    assert records[0].artifact.model_size_bytes > 0


def test_failure_is_recorded_at_once_and_the_rest_goes_on(make: Any, build_artifact: BuildArtifact) -> None:
    device = ScriptedDevice(lambda: make.launch(1.0), broken={"a": 2})
    first, second = execute(device, (build_artifact("a"), build_artifact("b")))
    assert (first.status, first.reason) == (Status.FAILED, "agent-failed: it was ended by SIGSEGV")
    assert len(first.launches) == 1
    assert second.status is Status.MEASURED
    assert device.started == ["a", "b", "b", "a", "b"]


class FakeCoreML:
    """Stands in for the Core ML target: the tiny ONNX model under its name."""

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign

    def executed_by(self) -> str:
        return "stand-in 1.0"

    def open(self, model_path: Any, threads: int) -> Any:
        session, sign = OnnxRuntimeSession(str(model_path), threads), self.sign

        class Signed:
            def run(self, inputs: Any) -> Any:
                return [sign * output for output in session.run(inputs)]

            def close(self) -> None:
                session.close()

        return Signed()


def test_watch_counts_needless_launches_too(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "load_target", lambda target: FakeCoreML())
    seen: list[str] = []
    artifacts = (build_artifact("a"), build_artifact("b", target=TargetName.COREML))
    plan = BenchmarkPlan(artifacts, RunSettings(launches=4))
    run_plan(plan, ScriptedDevice(lambda: make.launch(1.0), {"a": 1}), append=lambda _: None, watch=seen.append)
    assert len(seen) == 8


def test_core_ml_is_compared_and_never_timed(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "load_target", lambda target: FakeCoreML())
    device = ScriptedDevice(lambda: make.launch(1.0))
    (record,) = execute(device, (build_artifact(target=TargetName.COREML, precision=Precision.FP16),))
    assert record.status is Status.PARITY_ONLY
    assert record.reason == "Core ML on Linux: parity only"
    assert record.launches == ()
    assert device.started == []
    assert record.golden_check is not None
    assert record.golden_check.cosine_min > 0.9999
    assert record.runtime.version == "stand-in 1.0"


def test_core_ml_that_computes_something_else_fails(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "load_target", lambda target: FakeCoreML(sign=-1.0))
    (record,) = execute(ScriptedDevice(lambda: make.launch(1.0)), (build_artifact(target=TargetName.COREML),))
    assert record.status is Status.FAILED
    assert (record.reason or "").startswith("golden-mismatch")
