"""Devices: listing and checking them, the emulated phone, and building the phones' apps."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import DeviceUnsupportedError, OptionError

if TYPE_CHECKING:
    from pocketclip.benchmark.arm64.phone import Phone
    from pocketclip.benchmark.devices.attached import Attached
    from pocketclip.benchmark.devices.finding import Finding
    from pocketclip.benchmark.devices.table import DeviceEntry

_LOG = logging.getLogger("pocketclip.benchmark")


class Platform(StrEnum):
    """The platforms that have an app."""

    ANDROID = "android"
    IOS = "ios"


@dataclass(frozen=True)
class ListedDevices:
    """Devices that are attached now, those that the device tables know, and notes on what could not be listed."""

    attached: tuple[Attached, ...]
    known: Mapping[str, DeviceEntry]
    notes: tuple[str, ...]


def list_devices(devices: str | Path | None = None) -> ListedDevices:
    """Attached and known devices.

    Args:
        devices: a device table of your own (TOML); None means `POCKETCLIP_DEVICES` or the one in your configuration.

    Raises:
        DeviceTableError: a device table cannot be read.
    """
    from pocketclip.benchmark.devices.attached import list_attached

    table = known_devices(devices)
    found, notes = list_attached(table)
    return ListedDevices(tuple(found), table, tuple(notes))


def check_device(name: str, *, app: str | Path | None = None, devices: str | Path | None = None) -> Iterator[Finding]:
    """A device's preconditions, each as soon as it has been checked: met, or with its fix.

    Args:
        name: a name from `list_devices`.
        app: the measuring app, as for `bench`.
        devices: as for `list_devices`.

    Raises:
        UnknownDeviceError: no table knows the name.
        DeviceTableError: a device table cannot be read.
    """
    from pocketclip.benchmark.devices.doctor import examine
    from pocketclip.benchmark.devices.table import find_entry

    return examine(find_entry(name, known_devices(devices)), None if app is None else Path(app))


@dataclass(frozen=True)
class EmulatedPhone:
    """The emulated Arm phone on this computer. Get one from `emulated_phone`."""

    name: str
    _phone: Phone

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self._phone.running() is not None

    @property
    def server(self) -> str:
        """The value of `ADB_SERVER_SOCKET` with which `adb` reaches it."""
        return self._phone.server

    def create(self) -> Path:
        """Creates it once, which downloads about 250 MB, and returns its root folder.

        Raises:
            EmulatorError: this computer lacks something, or a package cannot be fetched.
            StorageError: the cache cannot be written.
        """
        from pocketclip.benchmark.arm64.root import ensure_root

        return ensure_root(_say).root

    def start(self) -> None:
        """Starts it and waits until adb lists it; does nothing if it runs already. Raises `EmulatorError`."""
        self._phone.start()

    def stop(self) -> bool:
        """Stops it and everything that runs in it; False if it was not running."""
        return self._phone.stop()

    def delete(self) -> bool:
        """Stops it and deletes it from the cache; False if it did not exist."""
        return self._phone.delete()


def emulated_phone(name: str = "emulator-arm64", *, devices: str | Path | None = None) -> EmulatedPhone:
    """The emulated phone of a device's name, whether or not it has been created.

    Raises:
        UnknownDeviceError: no table knows the name.
        DeviceUnsupportedError: the device is not an emulated phone.
    """
    from pocketclip.benchmark.arm64.phone import find_phone
    from pocketclip.benchmark.devices.table import TransportName, find_entry
    from pocketclip.models.errors import choices

    table = known_devices(devices)
    if find_entry(name, table).transport is not TransportName.EMULATOR:
        emulated = [entry.name for entry in table.values() if entry.transport is TransportName.EMULATOR]
        raise DeviceUnsupportedError(
            f"{name} is not an emulated phone; you cannot create, start, stop or delete it",
            fix=f"choose from: {choices(emulated)}",
        )
    return EmulatedPhone(name, find_phone())


def build_app(platform: Platform | str, *, team: str | None = None) -> list[Path]:
    """Builds a platform's apps from the sources that come with PocketCLIP.

    Args:
        platform: `android` (needs Gradle and the Android SDK) or `ios` (needs Xcode, on a Mac).
        team: for ios, your Apple developer team, which signs the app.

    Returns:
        For android the APK of the measuring app, then that of the sample app; for ios the app that does both.

    Raises:
        OptionError: there is no such platform.
        AppMissingError, DeviceUnsupportedError: this computer lacks something; the message says what.
        AppBuildError: Gradle or xcodebuild fails.
    """
    from pocketclip.benchmark.phone_app.building import build_android, build_ios
    from pocketclip.benchmark.phone_app.sources import app_sources
    from pocketclip.models.errors import choices

    if platform not in tuple(Platform):
        raise OptionError(f"app build {platform!r} is unknown", fix=f"choose among: {choices(Platform)}")
    folder = app_sources()
    return [build_ios(folder, team)] if platform == Platform.IOS else build_android(folder, _say)


def known_devices(devices: str | Path | None) -> dict[str, DeviceEntry]:
    """The device tables by name; see `list_devices`."""
    from pocketclip.benchmark.devices.table import load_table

    return load_table(None if devices is None else Path(devices))


def _say(words: str) -> None:
    _LOG.info("%s", words)
