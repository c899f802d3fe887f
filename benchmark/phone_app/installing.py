"""Puts the measuring app on an Android phone, where another one or none is there."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from pocketclip.benchmark.errors import (
    AbiMismatchError,
    AndroidVersionError,
    AppInstallError,
    AppSignatureError,
    BenchmarkError,
    DeviceFullError,
    TransportTimeoutError,
)
from pocketclip.benchmark.phone_app.apk import PACKAGE, Apk
from pocketclip.benchmark.phone_app.room import require_room
from pocketclip.benchmark.platforms.android.packages import Installation, parse_install, parse_package_path
from pocketclip.benchmark.platforms.android.storage import free_bytes
from pocketclip.benchmark.transport.shell import ShellTransport

OLDEST_API = 26
WORKSPACES = "/data/local/tmp"
# What Android wants to be left over, besides the file and its copy.
SPARE_BYTES = 16_000_000

_INSTALL_SECONDS = 300.0
_REMOVE = f"remove the other one with `adb uninstall {PACKAGE}` (this deletes its data) and run it again"

Say = Callable[[str], object]

# Android's words for a refusal -> the error and what to do.
_REFUSALS: dict[str, tuple[type[BenchmarkError], str]] = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": (AppSignatureError, f"it was signed with another key: {_REMOVE}"),
    "INSTALL_FAILED_SHARED_USER_INCOMPATIBLE": (AppSignatureError, f"it was signed with another key: {_REMOVE}"),
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": (DeviceFullError, "free some space there and run it again"),
    "INSTALL_FAILED_MEDIA_UNAVAILABLE": (DeviceFullError, "free some space there and run it again"),
    "INSTALL_FAILED_NO_MATCHING_ABIS": (AbiMismatchError, "build the app for the phone's processor"),
    "INSTALL_FAILED_CPU_ABI_INCOMPATIBLE": (AbiMismatchError, "build the app for the phone's processor"),
    "INSTALL_FAILED_OLDER_SDK": (AndroidVersionError, f"use a phone with Android 8 (API {OLDEST_API}) or later"),
    "INSTALL_FAILED_VERSION_DOWNGRADE": (AppInstallError, f"a newer one is installed: {_REMOVE}"),
    "INSTALL_FAILED_USER_RESTRICTED": (
        AppInstallError,
        "allow installation over USB in the phone's developer options, and confirm on its screen",
    ),
    "INSTALL_FAILED_ABORTED": (AppInstallError, "confirm on the phone's screen"),
    "INSTALL_FAILED_VERIFICATION_FAILURE": (
        AppInstallError,
        "turn off `Verify apps over USB` in the phone's developer options",
    ),
    "INSTALL_PARSE_FAILED_NO_CERTIFICATES": (AppInstallError, "sign the app: see android_app/README.md"),
}


def installed_sha256(transport: ShellTransport) -> str | None:
    """Hash of the app that is installed; None where there is none, or where it cannot be read."""
    path = parse_package_path(transport.shell(f"pm path {PACKAGE}").stdout)
    if path is None:
        return None
    words = transport.shell(f"sha256sum < {shlex.quote(path)}").stdout.split()
    return words[0] if words and len(words[0]) == 64 else None


def check_fits(apk: Apk, abis: tuple[str, ...], api_level: int | None, label: str) -> None:
    """Whether the app can run on a phone at all.

    Raises:
        AndroidVersionError: its Android is too old.
        AbiMismatchError: the app has no code for its processor.
    """
    if api_level is not None and api_level < OLDEST_API:
        raise AndroidVersionError(
            f"{label} has Android of API level {api_level}; the app needs Android 8 (API {OLDEST_API}) or later",
            fix="use another phone",
        )
    if apk.abis and abis and not set(apk.abis) & set(abis):
        raise AbiMismatchError(
            f"{apk.path.name} has code for {', '.join(apk.abis)}, {label} runs {', '.join(abis)}; "
            "build the app for the phone's processor, e.g. -Pabi=" + abis[0]
        )


def ensure_installed(transport: ShellTransport, apk: Apk, *, say: Say) -> bool:
    """Installs the app, or puts it in the place of another build; False where it is there already.

    Raises:
        AppSignatureError, AppInstallError, AbiMismatchError, AndroidVersionError: the phone refuses it.
        DeviceFullError: there is no room for it.
        TransportError: it does not arrive whole.
    """
    found = installed_sha256(transport)
    if found == apk.sha256:
        return False
    say(f"{'installing' if found is None else 'updating'} the measuring app on {transport.label}")
    require_room(transport.label, "the app", 2 * apk.size_bytes + SPARE_BYTES, free_bytes(transport, WORKSPACES))
    with transport.workspace(WORKSPACES) as folder:
        remote = f"{folder}/bench.apk"
        transport.push(apk.path, remote)
        # -r: in the place of another build; -g: with the permissions that it asks for.
        execution = transport.shell(f"pm install -r -g {shlex.quote(remote)} 2>&1", timeout_seconds=_INSTALL_SECONDS)
    if execution.exit_code is None:
        raise TransportTimeoutError(
            f"{transport.label} did not install the app within {_INSTALL_SECONDS:g} s",
            fix="check its screen for a question",
        )
    outcome = parse_install(execution.stdout)
    if not outcome.succeeded:
        raise install_error(outcome, transport.label)
    if installed_sha256(transport) != apk.sha256:
        raise AppInstallError(
            f"{transport.label} reports success, but has another app installed; "
            f"{_REMOVE.replace('the other one', 'it')}"
        )
    return True


def install_error(outcome: Installation, label: str) -> BenchmarkError:
    """The error of an installation that a phone refused."""
    kind, fix = _REFUSALS.get(outcome.code or "", (AppInstallError, "check the phone's screen"))
    words = f"{outcome.code}: {outcome.message}" if outcome.message else outcome.code
    return kind(f"{label} did not install the app ({words}); {fix}")
