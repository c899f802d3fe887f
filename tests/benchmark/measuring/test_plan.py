"""Plans: launch order, records once they are done, failures that stay their own, Core ML never timed."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from pocketclip.benchmark.devices import HostDevice
from pocketclip.benchmark.errors import AgentError, DeviceUnsupportedError
from pocketclip.benchmark.measuring import cooldown, measurement
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, run_plan
from pocketclip.benchmark.records.benchmark import (
    DEVICE_DEFAULT,
    BenchmarkRecord,
    DeviceFacts,
    DeviceKind,
    RunSettings,
    Status,
)
from pocketclip.benchmark.records.launch import Launch, MachineState
from pocketclip.benchmark.records.validity import InvalidityCode
from pocketclip.benchmark.runners.agent_runner import AgentRun, CountedRun, Runner
from pocketclip.benchmark.statistics.summaries import summarize_latency
from pocketclip.export import foreign, targets
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.runtimes import OnnxRuntimeSession

BuildArtifact = Callable[..., Artifact]

QUIET = MachineState("2026-03-01T00:00:00+00:00", load_average=0.1)


def facts_of(kind: DeviceKind) -> DeviceFacts:
    return replace(HostDevice().facts(), name="other", kind=kind)


class ScriptedDevice:
    """Runs nothing: launches come from a maker, and artefacts in `broken` fail in the given launch."""

    agent_sha256 = "f" * 64
    lease_key = "scripted"

    def __init__(self, launch: Callable[[], Launch], broken: dict[str, int] | None = None) -> None:
        self.launch = launch
        self.broken = broken or {}
        self.started: list[str] = []
        self.told = HostDevice().facts()
        self.states: Iterator[MachineState] = itertools.repeat(QUIET)

    def facts(self) -> DeviceFacts:
        return self.told

    def state(self) -> MachineState:
        return next(self.states)

    def check(self) -> None:
        pass

    def settings(self, asked: RunSettings) -> RunSettings:
        return asked

    def default_accelerator(self, runtime: str) -> str:
        return f"{runtime}'s own"

    def untimed_reason(self, target: TargetName) -> str | None:
        return HostDevice(platform="linux").untimed_reason(target)

    def check_throughput(self) -> None:
        raise DeviceUnsupportedError("it is for single inferences")

    def open_throughput(self) -> NoReturn:
        raise DeviceUnsupportedError("it is for single inferences")

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        yield self

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        name = artifact.folder.name
        self.started.append(name)
        if self.started.count(name) == self.broken.get(name):
            raise AgentError("it was ended by SIGSEGV")
        return AgentRun(self.launch(), artifact.golden(artifact.manifest.golden.outputs), f"{runtime} 1.0", None)


class Seen:
    """A watch that remembers what it is told."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.added = 0
        self.notes: list[str] = []

    def advance(self, label: str) -> None:
        self.labels.append(label)

    def more(self, launches: int) -> None:
        self.added += launches

    def note(self, message: str) -> None:
        self.notes.append(message)


def execute(device: Any, artifacts: tuple[Artifact, ...], launches: int = 3) -> list[BenchmarkRecord]:
    stored: list[BenchmarkRecord] = []
    plan = BenchmarkPlan(artifacts, (RunSettings(launches=launches),), cooldown_seconds=0)
    returned = run_plan(plan, device, append=stored.append, watch=Seen())
    assert returned == stored
    return stored


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


def use_fake_core_ml(monkeypatch: pytest.MonkeyPatch, sign: float = 1.0) -> None:
    """In this process: the one that runs artefacts by itself would know nothing of it."""
    monkeypatch.setattr(targets.opening, "load_target", lambda target: FakeCoreML(sign))
    monkeypatch.setattr(foreign, "run", lambda child, function, *arguments, **options: function(*arguments))


def test_watch_counts_needless_launches_too(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_core_ml(monkeypatch)
    seen = Seen()
    artifacts = (build_artifact("a"), build_artifact("b", target=TargetName.COREML))
    plan = BenchmarkPlan(artifacts, (RunSettings(launches=4),), cooldown_seconds=0)
    run_plan(plan, ScriptedDevice(lambda: make.launch(1.0), {"a": 1}), append=lambda _: None, watch=seen)
    assert len(seen.labels) == 8


def plan_of(artifacts: tuple[Artifact, ...], **options: Any) -> BenchmarkPlan:
    settings = RunSettings(**{"launches": 2} | options)
    return BenchmarkPlan(artifacts, (settings,), cooldown_seconds=0, tag="1.0")


def steady(make: Any, medians: Iterator[int]) -> Callable[[], Launch]:
    """Launches whose samples all have the next median."""
    return lambda: replace(make.launch(1.0), steady_ns=(next(medians),) * 9)


def test_launches_go_on_until_the_interval_is_narrow(make: Any, build_artifact: BuildArtifact) -> None:
    medians = itertools.chain([1000, 1300, 1000, 1300, 1150], itertools.repeat(1100))
    device, seen = ScriptedDevice(steady(make, medians)), Seen()
    (record,) = run_plan(
        plan_of((build_artifact(),), until_share=0.05, budget_seconds=600.0), device, append=lambda _: None, watch=seen
    )
    interval = summarize_latency(record.launches).interval_ns
    assert interval is not None and (interval[1] - interval[0]) / 1100 <= 0.05
    assert 5 < len(record.launches) < 40
    assert seen.added == len(record.launches) - 2
    assert record.tag == "1.0" and record.settings.until_share == 0.05


def test_a_budget_ends_what_never_narrows(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=60)
    monkeypatch.setattr(measurement.time, "monotonic", lambda: next(clock))
    device = ScriptedDevice(steady(make, itertools.cycle([1000, 2000])))
    (record,) = run_plan(
        plan_of((build_artifact(),), until_share=0.01, budget_seconds=600.0),
        device,
        append=lambda _: None,
        watch=Seen(),
    )
    assert record.status is Status.MEASURED
    assert 2 <= len(record.launches) <= 11


def test_every_number_of_threads_has_a_record(make: Any, build_artifact: BuildArtifact) -> None:
    settings = tuple(RunSettings(threads=threads, launches=2) for threads in (1, 2))
    plan = BenchmarkPlan((build_artifact("a"), build_artifact("b")), settings, cooldown_seconds=0)
    records = run_plan(plan, ScriptedDevice(lambda: make.launch(1.0)), append=lambda _: None, watch=Seen())
    assert sorted((record.settings.threads, len(record.launches)) for record in records) == [(1, 2)] * 2 + [(2, 2)] * 2


def test_a_device_that_is_not_fit_is_waited_for(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooldown.time, "sleep", lambda seconds: None)
    device, seen = ScriptedDevice(lambda: make.launch(1.0)), Seen()
    hot = replace(QUIET, temperature_celsius=95.0)
    device.states = itertools.chain([hot, hot, QUIET], itertools.repeat(QUIET))
    plan = replace(plan_of((build_artifact(),)), cooldown_seconds=1000.0)
    (record,) = run_plan(plan, device, append=lambda _: None, watch=seen)
    assert len(seen.notes) == 1
    assert seen.notes[0].startswith(
        "waiting for the device, up to 1000 s: 95 °C, at most 80 wanted; let the device cool"
    )
    assert record.rankable


def test_a_device_that_never_becomes_fit_is_waited_for_once(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(cooldown, "wait_until_fit", functools.partial(cooldown.wait_until_fit, sleep=slept.append))
    monkeypatch.setattr(cooldown, "_PAUSE_S", 0.01)
    device, seen = ScriptedDevice(lambda: make.launch(1.0)), Seen()
    device.states = itertools.repeat(replace(QUIET, power_saver=True))
    plan = replace(plan_of((build_artifact("a"), build_artifact("b"))), cooldown_seconds=0.05)
    records = run_plan(plan, device, append=lambda _: None, watch=seen)
    assert {record.status for record in records} == {Status.MEASURED}
    assert len(seen.notes) == 1 and slept
    before = len(slept)
    device.states = itertools.repeat(QUIET)
    run_plan(plan, device, append=lambda _: None, watch=seen)
    assert len(slept) == before


def test_where_nobody_chooses_the_device_chooses_by_runtime(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_core_ml(monkeypatch)
    artifacts = (build_artifact("a"), build_artifact("b", target=TargetName.COREML))
    plan = plan_of(artifacts, accelerator=DEVICE_DEFAULT)
    found = run_plan(plan, ScriptedDevice(lambda: make.launch(1.0)), append=lambda _: None, watch=Seen())
    asked = {
        record.artifact.target: (record.settings.accelerator, record.runtime.accelerator_requested) for record in found
    }
    assert asked == {
        TargetName.ONNX: ("onnxruntime's own",) * 2,
        TargetName.COREML: ("coreml's own",) * 2,
    }


def test_what_is_lowered_for_the_gpu_is_measured_there(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedDevice, "untimed_reason", lambda self, target: None)
    plan = plan_of((build_artifact("a", target=TargetName.EXECUTORCH_VULKAN),), accelerator=DEVICE_DEFAULT)
    (record,) = run_plan(plan, ScriptedDevice(lambda: make.launch(1.0)), append=lambda _: None, watch=Seen())
    assert (record.settings.accelerator, record.runtime.accelerator_requested) == ("gpu", "gpu")


def test_what_was_disturbed_is_kept_and_marked(make: Any, build_artifact: BuildArtifact) -> None:
    cores = HostDevice().facts().logical_cores
    device = ScriptedDevice(lambda: replace(make.launch(1.0), others_busy_cores=cores / 2, stolen_share=0.001))
    (record,) = run_plan(plan_of((build_artifact(),)), device, append=lambda _: None, watch=Seen())
    assert record.status is Status.MEASURED and not record.rankable
    (reason,) = record.invalid
    assert reason.code is InvalidityCode.BUSY
    wanted = max(0.25, cores / 8)
    assert reason.reason == (
        f"other programs took {cores / 2:.2f} cores, at most {wanted:.2f} wanted (in 2 of 2 launches)"
    )
    assert "stop other programs" in reason.fix


def test_an_interruption_keeps_what_waits_for_more_passes(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measurement, "profile_artifact", interrupt)
    stored: list[BenchmarkRecord] = []
    plan = replace(plan_of((build_artifact("a"), build_artifact("b"))), profile=True)
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, ScriptedDevice(lambda: make.launch(1.0)), append=stored.append, watch=Seen())
    assert [(record.status, record.profile) for record in stored] == [(Status.MEASURED, None)] * 2


def test_a_sustained_run_that_fails_costs_no_record(make: Any, build_artifact: BuildArtifact) -> None:
    device, seen = ScriptedDevice(lambda: make.launch(1.0), broken={"a": 3}), Seen()
    (record,) = run_plan(
        plan_of((build_artifact("a"),), sustained_seconds=60.0), device, append=lambda _: None, watch=seen
    )
    assert record.status is Status.MEASURED and record.sustained is None
    assert seen.notes[0].startswith("no sustained run of")


def test_what_a_phone_cannot_run_is_not_claimed_of_it(make: Any, build_artifact: BuildArtifact) -> None:
    device, seen = ScriptedDevice(lambda: make.launch(1.0)), Seen()
    device.told = facts_of(DeviceKind.PHONE)
    artifacts = (build_artifact("a"), build_artifact("b", target=TargetName.COREML, precision=Precision.FP16))
    (record,) = run_plan(plan_of(artifacts), device, append=lambda _: None, watch=seen)
    assert (record.artifact.target, record.status) == (TargetName.ONNX, Status.MEASURED)
    (note,) = seen.notes
    assert note.startswith("skipped, not run: ") and "Core ML" in note
    with pytest.raises(
        DeviceUnsupportedError,
        match=r"other cannot run any of the 1 artefacts \(Core ML on Linux: parity only\); choose other",
    ):
        run_plan(plan_of(artifacts[1:]), device, append=lambda _: None, watch=seen)


def test_an_emulated_devices_times_are_never_called_fit_or_unfit(make: Any, build_artifact: BuildArtifact) -> None:
    device = ScriptedDevice(lambda: replace(make.launch(1.0), others_busy_cores=99.0))
    device.told = facts_of(DeviceKind.EMULATED)
    (record,) = run_plan(plan_of((build_artifact(),)), device, append=lambda _: None, watch=Seen())
    assert record.invalid == () and not record.timed and not record.rankable


def test_core_ml_is_compared_and_never_timed(
    make: Any, build_artifact: BuildArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_core_ml(monkeypatch)
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
    use_fake_core_ml(monkeypatch, sign=-1.0)
    (record,) = execute(ScriptedDevice(lambda: make.launch(1.0)), (build_artifact(target=TargetName.COREML),))
    assert record.status is Status.FAILED
    assert (record.reason or "").startswith("golden-mismatch")


class CountingDevice(ScriptedDevice):
    """Gives counts in the place of time, one after the other."""

    def __init__(self, make: Any, counts: list[int]) -> None:
        super().__init__(lambda: make.launch(1.0))
        self.told = facts_of(DeviceKind.EMULATED)
        self.counts = iter(counts)

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        found = super().run(artifact, runtime, settings, timeout_seconds=timeout_seconds)
        count = next(self.counts)
        return replace(found, launch=None, counted=CountedRun("cortex-a76", (count, count), 1))


@pytest.mark.parametrize(
    ("counts", "kept", "status"),
    [
        ([1_000_000, 1_000_100], (1_000_000, 1_000_100), Status.COUNTED),
        # The first run compiled or cached something: both are counted once more.
        ([1_300_000, 1_000_000, 1_000_000, 1_000_100], (1_000_000, 1_000_100), Status.COUNTED),
        # It does so every time: the record is marked, and nothing is tried a third time.
        ([1_300_000, 1_000_000, 1_300_000, 1_000_000], None, Status.FAILED),
    ],
)
def test_counts_that_differ_are_counted_once_more(
    make: Any, build_artifact: BuildArtifact, counts: list[int], kept: tuple[int, ...] | None, status: Status
) -> None:
    device, seen = CountingDevice(make, counts), Seen()
    plan = BenchmarkPlan((build_artifact(),), (RunSettings(launches=2),), cooldown_seconds=0)
    (record,) = run_plan(plan, device, append=lambda _: None, watch=seen)
    assert record.status is status
    assert len(device.started) == len(counts)
    assert next(device.counts, None) is None
    if kept is None:
        assert record.reason is not None and record.reason.startswith("counts-differ: ")
    else:
        assert record.instructions is not None
        assert tuple(process[0] for process in record.instructions.per_inference) == kept
    assert any("it is counted again" in note for note in seen.notes) == (len(counts) > 2)
    assert seen.added == (2 if len(counts) > 2 else 0)
