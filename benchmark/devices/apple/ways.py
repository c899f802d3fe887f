"""Which of the two programs reaches iPhones here, and which of the phones that it lists is meant."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmark.devices.apple.compiled_model import compile_model
from benchmark.devices.apple.devicectl import DevicectlPhone, list_devicectl
from benchmark.devices.apple.faults import TRUST
from benchmark.devices.apple.phone import ApplePhone, ListedPhone
from benchmark.devices.apple.pymobiledevice import INSTALL, PymobilePhone, list_pymobiledevice
from benchmark.devices.table import DeviceEntry
from benchmark.errors import (
    AmbiguousDeviceError,
    DeviceNotFoundError,
    DeviceUnauthorizedError,
    MissingProgramError,
)


class WayName(StrEnum):
    """The programs that reach iPhones."""

    DEVICECTL = "devicectl"
    PYMOBILEDEVICE3 = "pymobiledevice3"


@dataclass(frozen=True)
class Way:
    """A program that reaches iPhones. `compile_model` compiles a Core ML package here, where that can be done."""

    name: WayName
    list_phones: Callable[[], list[ListedPhone]]
    open_phone: Callable[[ListedPhone, str], ApplePhone]
    compile_model: Callable[[Path, Path], Path] | None = None


_DEVICECTL = Way(WayName.DEVICECTL, list_devicectl, DevicectlPhone, compile_model)
_PYMOBILEDEVICE3 = Way(WayName.PYMOBILEDEVICE3, list_pymobiledevice, PymobilePhone)


def choose_way(wanted: str | None = None, *, platform: str = sys.platform) -> Way:
    """The program to use: the one that is wanted, else Apple's where this is a Mac that has it, else the other.

    Raises:
        MissingProgramError: it is not installed; the message says what to install.
    """
    here = {
        WayName.DEVICECTL: shutil.which("xcrun") is not None,
        WayName.PYMOBILEDEVICE3: shutil.which("pymobiledevice3") is not None,
    }
    if wanted is not None:
        name = WayName(wanted)
    elif platform == "darwin" and here[WayName.DEVICECTL]:
        name = WayName.DEVICECTL
    else:
        name = WayName.PYMOBILEDEVICE3
    if not here[name]:
        xcode = "install Xcode 15 or later" if wanted == WayName.DEVICECTL or platform == "darwin" else ""
        other = INSTALL if wanted != WayName.DEVICECTL else ""
        raise MissingProgramError(
            f"no program here reaches iPhones ({'xcrun' if name is WayName.DEVICECTL else name} is not installed); "
            + ", or ".join(filter(None, (xcode, other)))
        )
    return _DEVICECTL if name is WayName.DEVICECTL else _PYMOBILEDEVICE3


def find_phone(entry: DeviceEntry, listed: list[ListedPhone], way: WayName) -> ListedPhone:
    """The attached phone that is meant.

    Raises:
        DeviceNotFoundError, AmbiguousDeviceError: none fits, or several do.
        DeviceUnauthorizedError: it does not trust this computer.
    """
    fitting = [phone for phone in listed if fits(entry, phone)]
    there = [phone for phone in fitting if phone.connected]
    if not fitting:
        seen = ", ".join(f"{each.udid} ({each.product or 'unknown'})" for each in listed) or "none"
        raise DeviceNotFoundError(
            f"{entry.name} is not attached ({way} lists: {seen})",
            fix="plug it in and unlock it; another phone needs its name, or a table of your own: "
            f'[{entry.name}] with match = {{ udid = "..." }}',
        )
    if not there:
        raise DeviceNotFoundError(
            f"{entry.name} ({fitting[0].udid}) is known to {way} and not attached; plug it in and unlock it"
        )
    if len(there) > 1:
        numbers = ", ".join(phone.udid for phone in there)
        raise AmbiguousDeviceError(
            f"several attached devices fit {entry.name}: {numbers}; name one in your table of devices: "
            f'[{entry.name}] with match = {{ udid = "{there[0].udid}" }}'
        )
    (found,) = there
    if found.paired is False:
        raise DeviceUnauthorizedError(f"{entry.name} ({found.udid}) does not trust this computer; {TRUST}")
    return found


def fits(entry: DeviceEntry, phone: ListedPhone) -> bool:
    """Whether a phone that is listed is meant. A number is exact; it may be written without its hyphen."""
    if entry.match.udid is not None:
        return phone.udid.replace("-", "").lower() == entry.match.udid.replace("-", "").lower()
    return phone.product in entry.match.products
