"""One launch of a throughput, in a process of its own: what `pocketclip index` does, against the clock."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from pocketclip.benchmark.errors import MeasurementError
from pocketclip.export.artifact.feeding import image_input
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.encoders import embed
from pocketclip.export.gallery.indexing import decoded_ahead, in_groups
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import open_session
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.images import load_image
from pocketclip.models.pixels.preprocess import PreprocessSpec, preprocess

# Photographs whose steps are timed one by one; the first of them warm the process up.
_STEPS_OF = 32
_WARM_UP = 4


@dataclass(frozen=True)
class Asked:
    """What a launch does: for `seconds`, photographs in turn, by so many threads."""

    artifact: Path
    photos: tuple[Path, ...]
    threads: int
    decoders: int
    seconds: float


@dataclass(frozen=True)
class Timed:
    """What it found, as `records.throughput.ThroughputLaunch`."""

    photos: int
    elapsed_ns: int
    decode_ns: int
    resize_ns: int
    inference_ns: int


def run(asked: Asked) -> Timed:
    """Loads the tower, times the steps of single photographs, then runs the whole pipeline.

    Raises:
        MeasurementError: a photograph can no longer be read.
        ArtifactError: the artefact cannot be used.
    """
    image = load_artifact(asked.artifact)
    spec = image.manifest.preprocess
    assert spec is not None, "image artefacts alone are asked for"
    session = open_session(image, asked.threads)
    try:
        steps = _steps(asked, image, session, spec)
        return _flow(asked, image, session, spec, steps)
    finally:
        session.close()


def _steps(asked: Asked, image: Artifact, session: Session, spec: PreprocessSpec) -> tuple[int, int, int]:
    """Medians of decoding, resizing and the tower, in nanoseconds of one photograph."""
    found: list[tuple[int, int, int]] = []
    batch = image.manifest.batch
    for path in itertools.islice(itertools.cycle(asked.photos), _WARM_UP + _STEPS_OF):
        started = time.perf_counter_ns()
        picture = load_image(path)
        decoded = time.perf_counter_ns()
        pixels = preprocess(picture, spec)
        resized = time.perf_counter_ns()
        rows = np.repeat(pixels[None], batch, axis=0)
        repeated = time.perf_counter_ns()
        _encode(image, session, rows)
        found.append((decoded - started, resized - decoded, (time.perf_counter_ns() - repeated) // batch))
    decode, resize, inference = (int(median(times)) for times in zip(*found[_WARM_UP:], strict=True))
    return decode, resize, inference


def _flow(asked: Asked, image: Artifact, session: Session, spec: PreprocessSpec, steps: tuple[int, int, int]) -> Timed:
    photos = 0
    started = time.perf_counter_ns()
    limit = started + int(asked.seconds * 1e9)
    batch = image.manifest.batch
    ahead = decoded_ahead(itertools.cycle(asked.photos), spec, asked.decoders, batch)
    for group in in_groups(ahead, batch):
        rows: list[np.ndarray] = []
        for pixels in group:
            if isinstance(pixels, PocketClipError):
                raise MeasurementError(f"a photograph can no longer be read: {pixels}")
            rows.append(pixels)
        _encode(image, session, np.stack(rows))
        photos += len(rows)
        if time.perf_counter_ns() >= limit:
            break
    elapsed_ns = time.perf_counter_ns() - started
    ahead.close()
    return Timed(photos, elapsed_ns, *steps)


def _encode(image: Artifact, session: Session, rows: np.ndarray) -> None:
    embed(session, image_input(rows, image.manifest.inputs[0]))
