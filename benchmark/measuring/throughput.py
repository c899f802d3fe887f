"""Throughputs of several artefacts and numbers of threads on one device, their launches in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pocketclip.benchmark.devices import Device
from pocketclip.benchmark.errors import DeviceUnsupportedError, OptionError
from pocketclip.benchmark.measuring.cooldown import Patience
from pocketclip.benchmark.measuring.identity import identity_of
from pocketclip.benchmark.measuring.measurement import failure_reason, runtime_name
from pocketclip.benchmark.measuring.plan import Watch, with_accelerator
from pocketclip.benchmark.records.benchmark import (
    DeviceFacts,
    DeviceKind,
    RunSettings,
    RuntimeFacts,
    new_record_id,
    utc_now,
)
from pocketclip.benchmark.records.throughput import ThroughputLaunch, ThroughputRecord
from pocketclip.benchmark.records.validity import gates_for, judge_throughput
from pocketclip.benchmark.runners.chip_artifacts import for_chip
from pocketclip.benchmark.runners.photo_folder import PhotoFolder
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner, ThroughputSettings
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ManifestError
from pocketclip.export.precision import QNN_TARGETS, Tower
from pocketclip.models.errors import PocketClipError
from pocketclip.models.terminal.version import tool_version


@dataclass(frozen=True)
class ThroughputPlan:
    """What is measured: each artefact with each of `settings`, in `launches` processes of `seconds` each.

    `settings` hold threads and accelerator, and `decoders` how many threads decode beside them. Before each launch, the
    device has up to `cooldown_seconds` to become fit; a launch may take `timeout_seconds` beyond what it encodes for.
    """

    artifacts: Sequence[Artifact]
    photos: PhotoFolder
    settings: Sequence[RunSettings]
    decoders: Sequence[int]
    launches: int
    seconds: float
    timeout_seconds: float = 300.0
    cooldown_seconds: float = 30.0


def image_artifacts(found: Sequence[Artifact], device: Device, watch: Watch) -> list[Artifact]:
    """The image towers among artefacts that a device times; the others are told.

    Raises:
        OptionError: there is none; the message says why.
    """
    images = [artifact for artifact in found if artifact.manifest.tower is Tower.IMAGE]
    fitting: list[Artifact] = []
    untimed: dict[str, str] = {}
    for artifact in images:
        reason = _untimed(artifact, device)
        if reason is None:
            try:
                fitting.append(_on_device(artifact, device))
            except (DeviceUnsupportedError, ManifestError) as error:
                reason = str(error)
        if reason is not None:
            untimed[artifact.label] = reason
    if len(untimed) == len(images):
        words = "; ".join(f"{label}: {reason}" for label, reason in untimed.items()) or "no image tower is among them"
        raise OptionError(f"nothing to measure the throughput of: {words}", fix="give the artefact of an image tower")
    for label, reason in untimed.items():
        watch.note(f"skipped, not run: {label}: {reason}")
    return fitting


def _on_device(artifact: Artifact, device: Device) -> Artifact:
    """The artefact as the device takes it: of one for NPUs, the graph for its chip; raises as `for_chip`."""
    if artifact.manifest.target not in QNN_TARGETS:
        return artifact
    return for_chip(artifact, device.chip, device.facts().name)


def _untimed(artifact: Artifact, device: Device) -> str | None:
    batch = artifact.manifest.batch
    if batch > 1 and device.facts().kind is not DeviceKind.HOST:
        return f"it takes {batch} photographs at once, and the apps give it one: export it without --batch"
    return device.untimed_reason(artifact.manifest.target)


def measure(
    plan: ThroughputPlan,
    device: Device,
    *,
    watch: Watch,
    on_records: Callable[[list[ThroughputRecord]], object],
) -> list[ThroughputRecord]:
    """A record for each artefact and setting. What fails becomes a record that says why, and the others go on.

    Args:
        plan: what to measure.
        device: where.
        watch: told each launch.
        on_records: given all records as far as they are, after every launch.

    Raises:
        PocketClipError: the device cannot be made ready.
    """
    facts = device.facts()
    measured = [
        _Setting(artifact, with_accelerator(settings, device, artifact), decoders, plan, facts)
        for artifact in plan.artifacts
        for settings in plan.settings
        for decoders in plan.decoders
    ]
    patience = Patience(device, plan.cooldown_seconds, watch.note)
    records: list[ThroughputRecord] = []
    with device.open_throughput() as runner:
        for _ in range(plan.launches):
            for setting in measured:
                if setting.failed is None:
                    patience.wait()
                    setting.launch(runner)
                    records = [each.record() for each in measured if each.begun]
                    on_records(records)
                watch.advance(setting.words)
    return records


@dataclass
class _Setting:
    """One artefact at one setting on its way to a record."""

    artifact: Artifact
    settings: RunSettings
    decoders: int
    plan: ThroughputPlan
    device: DeviceFacts
    launches: list[ThroughputLaunch] = field(default_factory=list[ThroughputLaunch])
    failed: str | None = None
    runtime_version: str | None = None
    accelerator_observed: str | None = None
    record_id: str = field(default_factory=new_record_id)
    created_at: str = field(default_factory=utc_now)

    @property
    def words(self) -> str:
        return f"{self.artifact.label}, {self.settings.threads} + {self.decoders} threads"

    @property
    def begun(self) -> bool:
        return bool(self.launches) or self.failed is not None

    def launch(self, runner: ThroughputRunner) -> None:
        """One launch; where it fails, `failed` says why."""
        asked = ThroughputSettings(self.settings.threads, self.decoders, self.plan.seconds, self.settings.accelerator)
        try:
            run = runner.run(
                self.artifact,
                runtime_name(self.artifact),
                self.plan.photos,
                asked,
                timeout_seconds=self.plan.timeout_seconds,
            )
        except PocketClipError as error:
            self.failed = failure_reason(error)
            return
        self.launches.append(run.launch)
        self.runtime_version, self.accelerator_observed = run.runtime_version, run.accelerator_observed

    def record(self) -> ThroughputRecord:
        """What was measured so far."""
        device = self.device
        return ThroughputRecord(
            artifact=identity_of(self.artifact.manifest),
            device=device,
            runtime=RuntimeFacts(
                runtime_name(self.artifact),
                self.runtime_version,
                self.settings.accelerator,
                self.accelerator_observed,
            ),
            photographs=self.plan.photos.content,
            threads=self.settings.threads,
            decoders=self.decoders,
            launches=tuple(self.launches),
            record_id=self.record_id,
            created_at=self.created_at,
            tool_version=tool_version(),
            reason=self.failed,
            # Of an emulated device nothing is ranked anyway.
            invalid=()
            if device.kind is DeviceKind.EMULATED
            else judge_throughput(self.launches, gates_for(device.logical_cores)),
        )
