"""Devices in the store: which are drained and why, and their health over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from pocketclip.benchmark.errors import FleetError
from pocketclip.benchmark.fleet.cluster import FleetDevice
from pocketclip.benchmark.fleet.jobs import UnitKey
from pocketclip.benchmark.fleet.ledger import Ledger, storable
from pocketclip.benchmark.fleet.tables import DEVICES, HEALTH, MicrosecondsSince1970, now_us, read_rows
from pocketclip.models.errors import choices


class DrainedBy(StrEnum):
    """Who took a device out of use: the `fleet` itself, which the doctor undoes, or a `user`, who undoes it."""

    FLEET = "fleet"
    USER = "user"


@dataclass(frozen=True)
class BookedDevice:
    """A device as the store knows it; times are microseconds by the database's clock."""

    key: UnitKey
    name: str
    host: str
    words: str
    drained: DrainedBy | None
    reason: str | None
    since_us: MicrosecondsSince1970
    seen_us: MicrosecondsSince1970


@dataclass(frozen=True)
class HealthChange:
    """A device fell ill or was found well, and why."""

    key: UnitKey
    at_us: MicrosecondsSince1970
    healthy: bool
    reason: str


class DeviceBook:
    """The devices of a fleet in one store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def seen(self, devices: Iterable[FleetDevice]) -> None:
        """Notes that devices are there. Raises `StoreError`."""
        devices = list(devices)
        if not devices:
            return
        with self._ledger.writing() as connection:
            at = now_us(connection)
            known = set(connection.execute(sa.select(DEVICES.c.device_key)).scalars())
            if old := [_told(each, at) | {"key": each.key} for each in devices if each.key in known]:
                change = DEVICES.update().where(DEVICES.c.device_key == sa.bindparam("key"))
                # A parameter may not have the name of the column that it is for.
                change = change.values({name: sa.bindparam(f"to_{name}") for name in _told(devices[0], at)})
                connection.execute(
                    change,
                    [{name if name == "key" else f"to_{name}": value for name, value in row.items()} for row in old],
                )
            if new := [each for each in devices if each.key not in known]:
                rows = [_told(each, at) | {"device_key": each.key, "since_us": at} for each in new]
                connection.execute(DEVICES.insert(), rows)

    def drain(self, key: str, reason: str, by: DrainedBy) -> None:
        """Takes a device out of use. A user's word outweighs the fleet's. Raises `StoreError`."""
        with self._ledger.writing() as connection:
            at = now_us(connection)
            change = DEVICES.update().where(DEVICES.c.device_key == key)
            if by is DrainedBy.FLEET:
                change = change.where(DEVICES.c.drained.is_(None))
            changed = connection.execute(change.values(drained=by, reason=storable(reason), since_us=at)).rowcount
            if changed:
                _note(connection, key, at, False, reason)

    def resume(self, key: str, reason: str, *, also_users: bool) -> bool:
        """Takes a device into use again, one that a user drained only with `also_users`; whether it was drained.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._ledger.writing() as connection:
            at = now_us(connection)
            change = DEVICES.update().where(DEVICES.c.device_key == key, DEVICES.c.drained.is_not(None))
            if not also_users:
                change = change.where(DEVICES.c.drained == DrainedBy.FLEET)
            changed = connection.execute(change.values(drained=None, reason=None, since_us=at)).rowcount
            if changed:
                _note(connection, key, at, True, reason)
        return bool(changed)

    def examined(self, key: str, healthy: bool, reason: str) -> None:
        """Notes what a doctor found. Raises `StoreError`."""
        with self._ledger.writing() as connection:
            _note(connection, key, now_us(connection), healthy, reason)

    def devices(self) -> list[BookedDevice]:
        """All devices that were ever seen, by name. Raises `StoreError`."""
        query = sa.select(
            DEVICES.c.device_key.label("key"), *(each for each in DEVICES.c if each is not DEVICES.c.device_key)
        ).order_by(DEVICES.c.name, DEVICES.c.device_key)
        with self._ledger.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return read_rows(BookedDevice, rows, DEVICES)

    def health(self, most: int = 1000) -> list[HealthChange]:
        """The latest changes of health, the oldest first. Raises `StoreError`."""
        query = (
            sa.select(HEALTH.c.device_key.label("key"), HEALTH.c.at_us, HEALTH.c.healthy, HEALTH.c.reason)
            .order_by(HEALTH.c.sequence.desc())
            .limit(most)
        )
        with self._ledger.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return read_rows(HealthChange, reversed(rows), HEALTH)

    def now_us(self) -> int:
        """The database's clock. Raises `StoreError`."""
        with self._ledger.reading() as connection:
            return now_us(connection)


def find_device(devices: Sequence[BookedDevice], wanted: str) -> BookedDevice:
    """The device that is meant: by its key's beginning, NAME/KEY, or its name where it is the only one of it.

    Raises:
        FleetError: there is none, or several fit.
    """
    name, slash, key = wanted.partition("/")
    fitting = [
        each
        for each in devices
        if (each.name == name and each.key.startswith(key) if slash else wanted in (each.name, each.key))
    ] or [each for each in devices if not slash and len(wanted) >= 4 and each.key.startswith(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    listed = [f"{each.name}/{each.key}" for each in (fitting or devices)]
    what = f"several devices are {wanted!r}" if fitting else f"the fleet has no device {wanted!r}"
    error = FleetError(what, fix=f"choose among: {choices(listed[:20])}")
    error.exit_code = 2
    raise error


def _told(device: FleetDevice, at: int) -> dict[str, object]:
    told = {"name": device.name, "host": device.host, "words": device.words}
    return {**{name: storable(text)[:200] for name, text in told.items()}, "seen_us": at}


def _note(connection: sa.Connection, key: str, at: int, healthy: bool, reason: str) -> None:
    connection.execute(HEALTH.insert().values(device_key=key, at_us=at, healthy=healthy, reason=storable(reason)))
