"""The cost of a trial from the records of its two towers, and whose fault it is where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pocketclip.benchmark.errors import (
    AbiMismatchError,
    AndroidVersionError,
    AppInstallError,
    AppMissingError,
    AppSignatureError,
    AppSigningError,
    BenchmarkError,
    DeviceUnfitError,
    MeasurementError,
    ScreenLockedError,
    TransportError,
)
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.statistics.summaries import (
    REPEATABLE_SHARE,
    launch_medians,
    median_instructions,
    sum_interval,
    summarize_latency,
)
from pocketclip.benchmark.tune.trials import Cost

# Beside their subclasses, these codes of apps have no class whose own they are.
_OF_DEVICES = (
    TransportError,
    ScreenLockedError,
    AppMissingError,
    AppSignatureError,
    AppInstallError,
    AbiMismatchError,
    AndroidVersionError,
    AppSigningError,
)
_APP_CODES = ("app-incomplete", "app-outdated")


@dataclass(frozen=True)
class TowersCost:
    """One image and one text: nanoseconds or instructions, with a 95 % interval."""

    value: float
    low: float
    high: float


def status_of(cost: Cost) -> Status:
    """The status of records that hold such a cost."""
    return Status.MEASURED if cost is Cost.LATENCY else Status.COUNTED


def cost_of(records: Sequence[BenchmarkRecord], cost: Cost, *, allow_invalid: bool) -> TowersCost:
    """The cost of both towers together.

    Args:
        records: of the two towers.
        cost: what it is in.
        allow_invalid: whether records count that were measured under unfit conditions.

    Raises:
        DeviceUnfitError: the device failed, or was unfit: the trial can be measured later.
        MeasurementError: an artefact could not be measured: the trial fails.
    """
    for record in records:
        if record.status is not status_of(cost):
            why = record.reason or f"not {status_of(cost)}"
            if why.partition(":")[0] in device_codes():
                raise DeviceUnfitError(
                    f"{record.device.name} cannot measure: {why}",
                    fix="once the device is ready, the same command goes on",
                )
            raise MeasurementError(f"{record.artifact.tower}: {record.status}: {why}")
        if record.invalid and not allow_invalid:
            first = record.invalid[0]
            raise DeviceUnfitError(
                f"{record.device.name} was unfit to measure: {first.code}: {first.reason}",
                fix=f"{first.fix}, and run the same command again; or accept such figures with --allow-invalid",
            )
    if cost is Cost.INSTRUCTIONS:
        total = sum(median_instructions(each.instructions) for each in records if each.instructions is not None)
        return TowersCost(total, total * (1 - REPEATABLE_SHARE), total * (1 + REPEATABLE_SHARE))
    total = sum(summarize_latency(record.launches).launch_median_ns for record in records)
    low, high = sum_interval([launch_medians(record.launches) for record in records])
    return TowersCost(total, min(low, total), max(high, total))


def device_codes() -> frozenset[str]:
    """The codes by which records say that a device failed, not an artefact: it is gone, full, locked, not set up."""
    found: set[str] = set(_APP_CODES)
    waiting: list[type[BenchmarkError]] = [*_OF_DEVICES]
    while waiting:
        kind = waiting.pop()
        found.add(kind.code)
        waiting += kind.__subclasses__()
    return frozenset(found)
