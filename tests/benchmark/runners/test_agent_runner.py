"""The real agent on a tiny model, and every way in which an agent can go wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.devices import HostDevice
from pocketclip.benchmark.errors import AgentError, MeasurementError
from pocketclip.benchmark.records.benchmark import LoadMode, RunSettings
from pocketclip.benchmark.runners.agent_archive import build_agent, digest
from pocketclip.benchmark.runners.agent_runner import AgentRun
from pocketclip.benchmark.runners.golden_check import check_outputs
from pocketclip.export.artifact.reading import Artifact

FakeAgent = Callable[[str], bytes]
SETTINGS = RunSettings(iterations=6, launches=1)


def run(
    artifact: Artifact, agent: bytes | None = None, *, timeout: float = 60, settings: RunSettings = SETTINGS
) -> AgentRun:
    with HostDevice(agent=agent).open_runner() as runner:
        return runner.run(artifact, "onnxruntime", settings, timeout_seconds=timeout)


def test_real_agent_measures_every_phase(build_artifact: Callable[..., Artifact]) -> None:
    artifact = build_artifact()
    started = time.monotonic_ns()
    result = run(artifact)
    elapsed = time.monotonic_ns() - started
    launch = result.launch
    assert launch is not None
    assert len(launch.steady_ns) == 6
    assert len(launch.warmup_ns) >= 15
    phases = (
        launch.import_ns,
        launch.load_ns,
        launch.first_inference_ns,
        *launch.warmup_ns,
        *launch.steady_ns,
    )
    assert min(phases) > 0
    assert sum(phases) < elapsed
    assert (result.runtime_version or "").startswith("onnxruntime ")
    assert result.outputs.shape == (4, 8)
    check = check_outputs(artifact, result.outputs)
    assert check.cosine_min > 0.999999
    assert check.max_abs < 1e-4


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory peaks are reset on Linux alone")
def test_memory_counts_from_before_the_load(build_artifact: Callable[..., Artifact]) -> None:
    launch = run(build_artifact()).launch
    assert (launch.baseline_bytes or 0) > 10_000_000
    assert (launch.peak_bytes or 0) >= (launch.baseline_bytes or 0)
    if launch.peak_reset:
        # A model of 4 kB: a peak that still held the imports would lie tens of megabytes higher.
        assert launch.peak_over_baseline_bytes is not None
        assert launch.peak_over_baseline_bytes < 30_000_000


def test_minimum_seconds_outlasts_iterations(build_artifact: Callable[..., Artifact]) -> None:
    settings = RunSettings(iterations=2, minimum_seconds=0.05, launches=1)
    steady = run(build_artifact(), settings=settings).launch.steady_ns
    assert sum(steady) >= 0.05e9
    assert len(steady) > 2


def test_fewer_iterations_than_samples_still_give_all_outputs(
    build_artifact: Callable[..., Artifact],
) -> None:
    outputs = run(build_artifact(), settings=RunSettings(iterations=1, launches=1)).outputs
    assert len(outputs) == 4


def test_agent_bytes_are_reproducible() -> None:
    assert digest(build_agent()) == digest(build_agent())


def test_non_finite_outputs_are_a_failure(build_artifact: Callable[..., Artifact]) -> None:
    with pytest.raises(MeasurementError, match="non-finite-output: output 0 holds NaN or infinity for sample"):
        run(build_artifact(nan_from=0.2))


def test_model_that_cannot_be_loaded(build_artifact: Callable[..., Artifact]) -> None:
    with pytest.raises(MeasurementError, match="load-failed: onnxruntime cannot load the model"):
        run(build_artifact(model_bytes=b"no model"))


def test_unknown_runtime_is_a_bad_job(build_artifact: Callable[..., Artifact]) -> None:
    with (
        HostDevice().open_runner() as runner,
        pytest.raises(MeasurementError, match="bad-job: no runtime is called 'abacus'; choose from onnxruntime"),
    ):
        runner.run(build_artifact(), "abacus", SETTINGS, timeout_seconds=60)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accelerator": "nnapi"}, "accelerator-missing: this agent supports only cpu, got 'nnapi'"),
        ({"load_mode": LoadMode.MEMORY}, "bad-job: this agent supports only load mode file, got 'memory'"),
    ],
)
def test_what_only_an_app_can_do_is_refused(
    build_artifact: Callable[..., Artifact], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MeasurementError, match=message):
        run(build_artifact(), settings=replace(SETTINGS, **changes))


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_agent_ended_by_a_signal(build_artifact: Callable[..., Artifact], fake_agent: FakeAgent, name: str) -> None:
    agent = fake_agent(f"print('oh no', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.{name})")
    with pytest.raises(AgentError, match=rf"ended by {name} \(exit code -\d+\).*stderr: oh no"):
        run(build_artifact(), agent)


def test_agent_that_hangs_is_stopped_with_its_helpers(
    build_artifact: Callable[..., Artifact], fake_agent: FakeAgent, tmp_path: Path
) -> None:
    mark = tmp_path / "helper-lived"
    agent = fake_agent(
        f"import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 3; touch {mark}'])\n"
        "print('waiting', file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(AgentError, match=r"longer than 1 s.*stderr: waiting; raise --timeout"):
        run(build_artifact(), agent, timeout=1)
    assert time.monotonic() - started < 10
    time.sleep(2.5)
    assert not mark.exists()


def test_agent_that_writes_nothing(build_artifact: Callable[..., Artifact], fake_agent: FakeAgent) -> None:
    with pytest.raises(AgentError, match=r"left no result\.json: exit code 3"):
        run(build_artifact(), fake_agent("sys.exit(3)"))


def test_result_without_announcement_is_refused_even_at_exit_code_0(
    build_artifact: Callable[..., Artifact], fake_agent: FakeAgent
) -> None:
    with pytest.raises(AgentError, match="ended before it announced its result: exit code 0"):
        run(build_artifact(), fake_agent("open(result_path, 'w').write('{}')"))


@pytest.mark.parametrize(
    ("damage", "word"),
    [("content[:-7]", "truncated"), ("bytes([content[0] ^ 1]) + content[1:]", "altered")],
)
def test_damaged_result_is_refused(
    build_artifact: Callable[..., Artifact], fake_agent: FakeAgent, damage: str, word: str
) -> None:
    agent = fake_agent(
        "content = json.dumps({'result_version': 2}).encode()\n"
        f"open(result_path, 'wb').write({damage})\nannounce(content)"
    )
    with pytest.raises(AgentError, match=f"result is {word}: it announced 21 bytes"):
        run(build_artifact(), agent)


def test_result_of_another_format_is_refused(build_artifact: Callable[..., Artifact], fake_agent: FakeAgent) -> None:
    agent = fake_agent(
        "content = b'{\"result_version\": 2}'\nopen(result_path, 'wb').write(content)\nannounce(content)"
    )
    with pytest.raises(AgentError, match="result is not a valid AgentResult"):
        run(build_artifact(), agent)


def test_verified_result_counts_although_the_runtime_crashed_at_exit(
    build_artifact: Callable[..., Artifact],
) -> None:
    from pocketclip.benchmark.runners.agent_archive import MEMBERS, build_archive

    members = {name: path.read_bytes() if path else b"" for name, path in MEMBERS.items()}
    members["__main__.py"] = members["__main__.py"].replace(
        b"sys.exit(main(sys.argv[1:]))", b"main(sys.argv[1:]); os.abort()"
    )
    assert len(run(build_artifact(), build_archive(members)).launch.steady_ns) == 6


def test_outputs_unlike_those_at_export_are_a_failure(build_artifact: Callable[..., Artifact]) -> None:
    artifact = build_artifact()
    with pytest.raises(MeasurementError, match=r"golden-mismatch: .*cosine -1\.0000"):
        check_outputs(artifact, -artifact.golden(artifact.manifest.golden.reference))
    with pytest.raises(MeasurementError, match="golden-mismatch"):
        check_outputs(artifact, np.zeros((4, 8), np.float32))
    with pytest.raises(MeasurementError, match=r"output-shape: got \(samples, values\) \(4, 7\)"):
        check_outputs(artifact, np.zeros((4, 7), np.float32))
