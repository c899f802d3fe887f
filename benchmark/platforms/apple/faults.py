"""What Apple's programs and pymobiledevice3 say when something is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.benchmark.errors import (
    AppInstallError,
    AppMissingError,
    AppSigningError,
    BenchmarkError,
    DeveloperImageError,
    DeveloperModeError,
    DeviceDisconnectedError,
    DeviceFullError,
    DeviceUnauthorizedError,
    ScreenLockedError,
    TransportError,
)
from pocketclip.benchmark.transport.shell import last_line


@dataclass(frozen=True)
class Fault:
    """Words of a program, any of them, in lower case; what they mean, and the fix."""

    words: tuple[str, ...]
    error: type[BenchmarkError]
    fix: str


UNLOCK = "unlock it, leave its screen on (Settings > Display & Brightness > Auto-Lock > Never), and run it again"
TRUST = "plug it in, unlock it, tap Trust when it asks `Trust This Computer?`, and run it again"
DEVELOPER_MODE = (
    "turn it on in Settings > Privacy & Security > Developer Mode (it shows once Xcode, or `pymobiledevice3 amfi "
    "reveal-developer-mode`, has seen the phone), let it restart, and run it again"
)
IMAGE = (
    "with Xcode: open Window > Devices and Simulators and let it prepare the phone; without: `pymobiledevice3 mounter "
    "auto-mount`, which needs the network once"
)
SIGNING = (
    "sign the app for this phone with your team (ios_app/README.md), and on the phone trust the developer in "
    "Settings > General > VPN & Device Management"
)
SPACE = "free some space there and run it again"
PLUG = "plug it in again and run it again"
INSTALL = "check the phone's screen; if the app is damaged, remove it there by hand"
BUILD = "build it with `pocketclip app build ios`, or give a package with --app or POCKETCLIP_IOS_APP"

# The most telling first: devicectl wraps every refused launch, a locked phone or an untrusted developer alike, as
# CoreDeviceError 10002, and every refused installation as 3002.
FAULTS: tuple[Fault, ...] = (
    Fault(
        (
            "explicitly trusted by the user",
            "developer app certificate is not trusted",
            "invalid code signature",
            "integrity could not be verified",
            "applicationverificationfailed",
            "valid provisioning profile",
            "embedded profile",
            "does not have a valid signature",
            "no code signature found",
            "0xe800",
        ),
        AppSigningError,
        SIGNING,
    ),
    Fault(
        (
            "could not be, unlocked",
            "bserrorcodedescription = locked",
            "for reason: locked",
            "device is locked",
            "devicelocked",
            "device is password protected",
            "unlock the device",
            "ensure that the device is unlocked",
        ),
        ScreenLockedError,
        UNLOCK,
    ),
    Fault(("developer mode is disabled", "developer mode is not enabled"), DeveloperModeError, DEVELOPER_MODE),
    Fault(
        (
            "developer disk image could not be mounted",
            "unable to find the correct developerdiskimage",
            "failed to query developerdiskimage versions",
            "failed to start service. possible reasons",
            "could not find a developerdiskimage",
        ),
        DeveloperImageError,
        IMAGE,
    ),
    Fault(
        (
            "does not trust this computer",
            "answer the trust dialog",
            "refused to trust this computer",
            "is not paired",
            "pairing record",
            "must be paired",
        ),
        DeviceUnauthorizedError,
        TRUST,
    ),
    Fault(
        (
            "no space left on device",
            "no_space_left",
            "not enough disk space",
            "not enough space",
            "not enough storage",
            "insufficientstorage",
            "insufficient storage",
        ),
        DeviceFullError,
        SPACE,
    ),
    Fault(
        ("is not installed", "no app with bundle id", "provide a valid bundle identifier"),
        AppMissingError,
        BUILD,
    ),
    Fault(
        (
            "connection was terminated abruptly",
            "closed the stream",
            "device is not connected",
            "device not found",
            "no device with the requested udid",
            "connection to this device could not be established",
            "connection interrupted",
            "connection was interrupted",
            "device disconnected",
            "device was disconnected",
            "device was not found",
            "tunnel connection failed",
            "failed to connect to service port",
        ),
        DeviceDisconnectedError,
        PLUG,
    ),
    Fault(("failed to install the app", "installing, upgrading or removing"), AppInstallError, INSTALL),
)


def fault_error(said: str, *, program: str, label: str, what: str) -> BenchmarkError | None:
    """The error that a program's words stand for; None where they are no fault that is known.

    Args:
        said: all that the program said.
        program: its name.
        label: the phone's name.
        what: what was asked for, to go behind `cannot`.
    """
    lower = said.lower()
    for fault in FAULTS:
        found = next((words for words in fault.words if words in lower), None)
        if found is not None:
            return fault.error(f"{label} cannot {what}: {program} says {telling_line(said, found)!r}", fix=fault.fix)
    return None


def refusal(said: str, *, program: str, label: str, what: str) -> BenchmarkError:
    """The error of a program that failed, known or not."""
    known = fault_error(said, program=program, label=label, what=what)
    if known is not None:
        return known
    words = f"{program} says {last_line(said)!r}" if said.strip() else f"{program} failed without a message"
    return TransportError(f"{label} cannot {what}: {words}", fix=f"run `pocketclip devices doctor {label}`")


def telling_line(said: str, words: str) -> str:
    """The line that holds these words, in any case; without what stands before a colon of ours or a log's time."""
    line = next((line for line in said.splitlines() if words in line.lower()), said)
    return " ".join(line.split())[:300]
