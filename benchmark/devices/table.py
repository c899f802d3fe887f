"""The table of known devices: ours (`benchmark/devices.toml`), with the user's laid over it."""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from pocketclip.benchmark.errors import DeviceTableError, UnknownDeviceError
from pocketclip.benchmark.transport.device_paths import ABSOLUTE_PATH
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import did_you_mean

BUILT_IN = Path(__file__).parents[1] / "devices.toml"
VARIABLE = "POCKETCLIP_DEVICES"

Text = Annotated[str, MinLen(1)]


class TransportName(StrEnum):
    """How a device is reached."""

    LOCAL = "local"
    EMULATOR = "emulator"
    ADB = "adb"
    SSH = "ssh"
    IOS = "ios"


@document
class Match:
    """What tells a device among those attached. A serial is exact; `*` in a model stands for anything."""

    models: tuple[Text, ...] = ()
    serial: Text | None = None
    products: tuple[Text, ...] = ()
    udid: Text | None = None
    host: Text | None = None

    def fits(self, serial: str, model: str | None) -> bool:
        """Whether a device that adb lists is meant."""
        if self.serial is not None:
            return serial == self.serial
        return model is not None and any(fnmatchcase(_plain(model), _plain(each)) for each in self.models)


@document
class CoreCluster:
    """Cores of one kind."""

    count: Annotated[int, Ge(1)]
    core: Text


@document
class DeviceEntry:
    """A known device. `environment` says whether a board's Python is to be furnished by us or has all it needs.

    `runner` is what measures on a phone: the `app`, or the Python `agent`; by default the agent where the phone's shell
    has a Python with numpy, else the app. `server` is an adb server of its own, as `ADB_SERVER_SOCKET` has it.
    `way` is the program that reaches an iPhone; by default Apple's on a Mac, else the other. Times of an `emulated` one
    mean nothing. `system` is what this computer must have to be the device, where it is reached by copying.
    """

    name: Text
    title: Text
    transport: TransportName
    match: Match = Match()
    soc: Text | None = None
    cores: tuple[CoreCluster, ...] = ()
    workspace: Annotated[str, ABSOLUTE_PATH] | None = None
    python: Text = "python3"
    environment: Literal["own", "given"] = "own"
    runner: Literal["app", "agent"] | None = None
    server: Text | None = None
    ssh: tuple[Text, ...] = ()
    way: Literal["devicectl", "pymobiledevice3"] | None = None
    emulated: bool = False
    system: Literal["macOS"] | None = None


def load_table(path: Path | None = None) -> dict[str, DeviceEntry]:
    """The known devices by name, ours first, in the order of their files.

    Args:
        path: the user's table; by default the file that `POCKETCLIP_DEVICES` names, or the one in the user's
            configuration where there is one.

    Raises:
        DeviceTableError: a file cannot be read or holds a mistake; the message names file and key.
    """
    raw = _read(BUILT_IN)
    sources = dict.fromkeys(raw, BUILT_IN)
    chosen = user_table() if path is None else path
    if chosen is not None:
        for name, changes in _read(chosen).items():
            raw[name] = {"title": name, **raw.get(name, {}), **changes}
            sources[name] = chosen
    return {name: _entry(name, values, sources[name]) for name, values in raw.items()}


def user_table() -> Path | None:
    """The user's table: what `POCKETCLIP_DEVICES` names, else the usual file where it exists."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    usual = configuration / "pocketclip" / "devices.toml"
    return usual if usual.is_file() else None


def find_entry(name: str, table: Mapping[str, DeviceEntry]) -> DeviceEntry:
    """The device of that name; `iphone15pro` finds `iphone15-pro`.

    Raises:
        UnknownDeviceError: there is none; the message lists those that exist.
    """
    if name not in table:
        alike = [known for known in table if _without_dashes(known) == _without_dashes(name)]
        if len(alike) == 1:
            return table[alike[0]]
        meant = did_you_mean(name, table)
        raise UnknownDeviceError(
            f"there is no device {name!r}",
            fix=f"{meant}`pocketclip devices` lists all; or add it to your device table, "
            "~/.config/pocketclip/devices.toml",
        )
    return table[name]


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviceTableError(f"cannot read the device table {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviceTableError(f"the device table {path} is not TOML: {error}") from error
    for name, values in content.items():
        if not isinstance(values, dict):
            raise DeviceTableError(
                f"{path}: {name} = {values!r} does not belong to a device", fix="start with a line like [my-phone]"
            )
    return content


def _entry(name: str, values: dict[str, Any], path: Path) -> DeviceEntry:
    # TOML's dates have no counterpart in JSON; no key of ours takes one.
    text = json.dumps({"name": name, **values}, default=str)
    entry = documents.parse(DeviceEntry, text, source=f"{path}: device {name!r}", error=DeviceTableError)
    wanted = {
        TransportName.ADB: ("models or serial", bool(entry.match.models or entry.match.serial)),
        TransportName.SSH: ("host", entry.match.host is not None),
        TransportName.IOS: ("products or udid", bool(entry.match.products or entry.match.udid)),
    }
    key, there = wanted.get(entry.transport, ("", True))
    if not there:
        raise DeviceTableError(
            f"{path}: device {name!r}: match needs {key} with transport {str(entry.transport)!r}; "
            f"got {dataclasses.asdict(entry.match)}"
        )
    return entry


def _without_dashes(name: str) -> str:
    return name.replace("-", "").lower()


def _plain(model: str) -> str:
    # `adb devices -l` writes `SM_S901B` and `Pixel_7`, Android itself `SM-S901B` and `Pixel 7`.
    return model.replace(" ", "_").replace("-", "_").lower()
