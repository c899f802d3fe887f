"""Throughput: photographs a second that become embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import OptionError
from pocketclip.export.api import Artifact, folders_of
from pocketclip.models.progress import OnProgress, silent

if TYPE_CHECKING:
    from pocketclip.benchmark.records.throughput import ThroughputRecord


def bench_throughput(
    photos: str | Path,
    artifacts: Sequence[Artifact | str | Path] | Artifact | str | Path,
    *,
    threads: str | int | Sequence[str | int] = 1,
    decoders: str | int | Sequence[str | int] = 1,
    launches: int = 5,
    seconds: float = 5.0,
    out: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> list[ThroughputRecord]:
    """Measures how many photographs a second become embeddings on this computer: decoded, resized and encoded.

    Each launch is a process of its own; the launches of all artefacts and settings take turns.

    Args:
        photos: a folder of photographs; the first 256 that can be read are used.
        artifacts: artefacts of image towers, or folders of artefacts, whose image towers are measured.
        threads: threads of the runtime, one or several numbers, or `all`.
        decoders: threads that decode and resize beside it, likewise.
        launches: processes for each setting; from five on, there is an interval.
        seconds: how long each process encodes.
        out: a JSON file for the records, written after every launch; None writes none.
        on_progress: called with each launch.

    Raises:
        OptionError: a number is not allowed, the folder holds no photograph, or no image tower can be timed here.
        ArtifactNotFoundError: a path holds no artefact.
        StorageError: the file cannot be written.
    """
    import json
    import logging
    import os

    from pocketclip.benchmark.measuring.option_values import parse_threads
    from pocketclip.benchmark.measuring.photo_folder import read_photos
    from pocketclip.benchmark.measuring.throughput import ThroughputPlan, image_artifacts, measure
    from pocketclip.export.artifact.reading import find_artifacts
    from pocketclip.models import atomic, documents

    if launches < 1 or not 0 < seconds < float("inf"):
        raise OptionError(f"throughput needs launches and seconds above zero, got {launches} and {seconds:g}")
    cores = os.cpu_count() or 1
    images = image_artifacts(find_artifacts(folders_of(artifacts)))
    found = read_photos(Path(photos))
    if found.left_out:
        logging.getLogger("pocketclip.benchmark").warning("%s: %s", photos, found.left_out)

    def keep(records: list[ThroughputRecord]) -> None:
        if out is not None:
            content = [documents.to_builtin(record) for record in records]
            atomic.write_text(Path(out), json.dumps(content, indent=2, allow_nan=False) + "\n")

    plan = ThroughputPlan(
        images,
        found,
        parse_threads(threads, cores),
        parse_threads(decoders, cores, option="--decoders"),
        launches,
        seconds,
    )
    return measure(plan, on_progress=on_progress, on_records=keep)
