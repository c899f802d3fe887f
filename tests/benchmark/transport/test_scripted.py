"""The scripted transport, and a plan over it: what is done where a device goes away at each stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.errors import AgentError, DeviceDisconnectedError, DeviceFullError
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.runners.agent_runner import AgentRunner
from pocketclip.benchmark.runners.resuming_runner import ResumingRunner
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.scripted import Expected, ScriptedTransport, UnexpectedCallError
from pocketclip.export.artifact.reading import Artifact

Files = Mapping[str, bytes]
GONE = DeviceDisconnectedError("the phone went away; plug it in again")
AGENT = Expected("push", "/w/agent.pyz")
MODEL = [Expected("push", "/w/????????????????/*")] * 4
JOB = Expected("push", "/w/launch-*/job.json")


def result(files: Files, **changes: Any) -> bytes:
    """What the real agent writes, to the job pushed last."""
    request = [content for path, content in files.items() if path.endswith("job.json")][-1]
    job = json.loads(request)
    outputs = next(content for name, content in files.items() if name.endswith("golden_outputs.bin"))
    launch = {
        "started_at": "now", "load_average": None, "import_ns": 1, "load_ns": 1, "first_inference_ns": 1,
        "warmup_ns": [], "warmup_stationary": True, "steady_ns": [5], "baseline_bytes": None, "loaded_bytes": None,
        "peak_before_load_bytes": None, "peak_bytes": None, "end_bytes": None, "peak_reset": False,
    }  # fmt: skip
    content = {
        "result_version": 5, "request_sha256": hashlib.sha256(request).hexdigest(), "job_id": job["job_id"],
        "platform": "Python 3", "app_version": None, "failure": None,
        "launch": launch,
        "outputs": {
            "path": job["outputs_path"], "dtype": "float32", "shape": [4, 8],
            "sha256": hashlib.sha256(outputs).hexdigest(),
        },
    }  # fmt: skip
    return json.dumps(content | changes).encode()


def announced(files: Files) -> Execution:
    content = result(files)
    return Execution(0, f"POCKETCLIP-RESULT {len(content)} {hashlib.sha256(content).hexdigest()}\n", "")


def outputs(files: Files) -> bytes:
    return next(content for name, content in files.items() if name.endswith("golden_outputs.bin"))


RUN = Expected("execute", "python3 /w/agent.pyz /w/launch-*/job.json /w/launch-*/result.json", announced)
RESULT = Expected("pull", "/w/launch-*/result.json", result)
OUTPUTS = Expected("pull", "/w/launch-*/outputs.bin", outputs)


@pytest.fixture
def launch(build_artifact: Callable[..., Artifact], tmp_path: Path) -> Callable[..., Any]:
    artifact = build_artifact()

    def run(transport: ScriptedTransport, times: int = 1) -> list[Any]:
        runner = AgentRunner(transport, workspace="/w", scratch=tmp_path, python=("python3",), agent=b"agent")
        resuming = ResumingRunner(runner, transport, say=said.append, on_return=runner.forget_pushed, wait_seconds=7)
        found: list[Any] = []
        for _ in range(times):
            try:
                found.append(resuming.run(artifact, "onnxruntime", RunSettings(iterations=1), timeout_seconds=60))
            except (AgentError, DeviceDisconnectedError, DeviceFullError) as error:
                found.append(error)
        transport.finish()
        return found

    said: list[str] = []
    return run


def test_a_launch_takes_these_calls_alone(launch: Callable[..., Any]) -> None:
    first, second = launch(ScriptedTransport(AGENT, *MODEL, JOB, RUN, RESULT, OUTPUTS, JOB, RUN, RESULT, OUTPUTS), 2)
    assert first.launch.steady_ns == second.launch.steady_ns == (5,)
    assert first.outputs.shape == (4, 8)


@pytest.mark.parametrize("stage", ["push agent", "push model", "push job", "run", "pull result", "pull outputs"])
def test_a_device_that_comes_back_gets_everything_again(launch: Callable[..., Any], stage: str) -> None:
    whole = [AGENT, *MODEL, JOB, RUN, RESULT, OUTPUTS]
    place = {"push agent": 0, "push model": 2, "push job": 5, "run": 6, "pull result": 7, "pull outputs": 8}[stage]
    broken = Expected(whole[place].call, whole[place].pattern, GONE)
    back = Expected("wait_until_back", "7", True)
    (run,) = launch(ScriptedTransport(*whole[:place], broken, back, *whole))
    assert run.launch.steady_ns == (5,)


def test_a_device_that_stays_away_is_waited_for_once(launch: Callable[..., Any]) -> None:
    broken = Expected("push", "/w/agent.pyz", GONE)
    away = [Expected("wait_until_back", seconds, False) for seconds in ("7", "0", "0")]
    back = Expected("wait_until_back", "0", True)
    table = [broken, away[0], broken, away[1], broken, back, AGENT, *MODEL, JOB, RUN, RESULT, OUTPUTS]
    *failed, last = launch(ScriptedTransport(*table), 3)
    assert failed == [GONE, GONE]
    assert last.launch.steady_ns == (5,)


def test_a_launch_is_repeated_once(launch: Callable[..., Any]) -> None:
    broken = Expected("push", "/w/agent.pyz", GONE)
    (found,) = launch(ScriptedTransport(broken, Expected("wait_until_back", "7", True), broken))
    assert found is GONE


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda files: result(files)[:-4], "result-truncated"),
        (lambda files: b"!" + result(files)[1:], "result-altered"),
        (GONE.__class__("x"), "device-disconnected"),
    ],
)
def test_damaged_results_have_a_code(launch: Callable[..., Any], answer: Any, code: str) -> None:
    calls = [AGENT, *MODEL, JOB, RUN, Expected("pull", "*", answer)]
    (found,) = launch(ScriptedTransport(*calls, Expected("wait_until_back", "*", False, optional=True)))
    assert found.code == code


def test_a_result_of_another_job_is_refused(launch: Callable[..., Any]) -> None:
    def foreign(files: Files) -> bytes:
        return result(files, job_id="another")

    def announce(files: Files) -> Execution:
        content = foreign(files)
        return Execution(0, f"POCKETCLIP-RESULT {len(content)} {hashlib.sha256(content).hexdigest()}\n", "")

    calls = [AGENT, *MODEL, JOB, Expected("execute", "*", announce), Expected("pull", "*", foreign)]
    (found,) = launch(ScriptedTransport(*calls))
    assert found.code == "result-foreign"
    assert "belongs to another job (another, wanted " in str(found)


def test_a_full_disk_while_the_agent_writes(launch: Callable[..., Any]) -> None:
    ended = Execution(1, "", "OSError: [Errno 28] No space left on device\n")
    calls = [AGENT, *MODEL, JOB, Expected("execute", "*", ended)]
    (found,) = launch(ScriptedTransport(*calls, Expected("pull", "*", result)))
    assert found.code == "device-full"


def test_calls_that_the_table_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    transport = ScriptedTransport(Expected("push", "/w/*"), Expected("remove", optional=True))
    with pytest.raises(UnexpectedCallError, match=r"got pull '/w/a', expected push '/w/\*'"):
        transport.pull("/w/a", tmp_path / "back")
    with pytest.raises(UnexpectedCallError, match=r"calls never made: push /w/\*"):
        transport.finish()
    transport.push(tmp_path / "file", "/w/a")
    transport.finish()
    with pytest.raises(UnexpectedCallError, match="expected no more calls"):
        transport.push(tmp_path / "file", "/w/a")
    assert transport.files == {"/w/a": b"x"}
