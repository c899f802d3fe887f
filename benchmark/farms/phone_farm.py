"""What farms share whose phones run our measuring app: which artefacts fit, how long it takes, and the records."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pocketclip.benchmark.devices.device import Device
from pocketclip.benchmark.devices.table import TransportName, load_table
from pocketclip.benchmark.errors import DeviceUnsupportedError, OptionError
from pocketclip.benchmark.farms.farm import FarmName, Request, Submitted, Work
from pocketclip.benchmark.farms.phone_package import Measured, PhonePackage
from pocketclip.benchmark.farms.phone_results import CollectedRunner, FarmPhone, PhoneFiles
from pocketclip.benchmark.measuring.measurement import Measurement
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, on_device, run_plan, with_accelerator
from pocketclip.benchmark.phone_app.apk import Apk
from pocketclip.benchmark.records.benchmark import (
    BenchmarkRecord,
    DeviceFacts,
    DeviceKind,
    RunSettings,
)
from pocketclip.benchmark.runners.chip_artifacts import for_chip
from pocketclip.benchmark.store.codec import decode, encode
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.npu.socs import chip_name
from pocketclip.export.precision import QNN_TARGETS
from pocketclip.models.untrusted.printable import printable_line

# One launch beside its steady inferences.
_LAUNCH_SECONDS = 60.0
# Before each launch, at most: the app itself refuses to measure on a hot phone.
_MOST_REST_S = 10.0


@dataclass(frozen=True)
class Planned:
    """What a farm's phones carry out: every artefact with every setting, and how long it takes at most."""

    artifacts: tuple[Artifact, ...]
    settings: tuple[RunSettings, ...]
    minutes: int
    timeout_seconds: float
    rest_seconds: int
    tag: str | None

    @property
    def limit_seconds(self) -> int:
        """What a launch may take."""
        return math.ceil(self.timeout_seconds)


@dataclass(frozen=True)
class PhoneWork(Work):
    """One run on one or several phones. `device` names them where none is known, `chip` is the one that all have."""

    farm: FarmName
    device: str
    chip: str | None
    planned: Planned
    app: Apk

    def package(self, token: str) -> PhonePackage:
        """What its phones are sent."""
        phone = FarmPhone(unknown_phone(self.farm, self.device), chip=self.chip)
        return PhonePackage(
            [
                Measured(_on_chip(artifact, phone), with_accelerator(settings, phone, artifact))
                for artifact in self.planned.artifacts
                for settings in self.planned.settings
            ],
            token,
        )


def plan_launches(request: Request, name: str, chip: str | None, *, around_minutes: int, most_minutes: int) -> Planned:
    """What of a request a farm's phones carry out; artefacts that they do not measure are told.

    Args:
        request: what shall be measured.
        name: of the farm, for messages.
        chip: that its phones have; None where it is not known.
        around_minutes: beside the launches.
        most_minutes: after which the farm ends a run.

    Raises:
        DeviceUnsupportedError: they measure none of the artefacts, or a setting makes no sense there.
        OptionError: it would take too long.
    """
    phone = FarmPhone(DeviceFacts(name, DeviceKind.FARM, "unknown", "unknown", "unknown", (), 1, None), chip=chip)
    settings = tuple(phone.settings(each) for each in request.settings)
    artifacts = _fitting(request, settings, phone)
    rest = math.ceil(min(request.cooldown_seconds, _MOST_REST_S))
    each_artifact = sum(each.launches * (_LAUNCH_SECONDS + each.minimum_seconds + rest) for each in settings)
    minutes = around_minutes + math.ceil(len(artifacts) * each_artifact / 60)
    if minutes > most_minutes:
        raise OptionError(
            f"the launches would take {minutes} minutes, and {name} ends a run after {most_minutes}",
            fix="give fewer artefacts, --launches or --min-seconds at a time",
        )
    return Planned(artifacts, settings, minutes, request.timeout_seconds, rest, request.tag)


def work_key(farm: FarmName, planned: Planned, app: Apk, *place: str) -> str:
    """The hash of all that makes a work; `place` is where at the farm."""
    facts = [each.manifest.sha256 + each.label for each in planned.artifacts]
    facts += [repr(each) for each in planned.settings]
    facts += [*place, app.sha256, str(planned.tag), str(planned.timeout_seconds), str(planned.rest_seconds)]
    return hashlib.sha256(json.dumps([str(farm), *facts]).encode()).hexdigest()


def known_chip(model: str) -> str | None:
    """The chip of a phone's model, as graphs for NPUs are made for it, by our table of devices."""
    phones = (each for each in load_table().values() if each.transport is TransportName.ADB)
    fit = next((each for each in phones if each.match.serial is None and each.match.fits("", model)), None)
    return None if fit is None else chip_name(None, fit.name)


def device_name(farm: FarmName, name: str) -> str:
    """With the farm before it: no phone at hand has such a name, so that none is compared with it."""
    return printable_line(f"{farm}:{name}")[:200]


def unknown_phone(farm: FarmName, name: str) -> DeviceFacts:
    """A phone that told nothing of itself."""
    return DeviceFacts(device_name(farm, name), DeviceKind.FARM, "unknown", "unknown", "unknown", (), 1, None)


def measured_records(work: PhoneWork, submitted: Submitted, name: str, files: PhoneFiles) -> list[BenchmarkRecord]:
    """The records of one phone, by what it brought back; `name` is the farm's for it."""
    runner = CollectedRunner(files, work.package(submitted.token), work.app.sha256)
    asked = work.planned
    plan = BenchmarkPlan(asked.artifacts, asked.settings, asked.timeout_seconds, cooldown_seconds=0.0, tag=asked.tag)
    # What a phone says of itself may be anything; what it measured counts all the same.
    facts = files.facts(device_name(work.farm, name)) or unknown_phone(work.farm, name)
    return run_plan(plan, FarmPhone(facts, runner, work.chip), append=_check, watch=SilentWatch())


def failed_records(work: PhoneWork, name: str, reason: str) -> list[BenchmarkRecord]:
    """The records of one phone that measured nothing, for a reason that begins with a code."""
    device = unknown_phone(work.farm, name)
    phone = FarmPhone(device, chip=work.chip)
    runner = CollectedRunner(PhoneFiles({}, device.name), PhonePackage((), ""), work.app.sha256)
    return [
        Measurement(
            _on_chip(artifact, phone),
            device,
            with_accelerator(settings, phone, artifact),
            work.planned.timeout_seconds,
            tag=work.planned.tag,
            failed=printable_line(reason)[:4000],
        ).record(runner)
        for artifact in work.planned.artifacts
        for settings in work.planned.settings
    ]


def stamped(records: Sequence[BenchmarkRecord], submitted: Submitted) -> list[BenchmarkRecord]:
    """The records with ids and a time that are the same whenever they are made."""
    return [
        replace(record, record_id=submitted.record_id(place), created_at=submitted.submitted_at)
        for place, record in enumerate(records)
    ]


def _fitting(request: Request, settings: Sequence[RunSettings], phone: FarmPhone) -> tuple[Artifact, ...]:
    found: list[Artifact] = []
    reasons: list[str] = []
    name = phone.described.name
    for_npus = any(each.manifest.target in QNN_TARGETS for each in request.artifacts)
    for artifact in request.artifacts:
        _, reason = on_device(artifact, phone, settings, name, for_npus=for_npus)
        if reason is None:
            found.append(artifact)
        else:
            request.say(f"skipped, not run: {artifact.label}: {reason}")
            reasons.append(reason)
    if not found:
        why = next(iter(reasons), "there is none")
        raise DeviceUnsupportedError(
            f"{name} can measure none of the {len(request.artifacts)} artefacts ({why})",
            fix="choose other artefacts",
        )
    return tuple(found)


def _on_chip(artifact: Artifact, phone: Device) -> Artifact:
    if artifact.manifest.target not in QNN_TARGETS:
        return artifact
    return for_chip(artifact, phone.chip, phone.facts().name)


def _check(record: BenchmarkRecord) -> None:
    """As a store would, whose `RecordError` fails only that artefact."""
    decode(encode(record))
