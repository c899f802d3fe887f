"""Measures by a phone's app, a process of its own for each launch; believes only what it can verify."""

from __future__ import annotations

import re
from collections.abc import Callable

from pocketclip.benchmark.errors import AgentError, DeviceFullError, MeasurementError
from pocketclip.benchmark.phone_app.app import PhoneApp
from pocketclip.benchmark.phone_app.app_protocol import AppFacts
from pocketclip.benchmark.records.accelerators import APPLE_ACCELERATORS, NPU
from pocketclip.benchmark.records.benchmark import CPU, RunSettings
from pocketclip.benchmark.records.placement import NpuPlacement
from pocketclip.benchmark.records.validity import FIXES, InvalidityCode
from pocketclip.benchmark.runners.agent_runner import AgentRun, parse_outputs
from pocketclip.benchmark.runners.chip_artifacts import placement_of
from pocketclip.benchmark.runners.protocol import AgentResult, Failure, InputFile, Job, new_job
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models.errors import choices

# What an app refuses or breaks off for, and what to do about it.
_FIXES: dict[str, str] = {
    "low-battery": FIXES[InvalidityCode.LOW_BATTERY],
    "power-saver": FIXES[InvalidityCode.POWER_SAVER],
    "thermal": FIXES[InvalidityCode.HOT],
    "debuggable": "install a release build: `pocketclip app build`",
    "runtime-missing": "measure another target, or build the app with this runtime (iPhones have only Core ML, and "
    "Core AI from iOS 27 on, where Xcode 27 or later built the app)",
    "accelerator-missing": "choose another --accelerator",
    "accelerator-fallback": "see docs/npu.md for what the app needs; no time of the CPU is taken for one of the NPU",
    "npu-version": "package Qualcomm's libraries of that version or later in the app, or export with an earlier one",
    "model-altered": "try another cable or port, and run it again",
    "photos-unreadable": "give photographs that this phone can decode, such as JPEG or PNG",
    "load-failed": "check that the app's runtime version can read this file",
}

# The three numbers of a version of Qualcomm's libraries, behind that of the runtime or by themselves.
_NUMBERS = r"v?([0-9]{1,6}\.[0-9]{1,6}(?:\.[0-9]{1,6})?)"
_QNN, _QNN_NUMBERS = re.compile(rf"\bQNN {_NUMBERS}"), re.compile(rf"^{_NUMBERS}")


class AppRunner:
    """A `Runner` for phones; see `benchmark.runners.agent_runner`."""

    def __init__(self, app: PhoneApp) -> None:
        self._app = app

    @property
    def agent_sha256(self) -> str:
        return self._app.sha256

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        """One launch of one artefact.

        Raises:
            MeasurementError: the app reports a failure, or has not what is asked for.
            AgentError, TransportError: as `PhoneApp.measure`.
        """
        check_offer(self._app.facts(), runtime, settings.accelerator, self._app.label)
        check_npu_libraries(self._app.facts(), runtime, placement_of(artifact), self._app.label)
        model_path = self._app.put_model(artifact)
        golden = artifact.manifest.golden.inputs
        inputs = InputFile(self._app.put_inputs(artifact), golden.dtype, golden.shape)
        folder = self._app.new_folder()
        job = new_job(
            settings,
            runtime=runtime,
            model_path=model_path,
            inputs=inputs,
            outputs_path=f"{folder}/outputs.bin",
        )
        result = self._app.measure(job, folder, timeout_seconds=timeout_seconds)
        return accepted_run(result, job, self._app.label, lambda: self._app.fetch(job.outputs_path))


def accepted_run(result: AgentResult, job: Job, label: str, fetch_outputs: Callable[[], bytes]) -> AgentRun:
    """What an app's result of a job and the outputs beside it come to.

    Raises:
        MeasurementError: the app reports a failure, or something else than was asked for executed the model.
        AgentError: the result contradicts itself, or the outputs are not those that it describes.
    """
    if result.failure is not None:
        raise failure_error(result.failure, label)
    if result.launch is None or result.outputs is None:
        raise AgentError("the app reports success without a launch or outputs", "result-invalid")
    if result.outputs.path != job.outputs_path:
        raise AgentError(f"the outputs should be in {result.outputs.path}, wanted {job.outputs_path}", "result-foreign")
    check_executed(job.runtime, job.accelerator, result.accelerator_observed, label)
    outputs = parse_outputs(fetch_outputs(), result.outputs)
    return AgentRun(result.launch, outputs, result.runtime_version, result.accelerator_observed)


def check_offer(facts: AppFacts, runtime: str, accelerator: str, label: str) -> None:
    """Whether the app has a runtime and, with it, an accelerator: asked before anything is sent.

    Raises:
        MeasurementError: it has not.
    """
    if facts.runtimes.get(runtime) is None:
        usable = [name for name, version in facts.runtimes.items() if version is not None]
        raise failure_error(Failure("runtime-missing", f"the app has no {runtime}, but {choices(usable)}"), label)
    offered = facts.accelerators.get(runtime, ())
    if accelerator not in (CPU, *offered):
        words = f"the app's {runtime} has no {accelerator} on this phone, but {choices(offered)}"
        raise failure_error(Failure("accelerator-missing", words), label)


def check_executed(runtime: str, asked: str, observed: str | None, label: str) -> None:
    """Whether what executed a model is the NPU that was asked for; of other accelerators, all counts.

    The app says so itself; what it does not say is no proof. Core AI is asked to prefer a unit and cannot say which
    ran: its records hold what was asked for, and nothing observed.

    Raises:
        MeasurementError: something else was, or the runtime does not tell what.
    """
    if asked == NPU and observed != NPU and runtime not in APPLE_ACCELERATORS:
        ran = observed or "something that the runtime does not tell"
        raise failure_error(Failure("accelerator-fallback", f"npu was asked for, and {ran} executed it"), label)


def check_npu_libraries(facts: AppFacts, runtime: str, placement: NpuPlacement | None, label: str) -> None:
    """Whether the app's libraries for the NPU are new enough for a graph. Where it does not tell, loading shows.

    Raises:
        MeasurementError: they are older than those that prepared it.
    """
    if placement is None:
        return
    found = _QNN.search(facts.runtimes.get(runtime) or "")
    prepared = _QNN_NUMBERS.search(placement.sdk)
    if found is None or prepared is None:
        return
    theirs, ours = (tuple(int(part) for part in match[1].split(".")[:3]) for match in (found, prepared))
    if theirs < ours[: len(theirs)]:
        words = (
            f"the graph for {placement.soc} was prepared by QNN {prepared[1]}, the app on {label} has the older "
            f"QNN {found[1]}"
        )
        raise failure_error(Failure("npu-version", words), label)


def failure_error(failure: Failure, label: str) -> MeasurementError | DeviceFullError:
    """The error of what an app reports, with its code first and what to do last."""
    if failure.code == "no-space":
        return DeviceFullError(f"{label}: {failure.message}", fix="free some space there and run it again")
    fix = _FIXES.get(failure.code)
    return MeasurementError(f"{failure.code}: {failure.message}" + (f"; {fix}" if fix else ""))
