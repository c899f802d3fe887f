"""Which of the two programs reaches iPhones here, and which of the phones that it lists is meant."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pocketclip.benchmark.errors import (
    MissingProgramError,
)
from pocketclip.benchmark.platforms.apple.compiled_model import compile_model
from pocketclip.benchmark.platforms.apple.devicectl import DevicectlPhone, list_devicectl
from pocketclip.benchmark.platforms.apple.phone import ApplePhone, ListedPhone
from pocketclip.benchmark.platforms.apple.pymobiledevice import INSTALL, PymobilePhone, list_pymobiledevice


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
            f"no program for iPhones is available ({'xcrun' if name is WayName.DEVICECTL else name} is not installed)",
            fix=", or ".join(filter(None, (xcode, other))),
        )
    return _DEVICECTL if name is WayName.DEVICECTL else _PYMOBILEDEVICE3
