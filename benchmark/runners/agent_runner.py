"""Runs the measuring agent over a transport and believes only what it can verify."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pocketclip.benchmark.agent.__main__ import RESULT_LINE
from pocketclip.benchmark.errors import (
    AgentError,
    DeviceDisconnectedError,
    DeviceFullError,
    DeviceOfflineError,
    MeasurementError,
    TransferError,
    TransportError,
)
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.runners.agent_archive import digest
from pocketclip.benchmark.runners.protocol import RESULT_VERSION, AgentResult, InputFile, OutputFile, new_job
from pocketclip.benchmark.transport import Execution, Transport
from pocketclip.benchmark.transport.device_paths import below, short_hash
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models import documents


@dataclass(frozen=True)
class AgentRun:
    """What one launch brought back, verified. `outputs` is `(samples, values)`.

    A device whose time means nothing gives no `launch`, but `counted` instead.
    """

    launch: Launch | None
    outputs: npt.NDArray[np.generic]
    runtime_version: str | None
    accelerator_observed: str | None
    counted: CountedRun | None = None


@dataclass(frozen=True)
class CountedRun:
    """Instructions of each inference of one process, after `warmup_inferences` that are not among them."""

    cpu: str
    instructions: tuple[int, ...]
    warmup_inferences: int


class Runner(Protocol):
    """Measures artefacts on one device, a process per launch."""

    @property
    def agent_sha256(self) -> str:
        """Hash of the program that measures."""
        ...

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        """One launch of one artefact.

        Raises:
            AgentError: the agent crashed, timed out or left nothing that can be trusted.
            MeasurementError: the agent reports a failure.
            TransportError: files do not reach the device.
        """
        ...


Python = Sequence[str] | Callable[[str], Sequence[str]]


class AgentRunner:
    """Pushes the agent and each artefact once, then starts one process per launch."""

    def __init__(self, transport: Transport, *, workspace: str, scratch: Path, python: Python, agent: bytes) -> None:
        """`workspace` is an empty folder of the device, `scratch` one of this machine.

        `python` starts Python on the device; where that depends on the runtime, a function of its name.
        """
        self._transport = transport
        self._workspace = workspace
        self._scratch = scratch
        self._python = python
        self._agent = agent
        self._pushed: set[str] = set()
        self._launches = itertools.count(1)

    @property
    def agent_sha256(self) -> str:
        return digest(self._agent)

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        agent_path = self._push_agent()
        model_folder = self._push_artifact(artifact)
        folder = f"{self._workspace}/launch-{next(self._launches)}"
        golden = artifact.manifest.golden.inputs
        job = new_job(
            settings,
            runtime=runtime,
            model_path=below(model_folder, artifact.manifest.entry_point),
            inputs=InputFile(below(model_folder, golden.file), golden.dtype, golden.shape),
            outputs_path=f"{folder}/outputs.bin",
        )
        request = json.dumps(documents.to_builtin(job)).encode()
        self._push_bytes(request, f"{folder}/job.json")
        result_path = f"{folder}/result.json"
        execution = self._transport.execute(
            [
                *(self._python(runtime) if callable(self._python) else self._python),
                agent_path,
                f"{folder}/job.json",
                result_path,
            ],
            folder=folder,
            timeout_seconds=timeout_seconds,
        )
        if execution.exit_code is None:
            raise AgentError(
                f"the measuring agent took longer than {timeout_seconds:g} s: {execution.describe()}",
                "agent-hung",
                fix="raise --timeout or lower --iterations",
            )
        result = _parse_result(self._pull(result_path, execution), execution, job.job_id)
        check_request(result, digest(request))
        if result.failure is not None:
            raise MeasurementError(f"{result.failure.code}: {result.failure.message}")
        if result.launch is None or result.outputs is None:
            raise AgentError("the measuring agent reports success without a launch or outputs")
        if result.outputs.path != job.outputs_path:
            raise AgentError(
                f"the outputs should be in {result.outputs.path}, wanted {job.outputs_path}", "result-foreign"
            )
        outputs = parse_outputs(self._pull(job.outputs_path, execution), result.outputs)
        return AgentRun(result.launch, outputs, result.runtime_version, result.accelerator_observed)

    def forget_pushed(self) -> None:
        """Makes the next launch push everything anew: the device may have lost it."""
        self._pushed.clear()

    def _push_agent(self) -> str:
        path = f"{self._workspace}/agent.pyz"
        if path not in self._pushed:
            self._push_bytes(self._agent, path)
            self._pushed.add(path)
        return path

    def _push_artifact(self, artifact: Artifact) -> str:
        folder = f"{self._workspace}/{short_hash(artifact.manifest.sha256)}"
        if folder not in self._pushed:
            # What a link points to is not what was compared with the manifest.
            check_no_links(
                artifact.folder, (entry.path for entry in artifact.manifest.files), error=ArtifactCorruptError
            )
            for entry in artifact.manifest.files:
                self._transport.push(artifact.folder / entry.path, below(folder, entry.path))
            self._pushed.add(folder)
        return folder

    def _push_bytes(self, content: bytes, remote: str) -> None:
        local = self._scratch / "outgoing"
        try:
            local.write_bytes(content)
        except OSError as error:
            raise TransportError(f"cannot write {local}: {error.strerror or error}") from error
        self._transport.push(local, remote)

    def _pull(self, remote: str, execution: Execution) -> bytes:
        local = self._scratch / "incoming"
        try:
            self._transport.pull(remote, local)
            return local.read_bytes()
        except (DeviceDisconnectedError, DeviceOfflineError, TransferError):
            raise
        except (TransportError, OSError) as error:
            name = remote.rpartition("/")[2]
            raise AgentError(
                f"the measuring agent left no {name}: {execution.describe()}", ending_code(execution)
            ) from error


def ending_code(execution: Execution) -> str:
    """The code of an agent that left no result."""
    if "No space left on device" in execution.stderr:
        return DeviceFullError.code
    if execution.signal_name == "SIGKILL":
        return "agent-killed"
    return "result-missing" if execution.signal_name is None else "agent-crashed"


def check_announced(content: bytes, execution: Execution) -> None:
    """Checks a result against the line that announced it; the exit code proves nothing.

    Raises:
        AgentError: nothing was announced, or something else.
    """
    announced = [line.split() for line in execution.stdout.splitlines() if line.startswith(RESULT_LINE + " ")]
    if not announced:
        raise AgentError(
            f"the measuring agent ended before it announced its result: {execution.describe()}",
            ending_code(execution),
            fix="run it again",
        )
    check_arrived(content, announced[-1][1:], "the measuring agent")


def check_arrived(content: bytes, announced: Sequence[str], who: str) -> None:
    """Compares a result with the length and SHA-256 that were announced for it.

    Raises:
        AgentError: another length (`result-truncated`) or the same with another hash (`result-altered`).
    """
    if list(announced) == [str(len(content)), digest(content)]:
        return
    length = announced[0] if announced else "an unknown number of"
    how = "truncated" if str(len(content)) != length else "altered"
    raise AgentError(
        (
            f"{who}'s result is {how}: it announced {length} bytes, {len(content)} arrived"
            f"{'' if how == 'truncated' else ' with another SHA-256'}"
        ),
        f"result-{how}",
        fix="run it again",
    )


def _parse_result(content: bytes, execution: Execution, job_id: str) -> AgentResult:
    check_announced(content, execution)
    result = documents.parse(AgentResult, content, source="the measuring agent's result", error=ResultError)
    check_identity(result.result_version, result.job_id, job_id)
    return result


def check_identity(version: int, found: str | None, wanted: str) -> None:
    """Whether a result has our version and is that of our job.

    Raises:
        AgentError: it is another's.
    """
    if version != RESULT_VERSION:
        raise AgentError(f"the agent wrote result version {version}, wanted {RESULT_VERSION}", "result-invalid")
    if found != wanted:
        raise AgentError(
            f"the result belongs to another job ({found}, wanted {wanted}): something else writes to the workspace",
            "result-foreign",
            fix="make sure that only one bench uses the device, and run it again",
        )


def check_request(result: AgentResult, sent_sha256: str) -> None:
    """Whether a result is of the job as it was sent.

    Raises:
        AgentError: the job was changed on its way (`request-altered`), or the result does not tell.
    """
    # Where the job could not be read, the failure says so.
    unread = result.request_sha256 is None and result.failure is not None
    if result.request_sha256 != sent_sha256 and not unread:
        found = "none" if result.request_sha256 is None else f"{result.request_sha256[:12]}..."
        raise AgentError(
            (
                f"the job was changed on its way to the device: the result has job hash {found}, "
                f"{sent_sha256[:12]}... was sent"
            ),
            "request-altered",
            fix="make sure that no other program writes to its folder, and run it again",
        )


class ResultError(AgentError):
    """A result cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "result-invalid")


def parse_outputs(content: bytes, expected: OutputFile) -> npt.NDArray[np.generic]:
    """The outputs of a run, `(samples, values)`.

    Raises:
        AgentError: they are not those that the result describes.
    """
    if digest(content) != expected.sha256:
        raise AgentError(
            f"the outputs arrived altered or truncated ({len(content)} bytes)", "result-altered", fix="run it again"
        )
    try:
        return np.frombuffer(content, np.dtype(expected.dtype).newbyteorder("<")).reshape(expected.shape)
    except (TypeError, ValueError) as error:
        raise AgentError(f"the outputs do not match their description: {error}", "result-invalid") from error
