"""Throughputs of several artefacts and numbers of threads on this computer, their launches in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.errors import MeasurementError, OptionError
from pocketclip.benchmark.measuring import throughput_launch
from pocketclip.benchmark.measuring.identity import identity_of
from pocketclip.benchmark.measuring.photo_folder import PhotoFolder
from pocketclip.benchmark.measuring.throughput_launch import Asked
from pocketclip.benchmark.records.benchmark import new_record_id, utc_now
from pocketclip.benchmark.records.throughput import PhotoSet, ThroughputLaunch, ThroughputRecord
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import Tower
from pocketclip.export.targets import load_runner
from pocketclip.models.processes import worker_pool
from pocketclip.models.progress import OnProgress, Progress
from pocketclip.models.terminal.version import tool_version


@dataclass(frozen=True)
class ThroughputPlan:
    """What is measured: each artefact at each number of threads, in `launches` processes of `seconds` each."""

    artifacts: Sequence[Artifact]
    photos: PhotoFolder
    threads: Sequence[int]
    decoders: Sequence[int]
    launches: int
    seconds: float


@dataclass
class _Setting:
    artifact: Artifact
    threads: int
    decoders: int
    launches: list[ThroughputLaunch] = field(default_factory=list)


def image_artifacts(found: Sequence[Artifact]) -> list[Artifact]:
    """The image towers among artefacts that this computer times.

    Raises:
        OptionError: there is none; the message says why.
    """
    host = HostDevice()
    images = [artifact for artifact in found if artifact.manifest.tower is Tower.IMAGE]
    untimed = {artifact.label: host.untimed_reason(artifact.manifest.target) for artifact in images}
    timed = [artifact for artifact in images if untimed[artifact.label] is None]
    if not timed:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in untimed.items()) or "no image tower is among them"
        raise OptionError(f"nothing to measure the throughput of: {reasons}", fix="give the artefact of an image tower")
    return timed


def measure(
    plan: ThroughputPlan,
    *,
    on_progress: OnProgress,
    on_records: Callable[[list[ThroughputRecord]], object],
) -> list[ThroughputRecord]:
    """A record for each artefact and setting.

    Args:
        plan: what to measure.
        on_progress: told each launch.
        on_records: given all records as far as they are, after every launch.

    Raises:
        MeasurementError: a photograph cannot be read any more.
        ArtifactError: an artefact cannot be used.
        WorkerEndedError: a launch's process was ended.
    """
    settings = [
        _Setting(artifact, threads, decoders)
        for artifact in plan.artifacts
        for threads in plan.threads
        for decoders in plan.decoders
    ]
    host = HostDevice()
    stubs = [_record(setting, plan, host) for setting in settings]
    records: list[ThroughputRecord] = []
    total = plan.launches * len(settings)
    for launch in range(plan.launches):
        for place, setting in enumerate(settings):
            done = launch * len(settings) + place
            on_progress(Progress(f"{setting.artifact.label}, {_words(setting)}", done, total))
            setting.launches.append(_launch(setting, plan, host))
            records = [
                replace(stub, launches=tuple(each.launches))
                for stub, each in zip(stubs, settings, strict=True)
                if each.launches
            ]
            on_records(records)
    on_progress(Progress("measured", total, total))
    return records


def _words(setting: _Setting) -> str:
    return f"{setting.threads} + {setting.decoders} threads"


def _record(setting: _Setting, plan: ThroughputPlan, host: HostDevice) -> ThroughputRecord:
    photos, manifest = plan.photos, setting.artifact.manifest
    return ThroughputRecord(
        artifact=identity_of(manifest),
        device=host.facts(),
        runtime=load_runner(manifest.target).executed_by(),
        photographs=PhotoSet(len(photos.paths), photos.mean_bytes, photos.mean_pixels, photos.sha256),
        threads=setting.threads,
        decoders=setting.decoders,
        launches=(),
        record_id=new_record_id(),
        created_at=utc_now(),
        tool_version=tool_version(),
    )


def _launch(setting: _Setting, plan: ThroughputPlan, host: HostDevice) -> ThroughputLaunch:
    asked = Asked(Path(setting.artifact.folder), plan.photos.paths, setting.threads, setting.decoders, plan.seconds)
    before = host.state()
    ended = f"the process that measured {setting.artifact.label} was ended from outside, or crashed"
    with worker_pool(1, ended=ended, fix="close other programs, and run it again") as pool:
        timed = pool.submit(throughput_launch.run, asked).result()
    if not timed.photos or not timed.elapsed_ns:
        raise MeasurementError(f"{setting.artifact.label} encoded no photograph within {plan.seconds:g} s")
    return ThroughputLaunch(before=before, **asdict(timed))
