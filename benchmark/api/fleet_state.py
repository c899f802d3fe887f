"""What a store tells of a fleet, and taking its devices out of use and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.default_store import DEFAULT_STORE

if TYPE_CHECKING:
    from pocketclip.benchmark.fleet.device_book import BookedDevice, HealthChange
    from pocketclip.benchmark.fleet.history import RunStatus
    from pocketclip.benchmark.fleet.ledger import Ledger
    from pocketclip.benchmark.report.fleet_section import ToldFleet
    from pocketclip.benchmark.statistics.units import ModelVariation

_LATELY_US = 60_000_000


@dataclass(frozen=True)
class QueueStatus:
    """A run as it is now. `left_seconds` is about how long it takes yet; None where nobody can tell."""

    run: RunStatus
    left_seconds: float | None


@dataclass(frozen=True)
class FleetStatus:
    """All that a store knows of a fleet; times are microseconds since 1970 by its clock, `now_us` the present.

    `jobs_done` are by device; `variation` compares units of one model by the store's records.
    """

    now_us: int
    devices: tuple[BookedDevice, ...]
    queues: tuple[QueueStatus, ...]
    health: tuple[HealthChange, ...]
    heads: tuple[str, ...]
    jobs_done: Mapping[str, int]
    variation: tuple[ModelVariation, ...] = ()

    def state_of(self, device: BookedDevice) -> str:
        """`in use`, `drained`, or `not seen lately` where no head has heard of it for a minute."""
        if device.drained is not None:
            return "drained"
        return "in use" if self.now_us - device.seen_us < _LATELY_US else "not seen lately"


def fleet_status(store: str | Path = DEFAULT_STORE, *, compare_units: bool = False) -> FleetStatus:
    """Devices, queues and health of a fleet, only from its store.

    Args:
        store: a file or an SQLAlchemy URL.
        compare_units: whether to compare units of one model, for which all benchmark records are read.

    Raises:
        StoreError: the store cannot be read, or no fleet has worked with it.
    """
    from pocketclip.benchmark.fleet.device_book import DeviceBook
    from pocketclip.benchmark.fleet.history import done_by_device, latest_runs
    from pocketclip.benchmark.fleet.ledger import LOST_SECONDS, open_ledger
    from pocketclip.benchmark.statistics.units import variation_of_units
    from pocketclip.benchmark.store import open_store

    with open_ledger(str(store), create=False) as ledger:
        book = DeviceBook(ledger)
        devices, now = book.devices(), book.now_us()
        queues = [QueueStatus(run, _left(ledger, run, devices, now)) for run in latest_runs(ledger)]
        heads = [each.words for each, seconds in ledger.heads() if seconds < LOST_SECONDS]
        done = done_by_device(ledger)
        health = tuple(book.health())
    variation: tuple[ModelVariation, ...] = ()
    if compare_units:
        with open_store(str(store), create=False) as records:
            variation = tuple(variation_of_units(records.each_benchmark()))
    return FleetStatus(now, tuple(devices), tuple(queues), health, tuple(heads), done, variation)


def drain_device(device: str, reason: str, *, store: str | Path = DEFAULT_STORE) -> str:
    """Takes a device out of use until `resume_device`; its name and key. What it measures just now is finished.

    Raises:
        FleetError: the fleet has no such device, or several.
        StoreError: the store cannot be written.
    """
    from pocketclip.benchmark.fleet.device_book import DeviceBook, DrainedBy, find_device
    from pocketclip.benchmark.fleet.ledger import open_ledger

    with open_ledger(str(store), create=False) as ledger:
        book = DeviceBook(ledger)
        found = find_device(book.devices(), device)
        book.drain(found.key, reason, DrainedBy.USER)
    return f"{found.name}/{found.key}"


def resume_device(device: str, *, store: str | Path = DEFAULT_STORE) -> tuple[str, bool]:
    """Takes a device into use again: its name and key, and whether it was drained. Raises as `drain_device`."""
    from pocketclip.benchmark.fleet.device_book import DeviceBook, find_device
    from pocketclip.benchmark.fleet.ledger import open_ledger

    with open_ledger(str(store), create=False) as ledger:
        book = DeviceBook(ledger)
        found = find_device(book.devices(), device)
        changed = book.resume(found.key, "resumed by hand", also_users=True)
    return f"{found.name}/{found.key}", changed


def told_fleet(store: str | Path) -> ToldFleet | None:
    """What a report says of a fleet; None where none has worked with the store.

    Raises:
        StoreError: the store cannot be read.
    """
    from pocketclip.benchmark.fleet.history import has_fleet
    from pocketclip.benchmark.fleet.jobs import JobState
    from pocketclip.benchmark.fleet.timing import worded_seconds
    from pocketclip.benchmark.report.fleet_section import ToldDevice, ToldFleet, ToldHealth, ToldQueue

    if not has_fleet(str(store)):
        return None
    status = fleet_status(store)
    names = {each.key: f"{each.name}/{each.key[:8]}" for each in status.devices}
    return ToldFleet(
        tuple(
            ToldDevice(
                each.name,
                each.key,
                each.host,
                status.state_of(each),
                each.reason or "",
                each.since_us / 1e6,
                status.jobs_done.get(each.key, 0),
            )
            for each in status.devices
        ),
        tuple(
            ToldQueue(
                each.run.name,
                each.run.number,
                each.run.begun_us / 1e6,
                None if each.run.ended_us is None else each.run.ended_us / 1e6,
                each.run.counts[JobState.WAITING],
                each.run.counts[JobState.RUNNING],
                each.run.counts[JobState.DONE],
                each.run.counts[JobState.FAILED],
                ""
                if each.run.ended_us is not None
                else "unknown"
                if each.left_seconds is None
                else f"about {worded_seconds(each.left_seconds)}",
            )
            for each in status.queues
        ),
        tuple(
            ToldHealth(each.at_us / 1e6, names.get(each.key, each.key[:8]), each.healthy, each.reason)
            for each in status.health
        ),
    )


def _left(ledger: Ledger, run: RunStatus, devices: Sequence[BookedDevice], now_us: int) -> float | None:
    from collections import Counter

    from pocketclip.benchmark.fleet.estimate import Estimate
    from pocketclip.benchmark.fleet.history import durations

    useful = [each for each in devices if each.drained is None and now_us - each.seen_us < _LATELY_US]
    units = Counter(each.name for each in useful) + Counter(each.key for each in useful)
    return (
        None if run.ended_us is not None else Estimate(durations(ledger, run.run_id)).left_seconds(run.waiting, units)
    )
