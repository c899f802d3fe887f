"""Throughput on this computer: each launch a process of its own that does what `pocketclip index` does."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from pocketclip.benchmark.agent import machine
from pocketclip.benchmark.errors import DeviceUnsupportedError, MeasurementError
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.throughput import MOST_NAMED, ThroughputLaunch, UnreadablePhoto
from pocketclip.benchmark.runners.photo_folder import PhotoFile, PhotoFolder
from pocketclip.benchmark.runners.throughput_runner import (
    STEP_PHOTOS,
    WARMUP_PHOTOS,
    ThroughputRun,
    ThroughputSettings,
)
from pocketclip.export.artifact.feeding import image_input
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.encoders import embed
from pocketclip.export.gallery.indexing import decoded_ahead, in_groups
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import load_runner, open_session
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.images import load_image
from pocketclip.models.pixels.preprocess import PreprocessSpec, preprocess
from pocketclip.models.processes import worker_pool
from pocketclip.models.untrusted.printable import printable_line

_LONGEST_REASON = 300


class HostThroughput:
    """A `ThroughputRunner` of this computer."""

    def __init__(self, name: str, state: Callable[[], MachineState], accelerator_of: Callable[[str], str]) -> None:
        """`state` tells what the computer is like now, `accelerator_of` what a runtime's models are executed with."""
        self._name = name
        self._state = state
        self._accelerator_of = accelerator_of

    def run(
        self,
        artifact: Artifact,
        runtime: str,
        photos: PhotoFolder,
        settings: ThroughputSettings,
        *,
        timeout_seconds: float,
    ) -> ThroughputRun:
        """One launch; see `ThroughputRunner`.

        Raises:
            DeviceUnsupportedError: another accelerator is asked for than the runtime takes here.
            MeasurementError: no photograph can be read any more.
            WorkerEndedError: its process was ended, or took too long.
        """
        own = self._accelerator_of(runtime)
        if settings.accelerator != own:
            raise DeviceUnsupportedError(
                f"--throughput on {self._name} takes no --accelerator {settings.accelerator!r}: {runtime} has {own}"
            )
        limit = timeout_seconds + settings.seconds
        ended = f"the process that measured {artifact.label} was ended from outside, crashed, or took over {limit:g} s"
        before = self._state()
        with worker_pool(1, ended=ended, fix="close other programs, or raise --timeout, and run it again") as pool:
            timed = pool.submit(_measure, _Asked(artifact, photos.photos, settings, limit)).result()
        launch = ThroughputLaunch(before=before, after=self._state(), **vars(timed))
        return ThroughputRun(launch, load_runner(artifact.manifest.target).executed_by(), None)


@dataclass(frozen=True)
class _Asked:
    artifact: Artifact
    photos: tuple[PhotoFile, ...]
    settings: ThroughputSettings
    limit_seconds: float


@dataclass(frozen=True)
class _Timed:
    """What a process found, in the fields of `ThroughputLaunch`."""

    photos: int
    elapsed_ns: int
    decode_ns: int
    resize_ns: int
    inference_ns: int
    others_busy_cores: float | None
    stolen_share: float | None
    energy_joules: float | None
    unreadable: int
    first_unreadable: tuple[UnreadablePhoto, ...]


class _Rotation:
    """The photographs in turn, without end, those left out that could not be read; stops where none is left."""

    def __init__(self, photos: Sequence[PhotoFile]) -> None:
        self._photos = list(photos)
        self.unreadable: dict[PhotoFile, str] = {}

    def __iter__(self) -> Iterator[PhotoFile]:
        while len(self.unreadable) < len(self._photos):
            yield from (photo for photo in self._photos if photo not in self.unreadable)

    def leave_out(self, photo: PhotoFile, error: PocketClipError) -> None:
        reason = printable_line(str(error))
        if len(reason) > _LONGEST_REASON:
            reason = f"{reason[:_LONGEST_REASON]} ..."
        self.unreadable.setdefault(photo, reason)


def _measure(asked: _Asked) -> _Timed:
    """Loads the tower, times the steps of single photographs, then runs the whole pipeline.

    Raises:
        MeasurementError: no photograph can be read any more, or none was encoded.
        ArtifactError: the artefact cannot be used.
    """
    # What hangs in native code hears nothing: the process ends itself.
    overdue = threading.Timer(asked.limit_seconds, os._exit, [1])
    overdue.daemon = True
    overdue.start()
    image, settings = asked.artifact, asked.settings
    spec = image.manifest.preprocess
    if spec is None:
        raise MeasurementError(f"the manifest of {image.label} has no preprocessing", fix="export it again")
    session = open_session(image, settings.threads)
    rotation = _Rotation(asked.photos)
    try:
        decode_ns, resize_ns, inference_ns = _steps(rotation, image, session, spec)
        watch = machine.Disturbance()
        photos, elapsed_ns = _flow(rotation, image, session, spec, settings)
        disturbed = watch.finish()
    finally:
        session.close()
    named = [UnreadablePhoto(photo.name, reason) for photo, reason in rotation.unreadable.items()]
    return _Timed(
        photos=photos,
        elapsed_ns=elapsed_ns,
        decode_ns=decode_ns,
        resize_ns=resize_ns,
        inference_ns=inference_ns,
        unreadable=len(named),
        first_unreadable=tuple(named[:MOST_NAMED]),
        **disturbed,
    )


def _steps(rotation: _Rotation, image: Artifact, session: Session, spec: PreprocessSpec) -> tuple[int, int, int]:
    """Medians of decoding, resizing and the tower, in nanoseconds of one photograph."""
    found: list[tuple[int, int, int]] = []
    batch = image.manifest.batch
    for photo in rotation:
        started = time.perf_counter_ns()
        try:
            picture = load_image(photo.path)
        except PocketClipError as error:
            rotation.leave_out(photo, error)
            continue
        decoded = time.perf_counter_ns()
        pixels = preprocess(picture, spec)
        resized = time.perf_counter_ns()
        rows = np.repeat(pixels[None], batch, axis=0)
        repeated = time.perf_counter_ns()
        _encode(image, session, rows)
        found.append((decoded - started, resized - decoded, (time.perf_counter_ns() - repeated) // batch))
        if len(found) == WARMUP_PHOTOS + STEP_PHOTOS:
            decode, resize, inference = (int(median(times)) for times in zip(*found[WARMUP_PHOTOS:], strict=True))
            return decode, resize, inference
    raise _none_left(rotation)


def _flow(
    rotation: _Rotation, image: Artifact, session: Session, spec: PreprocessSpec, settings: ThroughputSettings
) -> tuple[int, int]:
    """Photographs encoded, and the nanoseconds in which they were."""
    photos = 0
    waiting: deque[PhotoFile] = deque()

    def paths() -> Iterator[Path]:
        for photo in rotation:
            waiting.append(photo)
            yield photo.path

    started = time.perf_counter_ns()
    limit_ns = int(settings.seconds * 1e9)
    batch = image.manifest.batch
    ahead = decoded_ahead(paths(), spec, settings.decoders, batch)
    try:
        for group in in_groups(ahead, batch):
            rows: list[np.ndarray] = []
            for pixels in group:
                photo = waiting.popleft()
                if isinstance(pixels, PocketClipError):
                    rotation.leave_out(photo, pixels)
                else:
                    rows.append(pixels)
            if rows:
                _encode(image, session, np.stack(rows))
                photos += len(rows)
                if (elapsed_ns := time.perf_counter_ns() - started) >= limit_ns:
                    return photos, elapsed_ns
    finally:
        ahead.close()
    raise _none_left(rotation)


def _none_left(rotation: _Rotation) -> MeasurementError:
    photo, reason = next(iter(rotation.unreadable.items()))
    return MeasurementError(
        f"none of the {len(rotation.unreadable)} photographs can be read any more (first: {photo.name}: {reason})"
    )


def _encode(image: Artifact, session: Session, rows: np.ndarray) -> None:
    embed(session, image_input(rows, image.manifest.inputs[0]))
