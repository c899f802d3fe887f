"""Carries out a benchmark plan: what is launched when, and a record for each artefact once it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pocketclip.benchmark.devices import Device
from pocketclip.benchmark.devices.device import apple_mismatch
from pocketclip.benchmark.errors import DeviceUnsupportedError, RecordError
from pocketclip.benchmark.measuring.cooldown import Patience
from pocketclip.benchmark.measuring.measurement import Measurement, refused, runtime_name
from pocketclip.benchmark.records.accelerators import NPU
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, BenchmarkRecord, DeviceKind, RunSettings
from pocketclip.benchmark.runners.agent_runner import Runner
from pocketclip.benchmark.runners.chip_artifacts import for_chip
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ManifestError
from pocketclip.export.precision import QNN_TARGETS, TargetName
from pocketclip.models.reading_child import Child

Append = Callable[[BenchmarkRecord], None]


@dataclass(frozen=True)
class BenchmarkPlan:
    """Which artefacts to measure and how; each with every one of `settings`, e.g. for several numbers of threads.

    `timeout_seconds` is that of one launch, beyond what a sustained run takes; before each launch, the device has up to
    `cooldown_seconds` to become fit. With `profile`, time by op is found in a pass of its own; `tag` names the records.
    """

    artifacts: tuple[Artifact, ...]
    settings: tuple[RunSettings, ...]
    timeout_seconds: float = 300.0
    cooldown_seconds: float = 30.0
    profile: bool = False
    tag: str | None = None


class Watch(Protocol):
    """Is told how a plan comes along."""

    def advance(self, label: str) -> None:
        """One launch is over, also one that a failure made needless; with the artefact's label."""
        ...

    def more(self, launches: int) -> None:
        """So many launches more than planned are to come."""
        ...

    def note(self, message: str) -> None:
        """Something that the user should know."""
        ...


class SilentWatch:
    """A watch that shows nothing."""

    def advance(self, label: str) -> None:
        pass

    def more(self, launches: int) -> None:
        pass

    def note(self, message: str) -> None:
        pass


def run_plan(plan: BenchmarkPlan, device: Device, *, append: Append, watch: Watch) -> list[BenchmarkRecord]:
    """Measures every artefact; each record goes to `append` the moment its last launch ends.

    Launches go round in turns, A B C, then C B A: slow drift of the machine hits all alike. An artefact that fails
    becomes a record that says why, and the others go on. What only another device can run is compared with PyTorch by
    this computer's executor on this computer, and left out on all other devices.

    Raises:
        DeviceUnsupportedError: the device can run none of the artefacts.
    """
    facts = device.facts()
    records: list[BenchmarkRecord] = []

    def finish(record: BenchmarkRecord) -> None:
        try:
            append(record)
        except RecordError as error:
            # What a device told fits no record: its artefact fails, and the plan goes on.
            record = refused(record, error)
            append(record)
        records.append(record)

    def begun(artifact: Artifact, settings: RunSettings) -> Measurement:
        return Measurement(artifact, facts, settings, plan.timeout_seconds, plan.profile, plan.tag)

    timed: list[Measurement] = []
    for_npus = any(artifact.manifest.target in QNN_TARGETS for artifact in plan.artifacts)
    first_reason = ""
    with Child() as child:
        for artifact in plan.artifacts:
            each_settings = [with_accelerator(settings, device, artifact) for settings in plan.settings]
            fitting, reason = on_device(artifact, device, plan.settings, facts.name, for_npus=for_npus)
            if reason is None:
                timed += [begun(fitting, settings) for settings in each_settings]
                continue
            if facts.kind is DeviceKind.HOST:
                finish(begun(artifact, each_settings[0]).parity_only(reason, child))
            else:
                watch.note(f"skipped, not run: {artifact.label}: {reason}")
            first_reason = first_reason or reason
            for _ in range(sum(each.launches for each in plan.settings)):
                watch.advance(artifact.label)
    if not timed and facts.kind is not DeviceKind.HOST:
        raise DeviceUnsupportedError(
            f"{facts.name} cannot run any of the {len(plan.artifacts)} artefacts ({first_reason})",
            fix="choose other artefacts or another --device",
        )

    # What needs passes of its own waits for the others' launches: a sustained run would heat the device for them.
    deferred: list[Measurement] = []
    with device.open_runner() as runner:
        try:
            for measurement in _launches_in_turns(timed, runner, device, plan, watch):
                if measurement.needs_more_passes:
                    deferred.append(measurement)
                else:
                    finish(measurement.record(runner))
            while deferred:
                finish(deferred[0].record(runner, watch.note))
                deferred.pop(0)
        except BaseException:
            # Interrupted: what was measured is kept, without what is missing.
            for measurement in deferred:
                finish(measurement.record(runner))
            raise
    return records


def _batched(artifact: Artifact) -> str | None:
    """Why the latency of an artefact is not measured that takes several photographs at once."""
    batch = artifact.manifest.batch
    return None if batch == 1 else f"it takes {batch} photographs at once, which --throughput measures"


def with_accelerator(settings: RunSettings, device: Device, artifact: Artifact) -> RunSettings:
    """The settings with what an artefact is executed with on a device, where nobody chose it."""
    if settings.accelerator != DEVICE_DEFAULT:
        return settings
    # What a program is lowered for is decided, whatever the runtime's default.
    if artifact.manifest.target is TargetName.EXECUTORCH_VULKAN:
        return replace(settings, accelerator="gpu")
    if artifact.manifest.target in QNN_TARGETS:
        return replace(settings, accelerator=NPU)
    return replace(settings, accelerator=device.default_accelerator(runtime_name(artifact)))


def _other_accelerator(artifact: Artifact, asked: Sequence[RunSettings], *, for_npus: bool) -> str | None:
    """Why an artefact is none for the accelerators asked for; None where it is."""
    accelerators = {settings.accelerator for settings in asked}
    if artifact.manifest.target in QNN_TARGETS and not accelerators <= {NPU, DEVICE_DEFAULT}:
        return f"it runs only on the NPU, and --accelerator is {', '.join(sorted(accelerators))}"
    if artifact.manifest.target not in QNN_TARGETS and for_npus and NPU in accelerators:
        return "--accelerator npu measures the artefacts that are for NPUs"
    mismatches = (apple_mismatch(artifact.manifest.target, accelerator) for accelerator in sorted(accelerators))
    return next(filter(None, mismatches), None)


def on_device(
    artifact: Artifact, device: Device, asked: Sequence[RunSettings], name: str, *, for_npus: bool
) -> tuple[Artifact, str | None]:
    """The artefact as the device takes it (of one for NPUs, the graph for its chip), and why it is not timed there.

    Args:
        artifact: of the plan's.
        device: that measures.
        asked: the plan's settings.
        name: the device's, for messages.
        for_npus: whether any of the plan's artefacts is for NPUs.
    """
    reason = (
        device.untimed_reason(artifact.manifest.target)
        or _batched(artifact)
        or _other_accelerator(artifact, asked, for_npus=for_npus)
    )
    if reason is not None or artifact.manifest.target not in QNN_TARGETS:
        return artifact, reason
    try:
        return for_chip(artifact, device.chip, name), None
    except (DeviceUnsupportedError, ManifestError) as error:
        return artifact, str(error)


def _launches_in_turns(
    measurements: Sequence[Measurement],
    runner: Runner,
    device: Device,
    plan: BenchmarkPlan,
    watch: Watch,
) -> Iterator[Measurement]:
    """Launches each in turn, every other turn in the opposite order; yields a measurement once it is done."""
    waiting, forward = list(measurements), True
    patience = Patience(device, plan.cooldown_seconds, watch.note)
    while waiting:
        for measurement in list(waiting if forward else reversed(waiting)):
            label = measurement.artifact.label
            if measurement.finished >= measurement.settings.launches:
                watch.more(1)
            patience.wait()
            measurement.launch(runner)
            watch.advance(label)
            differ = measurement.throw_differing_counts_away()
            if differ is not None:
                watch.note(f"{label}: {differ}; its counts are discarded, and it is counted again")
                watch.more(measurement.settings.launches)
            if not measurement.done:
                continue
            # Those that a failure made needless.
            for _ in range(measurement.finished + 1, measurement.settings.launches):
                watch.advance(label)
            waiting.remove(measurement)
            yield measurement
        forward = not forward
