"""What is sent to a farm's phone: the models, their inputs, and the requests of every launch, known beforehand."""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pocketclip.benchmark.measuring.measurement import runtime_name
from pocketclip.benchmark.phone_app.app_protocol import SentFile, StageRequest
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.runners.protocol import InputFile, Job, new_job
from pocketclip.benchmark.transport.device_paths import below, short_hash
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models import documents
from pocketclip.models.atomic import storage_errors
from pocketclip.models.untrusted.files import read_bounded

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


@dataclass(frozen=True)
class Start:
    """A start of the app: its action, and the request whose hash it is told."""

    folder: str
    action: Literal["stage", "measure"]
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

    @property
    def starts(self) -> list[Start]:
        """Every start of the app, in order."""
        stages = [Start(each.folder, "stage", each.request) for each in self.stagings]
        return stages + [Start(each.folder, "measure", each.request) for each in self.launches]

    def write(self, file: Path, more: Mapping[str, bytes]) -> None:
        """Writes it as a zip.

        Args:
            file: the zip.
            more: files beside it, by their paths in the zip, which say how it is carried out.

        Raises:
            ArtifactCorruptError: a link is among an artefact's files, or one cannot be read.
            StorageError: this computer's disk is full.
        """
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in more.items():
                self._add(archive, path, content)
            for start in self.starts:
                self._add(archive, below(self.token, f"requests/{start.folder}.json"), start.request)
            for staging in self.stagings:
                self._add_artifact(archive, staging.artifact)

    def _add(self, archive: zipfile.ZipFile, path: str, content: bytes) -> None:
        with storage_errors(Path(archive.filename or path)):
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)

    def _add_artifact(self, archive: zipfile.ZipFile, artifact: Artifact) -> None:
        manifest = artifact.manifest
        golden = manifest.golden.inputs.file
        paths = [entry.path for entry in manifest.model_files]
        check_no_links(artifact.folder, [*paths, golden], error=ArtifactCorruptError)
        for path in paths:
            place = below(self.token, f"models/{_short(artifact)}/{path}")
            self._add(archive, place, _content(artifact, path))
        place = below(self.token, f"inputs/{_short(artifact)}.bin")
        self._add(archive, place, _content(artifact, golden))

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


def _content(artifact: Artifact, path: str) -> bytes:
    most = next(entry.size_bytes for entry in artifact.manifest.files if entry.path == path)
    return read_bounded(artifact.folder / path, most, error=ArtifactCorruptError)


def _short(artifact: Artifact) -> str:
    return short_hash(artifact.manifest.sha256)


def _bytes(value: object) -> bytes:
    return json.dumps(documents.to_builtin(value), allow_nan=False).encode()
