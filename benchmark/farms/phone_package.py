"""What is sent to a farm's phone: the models, their inputs, and the requests of every launch, known beforehand."""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketclip.benchmark.farms.phone_script import LAUNCHES_NAME, SCRIPT_NAME, phone_script
from pocketclip.benchmark.measuring.measurement import runtime_name
from pocketclip.benchmark.phone_app.app_protocol import SentFile, StageRequest
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.runners.agent_archive import digest
from pocketclip.benchmark.runners.protocol import InputFile, Job, new_job
from pocketclip.benchmark.transport.device_paths import below, short_hash
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models import documents

# Ids of jobs are made of it and of the token: they are the same in every process that asks for them.
_JOBS = uuid.UUID("0c4c8b52-4e0e-4b3a-9a87-6f4f4b0a8a3d")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Measured:
    """One artefact with its settings, the accelerator chosen."""

    artifact: Artifact
    settings: RunSettings

    @property
    def identity(self) -> tuple[str, str, RunSettings]:
        """What tells it from the others of a package."""
        return self.artifact.manifest.sha256, self.artifact.label, self.settings


@dataclass(frozen=True)
class PlannedLaunch:
    """One start of the app: the folder of its files, the job, and the request as it is sent."""

    folder: str
    measured: Measured
    job: Job

    @property
    def request(self) -> bytes:
        """The job's bytes, whose hash the result repeats."""
        return _bytes(self.job)


@dataclass(frozen=True)
class Staging:
    """The storing of one artefact's model."""

    folder: str
    artifact: Artifact
    request: bytes


class PhonePackage:
    """All that a phone is sent under a token; the same for the same token, whoever asks."""

    def __init__(self, measured: Sequence[Measured], token: str) -> None:
        self._measured = tuple(measured)
        self.token = token

    @property
    def stagings(self) -> list[Staging]:
        """One for each artefact."""
        found = {each.artifact.manifest.sha256: each.artifact for each in self._measured}
        return [
            Staging(f"stage-{place}", artifact, _bytes(self._stage_request(artifact)))
            for place, artifact in enumerate(found.values())
        ]

    @property
    def launches(self) -> list[PlannedLaunch]:
        """In turns, every other one in the opposite order: slow drift of the phone hits all alike."""
        return [
            PlannedLaunch(f"launch-{place}", measured, self._job(measured, f"launch-{place}"))
            for place, measured in enumerate(_turns(self._measured))
        ]

    def write(self, file: Path) -> None:
        """Writes it as the zip that a farm unpacks on a phone.

        Raises:
            ArtifactCorruptError: a link is among an artefact's files.
        """
        lines: list[str] = []
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            self._add(archive, SCRIPT_NAME, phone_script().encode())
            for staging in self.stagings:
                lines.append(f"{staging.folder} stage {digest(staging.request)}")
                self._add(archive, f"requests/{staging.folder}.json", staging.request)
                self._add_artifact(archive, staging.artifact)
            for launch in self.launches:
                lines.append(f"{launch.folder} measure {digest(launch.request)}")
                self._add(archive, f"requests/{launch.folder}.json", launch.request)
            self._add(archive, LAUNCHES_NAME, "".join(f"{line}\n" for line in lines).encode())

    def _add(self, archive: zipfile.ZipFile, path: str, content: bytes) -> None:
        archive.writestr(zipfile.ZipInfo(below(self.token, path), _EPOCH), content, zipfile.ZIP_DEFLATED)

    def _add_artifact(self, archive: zipfile.ZipFile, artifact: Artifact) -> None:
        manifest = artifact.manifest
        golden = manifest.golden.inputs.file
        paths = [entry.path for entry in manifest.model_files]
        check_no_links(artifact.folder, [*paths, golden], error=ArtifactCorruptError)
        for path in paths:
            self._add(archive, f"models/{_short(artifact)}/{path}", (artifact.folder / path).read_bytes())
        self._add(archive, f"inputs/{_short(artifact)}.bin", (artifact.folder / golden).read_bytes())

    def _stage_request(self, artifact: Artifact) -> StageRequest:
        files = tuple(SentFile(each.path, each.size_bytes, each.sha256) for each in artifact.manifest.model_files)
        return StageRequest(artifact.manifest.sha256, f"{self.token}/models/{_short(artifact)}", files)

    def _job(self, measured: Measured, folder: str) -> Job:
        manifest = measured.artifact.manifest
        golden = manifest.golden.inputs
        job = new_job(
            measured.settings,
            runtime=runtime_name(measured.artifact),
            model_path=below(f"models/{manifest.sha256}", manifest.entry_point),
            inputs=InputFile(f"{self.token}/inputs/{_short(measured.artifact)}.bin", golden.dtype, golden.shape),
            outputs_path=f"{self.token}/{folder}/outputs.bin",
        )
        return replace(job, job_id=str(uuid.uuid5(_JOBS, f"{self.token}/{folder}")))


def _turns(measured: Sequence[Measured]) -> Iterator[Measured]:
    for turn in range(max((each.settings.launches for each in measured), default=0)):
        waiting = [each for each in measured if turn < each.settings.launches]
        yield from waiting if turn % 2 == 0 else reversed(waiting)


def _short(artifact: Artifact) -> str:
    return short_hash(artifact.manifest.sha256)


def _bytes(value: object) -> bytes:
    return json.dumps(documents.to_builtin(value), allow_nan=False).encode()
