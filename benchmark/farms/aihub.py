"""Qualcomm AI Hub: one job for each tower, its inferences over the golden inputs timed and profiled by AI Hub itself.

AI Hub measures by a method of its own, so its figures are a class of their own: `benchmark.records.farm`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pocketclip.benchmark.errors import (
    DeviceUnsupportedError,
    FarmNotFoundError,
    FarmResultError,
    MeasurementError,
    OptionError,
    RecordError,
)
from pocketclip.benchmark.farms.aihub_client import HubClient, HubDevice, HubResults
from pocketclip.benchmark.farms.aihub_profile import Profile
from pocketclip.benchmark.farms.farm import Cost, FarmName, JobState, JobStatus, Request, Submitted, Work
from pocketclip.benchmark.farms.names import nearest
from pocketclip.benchmark.measuring.identity import identity_of
from pocketclip.benchmark.records.benchmark import GoldenCheck
from pocketclip.benchmark.records.farm import FarmDevice, FarmRecord, FarmStatus
from pocketclip.benchmark.records.fields import LONGEST_REASON
from pocketclip.benchmark.runners.chip_artifacts import for_chip
from pocketclip.benchmark.runners.golden_check import check_outputs
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.store.codec import decode, encode
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError, ManifestError
from pocketclip.export.npu.socs import SOCS
from pocketclip.export.precision import TargetName
from pocketclip.models import documents
from pocketclip.models.errors import choices
from pocketclip.models.terminal.version import tool_version
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.printable import printable_line

# What AI Hub runs as it is -> the attribute that its devices have for it.
_FRAMEWORKS: dict[TargetName, str] = {
    TargetName.ONNX: "framework:onnx",
    TargetName.ONNX_QNN: "framework:onnx",
    TargetName.TFLITE: "framework:tflite",
}
_UNITS = ("cpu", "gpu", "npu")
_CHIPSET = "chipset:qualcomm-snapdragon-"
_MOST_PROFILE_BYTES = 64 << 20


@dataclass(frozen=True)
class HubWork(Work):
    """One tower on one device."""

    artifact: Artifact
    device: HubDevice
    accelerator: str | None
    iterations: int
    tag: str | None

    @property
    def options(self) -> str:
        """As AI Hub takes them."""
        unit = f" --compute_unit {self.accelerator}" if self.accelerator else ""
        return f"--max_profiler_iterations {self.iterations}{unit}"


class AiHub:
    """A `Farm`; `where` is a device's name there."""

    def __init__(self, where: str, client: HubClient | None = None) -> None:
        self._where = where
        self._client = client or HubClient()

    def plan(self, request: Request) -> list[HubWork]:
        if request.accelerator not in (None, *_UNITS):
            raise OptionError(
                f"--accelerator {request.accelerator!r} is none of AI Hub's", fix=f"choose among: {choices(_UNITS)}"
            )
        device = self._device()
        iterations = request.settings[0].iterations
        works: list[HubWork] = []
        reasons: list[str] = []
        for artifact in request.artifacts:
            try:
                works.append(_work(_fitting(artifact, device), device, request, iterations))
            except (DeviceUnsupportedError, ManifestError) as error:
                request.say(f"skipped, not run: {artifact.label}: {error}")
                reasons.append(str(error))
        if not works:
            raise DeviceUnsupportedError(
                f"AI Hub can measure none of the {len(request.artifacts)} artefacts on {device.name} "
                f"({next(iter(reasons), 'there is none')})",
                fix=f"choose artefacts of {choices(_FRAMEWORKS)}",
            )
        return works

    def cost(self, works: Sequence[HubWork]) -> Cost:
        return Cost(
            None,
            f"{len(works)} jobs on {works[0].device.name}; AI Hub publishes no price, and jobs count against your "
            "account's limits",
            "https://workbench.aihub.qualcomm.com/docs/",
        )

    def submit(self, work: HubWork, token: str) -> str:
        artifact = work.artifact
        manifest = artifact.manifest
        golden = manifest.golden.inputs
        check_no_links(artifact.folder, (entry.path for entry in manifest.model_files), error=ArtifactCorruptError)
        with scratch_folder("pocketclip-aihub-") as scratch:
            return self._client.submit(
                {
                    "token": token,
                    "model": str(_model(artifact, scratch)),
                    "device": work.device.name,
                    "os": work.device.os,
                    "input_name": manifest.inputs[0].name,
                    "inputs": str(artifact.folder / golden.file),
                    "dtype": golden.dtype,
                    "shape": list(golden.shape),
                    "options": work.options,
                }
            )

    def find(self, token: str) -> str | None:
        return self._client.find(token)

    def status(self, job_id: str) -> JobStatus:
        found = self._client.status(job_id)
        words = found.state.lower().replace("_", " ")
        if found.state == "FAILED":
            return JobStatus(JobState.FAILED, printable_line(f"{words}: {found.message}")[:2000])
        state = {"SUCCESS": JobState.ENDED, "CREATED": JobState.WAITING}.get(found.state, JobState.RUNNING)
        return JobStatus(state, printable_line(words))

    def results(self, work: HubWork, submitted: Submitted) -> list[FarmRecord]:
        assert submitted.job_id is not None  # a job that has ended
        with scratch_folder("pocketclip-aihub-") as scratch:
            found = self._client.results(submitted.job_id, scratch)
            try:
                content = read_bounded(scratch / "profile.json", _MOST_PROFILE_BYTES, error=MeasurementError)
                profile = documents.parse(
                    Profile, content, source="AI Hub's profile", error=MeasurementError, most_bytes=_MOST_PROFILE_BYTES
                )
                memory = profile.memory
            except (MeasurementError, RecordError) as error:
                return self.failed(work, submitted, f"result-invalid: {error}")
            try:
                check = self._check(work.artifact, found, scratch)
            except MeasurementError as error:
                return self.failed(work, submitted, str(error))
        # In the place of a failure, so that both hold the same facts.
        (bare,) = self.failed(work, submitted, "")
        record = replace(
            bare,
            status=FarmStatus.MEASURED,
            reason=None,
            times=profile.times,
            memory=memory,
            layers=profile.layers,
            golden_check=check,
        )
        try:
            decode(encode(record))
        except RecordError as error:
            # Outputs of any size may agree in direction.
            return self.failed(work, submitted, f"record-invalid: {error}")
        return [record]

    def failed(self, work: HubWork, submitted: Submitted, reason: str) -> list[FarmRecord]:
        device = work.device
        return [
            FarmRecord(
                artifact=identity_of(work.artifact.manifest),
                farm=str(FarmName.AI_HUB),
                device=FarmDevice(device.name, device.os, _chipset(device) or ""),
                accelerator=work.accelerator,
                iterations=work.iterations,
                status=FarmStatus.FAILED,
                reason=printable_line(reason)[:LONGEST_REASON],
                job_id=submitted.job_id,
                client=self._client.name,
                times=None,
                memory=None,
                layers={},
                golden_check=None,
                tool_version=tool_version(),
                record_id=submitted.record_id(),
                created_at=submitted.submitted_at,
                tag=work.tag,
            )
        ]

    def _device(self) -> HubDevice:
        """The device of the name, with its latest system."""
        known = self._client.devices()
        fitting = [each for each in known if each.name == self._where]
        if fitting:
            return max(fitting, key=lambda each: _version(each.os))
        names = list(dict.fromkeys(each.name for each in known))
        near = nearest(self._where, names)
        raise FarmNotFoundError(
            f"AI Hub has no device {self._where!r} among {len(names)}",
            fix=f"choose among those that are near: {choices(map(printable_line, near))}"
            if near
            else "see `qai-hub list-devices`",
        )

    def _check(self, artifact: Artifact, found: HubResults, scratch: Path) -> GoldenCheck:
        """Compares what the device computed with the golden outputs."""
        wanted = artifact.manifest.outputs[0].name
        named = [each for each in found.outputs if each.name == wanted] or list(found.outputs)
        if len(named) != 1:
            names = choices(printable_line(each.name) for each in found.outputs)
            raise MeasurementError(f"output-shape: AI Hub gives outputs {names}, the artefact has {wanted}")
        output = named[0]
        try:
            dtype = np.dtype(output.dtype).newbyteorder("<")
            values = np.frombuffer(self._client.output(scratch, output), dtype).reshape(output.shape)
        except (TypeError, ValueError) as error:
            raise FarmResultError(f"AI Hub's outputs do not match their description: {error}") from error
        if dtype.kind not in "fiu":
            raise MeasurementError(f"output-shape: AI Hub gives outputs of type {dtype.name}")
        return check_outputs(artifact, values.reshape(len(values), -1))


def _work(artifact: Artifact, device: HubDevice, request: Request, iterations: int) -> HubWork:
    facts = [artifact.manifest.sha256, artifact.label, artifact.manifest.entry_point, device.name, device.os]
    facts += [str(request.accelerator), str(iterations), str(request.tag)]
    key = hashlib.sha256(json.dumps(["aihub", *facts]).encode()).hexdigest()
    return HubWork(key, artifact.label, artifact, device, request.accelerator, iterations, request.tag)


def _fitting(artifact: Artifact, device: HubDevice) -> Artifact:
    """The artefact as AI Hub takes it: of one for NPUs, the graph for the device's chip.

    Raises:
        DeviceUnsupportedError: AI Hub or the device does not take it.
    """
    manifest = artifact.manifest
    framework = _FRAMEWORKS.get(manifest.target)
    if framework is None:
        raise DeviceUnsupportedError(f"AI Hub does not run {manifest.target}")
    if framework not in device.attributes:
        raise DeviceUnsupportedError(f"{device.name} does not run {manifest.target} at AI Hub")
    if manifest.batch != 1:
        raise DeviceUnsupportedError(f"it takes {manifest.batch} photographs at once")
    if manifest.target is TargetName.ONNX_QNN:
        return for_chip(artifact, _chip(device), device.name)
    return artifact


def _chipset(device: HubDevice) -> str | None:
    """The chip by AI Hub's words, e.g. `qualcomm-snapdragon-8gen3`."""
    found = (each for each in device.attributes if each.startswith("chipset:"))
    return next((each.removeprefix("chipset:") for each in found), None)


def _chip(device: HubDevice) -> str | None:
    """The chip as artefacts name it."""
    told = {_plain(each.removeprefix(_CHIPSET)) for each in device.attributes if each.startswith(_CHIPSET)}
    return next((soc.name for soc in SOCS.values() if _plain(soc.title.removeprefix("Snapdragon ")) in told), None)


def _plain(words: str) -> str:
    return words.lower().replace(" ", "").replace("-", "")


def _version(os: str) -> tuple[int, ...]:
    """A system's version, to sort by."""
    return tuple(int(part) if part.isascii() and part.isdecimal() and len(part) < 9 else 0 for part in os.split("."))


def _model(artifact: Artifact, scratch: Path) -> Path:
    """The model's file, or a folder of its files side by side where it has several, which AI Hub takes."""
    files = artifact.manifest.model_files
    if len(files) == 1:
        return artifact.folder / files[0].path
    folder = scratch / "model"
    folder.mkdir()
    for entry in files:
        (folder / Path(entry.path).name).symlink_to((artifact.folder / entry.path).resolve())
    return folder
