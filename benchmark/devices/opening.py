"""From a device's name to a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.devices.attached import find_adb_device
from pocketclip.benchmark.devices.device import Device
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.devices.table import DeviceEntry, TransportName, find_entry, load_table
from pocketclip.benchmark.transport.adb import AdbDevice, AdbTransport, adb_devices
from pocketclip.benchmark.transport.ssh import SshTransport

if TYPE_CHECKING:
    from pocketclip.benchmark.devices.android_app_device import AndroidAppDevice
    from pocketclip.benchmark.devices.shell_device import ShellDevice

Say = Callable[[str], object]


def open_device(
    name: str,
    table: Mapping[str, DeviceEntry] | None = None,
    *,
    say: Say = lambda _: None,
    app: Path | None = None,
) -> Device:
    """The device of that name, found among those attached.

    Args:
        name: its name in the table.
        table: the known devices; by default `load_table()`.
        say: told in words what goes on while it is used.
        app: the measuring app's package, for phones that one measures on; by default the one that was built.

    Raises:
        UnknownDeviceError: there is none; the message lists those that exist.
        TransportError: it is not attached, or does not let us in.
    """
    entry = find_entry(name, load_table() if table is None else table)
    return _OPENERS[entry.transport](entry, say, app)


def _local(entry: DeviceEntry, say: Say, app: Path | None) -> Device:
    return local_device(entry)


def local_device(entry: DeviceEntry) -> HostDevice:
    """This computer as the device that an entry describes."""
    if entry.system is None:
        return HostDevice(entry.name)
    from pocketclip.benchmark.devices.mac_device import MacDevice

    return MacDevice(entry.name, soc=entry.soc)


def _emulated(entry: DeviceEntry, say: Say, app: Path | None) -> Device:
    from pocketclip.benchmark.arm64.phone import find_phone
    from pocketclip.benchmark.devices.emulated_device import EmulatedDevice

    return EmulatedDevice(entry, find_phone(), say=say)


def _adb(entry: DeviceEntry, say: Say, app: Path | None) -> Device:
    return open_adb_device(entry, find_adb_device(entry, adb_devices(server=entry.server)), say=say, app=app)


def open_adb_device(
    entry: DeviceEntry, found: AdbDevice, *, say: Say, app: Path | None = None
) -> AndroidAppDevice | ShellDevice:
    """The device that adb lists, with what measures there: the agent, or the app.

    Raises:
        TransportError: it does not answer.
    """
    from pocketclip.benchmark.devices.android_app_device import AndroidAppDevice
    from pocketclip.benchmark.devices.shell_device import ShellDevice

    # A device that adb reaches over the network has an address for a serial.
    address = found.serial if ":" in found.serial else None
    transport = AdbTransport(found.serial, entry.name, server=entry.server, address=address)
    by_agent = ShellDevice(entry, transport, found.serial, say=say)
    if entry.runner == "agent" or (entry.runner is None and app is None and by_agent.has_python()):
        return by_agent
    return AndroidAppDevice(entry, transport, found.serial, say=say, app=app)


def _ssh(entry: DeviceEntry, say: Say, app: Path | None) -> Device:
    from pocketclip.benchmark.devices.shell_device import ShellDevice

    host = entry.match.host or ""
    return ShellDevice(entry, SshTransport(host, entry.name, options=entry.ssh), host, say=say)


def _ios(entry: DeviceEntry, say: Say, app: Path | None) -> Device:
    from pocketclip.benchmark.devices.attached_iphones import find_phone
    from pocketclip.benchmark.devices.iphone_device import IPhoneDevice
    from pocketclip.benchmark.platforms.apple.ways import choose_way

    way = choose_way(entry.way)
    return IPhoneDevice(entry, find_phone(entry, way.list_phones(), way.name), way, say=say, app=app)


_OPENERS: dict[TransportName, Callable[[DeviceEntry, Say, Path | None], Device]] = {
    TransportName.LOCAL: _local,
    TransportName.EMULATOR: _emulated,
    TransportName.ADB: _adb,
    TransportName.SSH: _ssh,
    TransportName.IOS: _ios,
}
