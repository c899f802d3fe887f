"""What an app answers besides results: facts about itself, and which models it stores. Versions are those of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.errors import AppOutdatedError
from pocketclip.benchmark.records.fields import LongText, Name, Text
from pocketclip.benchmark.runners.photo_folder import PhotoFile
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION, Failure
from pocketclip.models.documents import document
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.names import RelativePath, Sha256
from pocketclip.models.untrusted.numbers import Count, FileSize


@document
class AppFacts:
    """An app on a phone.

    `runtimes` are those that it has, with their versions; None for one that cannot be loaded there. `accelerators` is
    what each of them offers, `models` the hashes of the artefacts that are stored, `free_bytes` the room for others.
    """

    app_version: Name | None
    platform: Text
    result_version: int
    job_version: int
    runtimes: dict[Name, LongText | None]
    accelerators: dict[Name, tuple[Name, ...]]
    models: tuple[Sha256, ...]
    free_bytes: Count | None
    debuggable: bool | None


@document
class SentFile:
    """A file that was sent: its path below the folder (POSIX), size and hash."""

    path: RelativePath
    size_bytes: FileSize
    sha256: Sha256


def sent_photos(photos: Sequence[PhotoFile], folder: str) -> tuple[SentFile, ...]:
    """Where photographs are sent to: numbered, each with its suffix, so that no name of this computer travels."""
    return tuple(
        SentFile(f"{folder}/{place:04}{photo.path.suffix.lower()}", photo.size_bytes, photo.sha256)
        for place, photo in enumerate(photos)
    )


@document
class StageRequest:
    """Asks to store the files of a folder, below the folder that app and computer share, as one artefact's model."""

    artifact_sha256: Sha256
    folder: RelativePath
    files: tuple[SentFile, ...]


@document
class StageAnswer:
    """Whether all of them are stored; if not, none is."""

    staged: bool
    failure: Failure | None = None


@document
class ForgetRequest:
    """Asks to remove stored models."""

    artifact_sha256: tuple[Sha256, ...]


@document
class ForgetAnswer:
    """Which of them were there."""

    forgotten: tuple[Sha256, ...]
    failure: Failure | None = None


def check_versions(content: bytes, label: str) -> None:
    """Whether an answer is of our versions, before it is read strictly: an older one has other fields.

    Raises:
        AppOutdatedError: it is of another.
    """
    try:
        answer = json_text.loads(content)
    except json_text.JsonFault:
        return
    if not isinstance(answer, dict):
        return
    for name, ours in (("result_version", RESULT_VERSION), ("job_version", JOB_VERSION)):
        found = answer.get(name, ours)
        if found != ours:
            # The app's own build may be old though its file is new here: named by what it says itself.
            raise AppOutdatedError(
                f"the app on {label} (version {answer.get('app_version') or 'unknown'}) has {name} {found!r}, "
                f"this PocketCLIP has {ours}: build both from one version, the app with `pocketclip app build`"
            )
