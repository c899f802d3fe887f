"""Which of the known devices are attached now."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from pocketclip.benchmark.arm64.phone import find_phone
from pocketclip.benchmark.devices.matching import only_one
from pocketclip.benchmark.devices.table import DeviceEntry, TransportName
from pocketclip.benchmark.errors import (
    BenchmarkError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    MissingProgramError,
)
from pocketclip.benchmark.transport.adb import AdbDevice, adb_devices

READY = "device"


@dataclass(frozen=True)
class Attached:
    """A device that is there, known (`name`) or not. `state` is in words."""

    name: str | None
    transport: TransportName
    identity: str
    state: str


def find_adb_device(entry: DeviceEntry, listed: list[AdbDevice]) -> AdbDevice:
    """The attached device that is meant.

    Raises:
        DeviceNotFoundError, AmbiguousDeviceError: none fits, or several do.
        DeviceUnauthorizedError, DeviceOfflineError: it is there and cannot be used.
    """
    fitting = [device for device in listed if entry.match.fits(device.serial, device.model)]
    # Adb tells no model of a device that does not let us in: one such device may be the one that is meant.
    silent = [device for device in listed if device.state != READY]
    if not fitting and entry.match.serial is None and len(silent) == 1:
        fitting = silent
    if not fitting:
        seen = ", ".join(f"{each.serial} ({each.model or each.state})" for each in listed) or "none"
        raise DeviceNotFoundError(
            f"{entry.name} is not attached (adb lists: {seen})", fix="plug it in, unlock it and turn USB debugging on"
        )
    found = only_one(entry.name, fitting, "serial", lambda device: device.serial)
    if found.state in ("unauthorized", "authorizing", "no permissions"):
        raise DeviceUnauthorizedError(
            f"{entry.name} ({found.serial}) refuses the connection: adb says {found.state!r}",
            fix=(
                "give your user access to it (udev rules, group plugdev)"
                if found.state == "no permissions"
                else "unlock it and allow USB debugging for this computer"
            ),
        )
    if found.state != READY:
        raise DeviceOfflineError(
            f"{entry.name} ({found.serial}) does not answer: adb says {found.state!r}",
            fix="unplug it and plug it in again, or run `adb reconnect`",
        )
    return found


def list_attached(table: Mapping[str, DeviceEntry]) -> tuple[list[Attached], list[str]]:
    """What is attached, known or not, and in words what could not be asked for."""
    found: list[Attached] = []
    notes: list[str] = []
    for entry in table.values():
        if entry.transport is TransportName.LOCAL:
            if entry.system == "macOS" and sys.platform != "darwin":
                continue
            found.append(Attached(entry.name, entry.transport, "this computer", "ready"))
        elif entry.transport is TransportName.EMULATOR:
            found.append(Attached(entry.name, entry.transport, "emulated", _emulator_state()))
        elif entry.transport is TransportName.SSH:
            found.append(Attached(entry.name, entry.transport, entry.match.host or "", "configured"))
    try:
        for device in adb_devices():
            found.append(Attached(_name_of(device, table, None), TransportName.ADB, device.serial, _worded(device)))
    except MissingProgramError as error:
        notes.append(f"cannot list phones: {error}")
    except BenchmarkError as error:
        notes.append(str(error))
    for server in dict.fromkeys(entry.server for entry in table.values() if entry.server is not None):
        # One that has ended has no devices.
        with contextlib.suppress(BenchmarkError):
            for device in adb_devices(server=server):
                name = _name_of(device, table, server)
                found.append(Attached(name, TransportName.ADB, device.serial, _worded(device)))
    _add_iphones(table, found, notes)
    return found, notes


def _add_iphones(table: Mapping[str, DeviceEntry], found: list[Attached], notes: list[str]) -> None:
    from pocketclip.benchmark.devices.attached_iphones import fits
    from pocketclip.benchmark.platforms.apple.ways import choose_way

    known = [entry for entry in table.values() if entry.transport is TransportName.IOS]
    try:
        for phone in choose_way().list_phones():
            name = next((entry.name for entry in known if fits(entry, phone)), None)
            state = "does not trust this computer" if phone.paired is False else "ready"
            words = ", ".join(filter(None, (state if phone.connected else "not connected", phone.product, phone.os)))
            found.append(Attached(name, TransportName.IOS, phone.udid, words))
    except MissingProgramError:
        # Not everyone has iPhones: who asks for one is told what to install.
        pass
    except BenchmarkError as error:
        notes.append(str(error))


def _emulator_state() -> str:
    phone = find_phone()
    if not phone.created:
        return "not created"
    return "running" if phone.running() is not None else "created, not running"


def _name_of(device: AdbDevice, table: Mapping[str, DeviceEntry], server: str | None) -> str | None:
    for entry in table.values():
        if (
            entry.transport is TransportName.ADB
            and entry.server == server
            and entry.match.fits(device.serial, device.model)
        ):
            return entry.name
    return None


def _worded(device: AdbDevice) -> str:
    state = "ready" if device.state == READY else device.state
    return f"{state}, {device.model}" if device.model else state
