"""What every way to an iPhone offers: Apple's `devicectl` and `pymobiledevice3` behind one protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pocketclip.benchmark.transport.base import Execution

# The app's variable: it measures instead of showing screens.
BENCH_VARIABLE = "POCKETCLIP_BENCH"


@dataclass(frozen=True)
class ListedPhone:
    """A phone that a program lists. `identifier` is what the program's options take; None is what it does not tell.

    `connected` is false where the program knows a phone that is not there now.
    """

    udid: str
    identifier: str
    product: str | None
    name: str | None
    os: str | None
    paired: bool | None
    connected: bool


@dataclass(frozen=True)
class PhoneState:
    """What forbids to measure, as far as it is told: None where it is not."""

    paired: bool | None
    locked: bool | None
    developer_mode: bool | None
    image_mounted: bool | None
    battery_percent: int | None = None
    charging: bool | None = None


@dataclass(frozen=True)
class InstalledApp:
    """An app on a phone. `place` is its folder there, another one after each installation."""

    version: str | None
    place: str


class ApplePhone(Protocol):
    """One iPhone, by one of the programs. Paths on it are below the app's container, e.g. `Documents/job.json`.

    Every method raises `TransportError` where the phone went away or refuses, `ScreenLockedError`,
    `DeveloperModeError`, `DeveloperImageError` or `AppSigningError` where it says so; see `faults`.
    """

    @property
    def label(self) -> str:
        """The phone's name in messages."""
        ...

    @property
    def udid(self) -> str:
        """Apple's number of the phone."""
        ...

    def state(self) -> PhoneState:
        """Whether it is ready."""
        ...

    def mount_image(self) -> None:
        """Mounts the developer disk image."""
        ...

    def installed(self, bundle: str) -> InstalledApp | None:
        """The app of that bundle identifier; None where there is none."""
        ...

    def install(self, package: Path) -> None:
        """Puts an app there, in the place of an older one; its data stays."""
        ...

    def push(self, bundle: str, local: Path, remote: str) -> None:
        """Copies a file into a folder that exists."""
        ...

    def pull(self, bundle: str, remote: str, local: Path) -> None:
        """Copies a file from there."""
        ...

    def launch(self, bundle: str, *, timeout_seconds: float) -> Execution:
        """Starts the app anew, to measure, and reads what it prints until it announces its answer or ends."""
        ...

    def remove(self, bundle: str, remote: str) -> bool:
        """Removes a file or folder; False where the program has no means to."""
        ...

    def stop(self, bundle: str) -> None:
        """Ends the app; nothing where it does not run."""
        ...
