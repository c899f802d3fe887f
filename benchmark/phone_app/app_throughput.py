"""Throughput by a phone's app, a process of its own for each launch; believes only what it can verify."""

from __future__ import annotations

import uuid
from dataclasses import replace

from pocketclip.benchmark.errors import AgentError, MeasurementError
from pocketclip.benchmark.phone_app.app import PhoneApp
from pocketclip.benchmark.phone_app.app_runner import check_executed, check_npu_libraries, check_offer, failure_error
from pocketclip.benchmark.phone_app.throughput_protocol import ThroughputJob
from pocketclip.benchmark.records.throughput import ThroughputLaunch
from pocketclip.benchmark.runners.chip_artifacts import placement_of
from pocketclip.benchmark.runners.photo_folder import PhotoFolder
from pocketclip.benchmark.runners.throughput_runner import (
    STEP_PHOTOS,
    WARMUP_PHOTOS,
    ThroughputRun,
    ThroughputSettings,
)
from pocketclip.export.artifact.reading import Artifact


class AppThroughput:
    """A `ThroughputRunner` for phones; see `benchmark.runners.throughput_runner`."""

    def __init__(self, app: PhoneApp) -> None:
        self._app = app

    def run(
        self,
        artifact: Artifact,
        runtime: str,
        photos: PhotoFolder,
        settings: ThroughputSettings,
        *,
        timeout_seconds: float,
    ) -> ThroughputRun:
        """One launch of one artefact.

        Raises:
            MeasurementError: the app reports a failure, has not what is asked for, or a photograph changed here.
            AgentError, TransportError: as `PhoneApp.throughput`.
        """
        check_offer(self._app.facts(), runtime, settings.accelerator, self._app.label)
        check_npu_libraries(self._app.facts(), runtime, placement_of(artifact), self._app.label)
        manifest = artifact.manifest
        if manifest.preprocess is None:
            raise MeasurementError(f"the manifest of {artifact.label} has no preprocessing", fix="export it again")
        model_path = self._app.put_model(artifact)
        sent = self._app.put_photos(photos.photos)
        job = ThroughputJob(
            job_id=str(uuid.uuid4()),
            runtime=runtime,
            model_path=model_path,
            photos=sent,
            preprocess=manifest.preprocess,
            input=manifest.inputs[0],
            threads=settings.threads,
            decoders=settings.decoders,
            seconds=settings.seconds,
            warmup_photos=WARMUP_PHOTOS,
            step_photos=STEP_PHOTOS,
            accelerator=settings.accelerator,
        )
        result = self._app.throughput(job, self._app.new_folder(), timeout_seconds=timeout_seconds + settings.seconds)
        if result.failure is not None:
            raise failure_error(result.failure, self._app.label)
        if result.throughput is None:
            raise AgentError("the app reports success without a throughput", "result-invalid")
        check_executed(runtime, settings.accelerator, result.accelerator_observed, self._app.label)
        names = {each.path: photo.name for each, photo in zip(sent, photos.photos, strict=True)}
        launch = checked(result.throughput, names, settings.seconds)
        return ThroughputRun(launch, result.runtime_version, result.accelerator_observed)


def checked(launch: ThroughputLaunch, names: dict[str, str], seconds: float) -> ThroughputLaunch:
    """A launch as the app tells it, with the photographs' own names in the place of those on the phone.

    Args:
        launch: what the app tells.
        names: of all photographs, by their paths on the phone.
        seconds: for how long it was to encode.

    Raises:
        AgentError: it cannot be true.
    """
    unreadable = [each.name for each in launch.first_unreadable]
    unknown = [name for name in unreadable if name not in names]
    fault = None
    if unknown or len(set(unreadable)) < len(unreadable):
        fault = f"names {len(unreadable)} photographs that cannot be decoded, not all of them sent, or one twice"
    elif launch.unreadable >= len(names):
        fault = f"could not decode {launch.unreadable} photographs, {len(names)} were sent"
    elif launch.elapsed_ns < seconds * 1e9:
        fault = f"encoded for {launch.elapsed_ns / 1e9:.3f} s, asked for {seconds:g}"
    if fault is not None:
        raise AgentError(f"the app says that it {fault}", "result-invalid", fix="run it again")
    named = tuple(replace(each, name=names[each.name]) for each in launch.first_unreadable)
    return replace(launch, first_unreadable=named)
