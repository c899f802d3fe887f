"""An iPhone by `pymobiledevice3` (Linux, Windows, macOS), a program of its own: it is GPL, and not imported."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.errors import BenchmarkError, DeviceNotFoundError, MissingProgramError, TransportTimeoutError
from pocketclip.benchmark.platforms.apple.announced import is_ending
from pocketclip.benchmark.platforms.apple.faults import fault_error, refusal
from pocketclip.benchmark.platforms.apple.phone import BENCH_VARIABLE, InstalledApp, ListedPhone, PhoneState
from pocketclip.benchmark.platforms.apple.pymobiledevice_output import (
    last_error,
    parse_app,
    parse_battery,
    parse_devices,
    parse_json,
    parse_locked,
    plain,
)
from pocketclip.benchmark.platforms.apple.watched import run_watched
from pocketclip.benchmark.transport.base import Execution

PROGRAM = "pymobiledevice3"
INSTALL = "install it with `pipx install pymobiledevice3` (Linux also needs usbmuxd: apt-get install usbmuxd)"

_SHORT_SECONDS = 60.0
_INSTALL_SECONDS = 300.0
_MOUNT_SECONDS = 180.0
_TRANSFER_SECONDS = 300.0


class PymobilePhone:
    """An `ApplePhone`."""

    def __init__(self, found: ListedPhone, label: str) -> None:
        """`label` names the phone in messages."""
        self.label = label
        self.udid = found.udid

    def state(self) -> PhoneState:
        # The first command that wants a paired phone asks it to pair: its refusal is an error of its own.
        locked = parse_locked(self._ask(["lockdown", "info"], "say what it is"))
        mode = parse_json(self._ask(["amfi", "developer-mode-status"], "say whether its developer mode is on"))
        mounted: bool | None = None
        if not locked:
            mounted = bool(parse_json(self._ask(["mounter", "list"], "list its images")))
        percent, charging = parse_battery(self._ask(["diagnostics", "battery", "single"], "tell its charge"))
        return PhoneState(True, locked, mode if isinstance(mode, bool) else None, mounted, percent, charging)

    def mount_image(self) -> None:
        self._ask(["mounter", "auto-mount"], "mount its developer disk image", _MOUNT_SECONDS)

    def installed(self, bundle: str) -> InstalledApp | None:
        return parse_app(self._ask(["apps", "query", bundle], "list its apps"), bundle)

    def install(self, package: Path) -> None:
        self._ask(["apps", "install", str(package)], "install the app", _INSTALL_SECONDS)

    def push(self, bundle: str, local: Path, remote: str) -> None:
        self._ask(
            ["apps", "push", bundle, str(local), f"/{remote}", "--documents"], f"take {remote}", _TRANSFER_SECONDS
        )

    def pull(self, bundle: str, remote: str, local: Path) -> None:
        self._ask(
            ["apps", "pull", bundle, f"/{remote}", str(local), "--documents"],
            f"give {remote}",
            _TRANSFER_SECONDS,
            local,
        )

    def launch(self, bundle: str, *, timeout_seconds: float) -> Execution:
        # Its stream goes on after the app's end: the lines say when there is nothing more to come.
        command = ["developer", "dvt", "launch", bundle, "--kill-existing", "--env", f"{BENCH_VARIABLE}=1", "--stream"]
        ended = _run([*command, "--udid", self.udid], timeout_seconds)
        said = plain(ended.stderr)
        if not any(is_ending(line) for line in (*said.splitlines(), *ended.stdout.splitlines())):
            known = fault_error(last_error(said), program=PROGRAM, label=self.label, what="start the app")
            if known is not None and ended.exit_code is not None:
                raise known
        return Execution(ended.exit_code, ended.stdout, said)

    def remove(self, bundle: str, remote: str) -> bool:
        try:
            self._ask(["apps", "rm", bundle, f"/{remote}", "--documents"], f"remove {remote}")
        except DeviceNotFoundError:
            raise
        except BenchmarkError as error:
            if "OBJECT_NOT_FOUND" not in str(error):
                raise
        return True

    def stop(self, bundle: str) -> None:
        self._ask(["developer", "dvt", "pkill", "--bundle", bundle], "end the app")

    def _ask(
        self,
        arguments: Sequence[str],
        what: str,
        timeout_seconds: float = _SHORT_SECONDS,
        writes: Path | None = None,
    ) -> str:
        ended = _run([*arguments, "--udid", self.udid], timeout_seconds, writes)
        if ended.exit_code is None:
            raise TransportTimeoutError(
                f"{self.label} did not {what} within {timeout_seconds:g} s",
                fix="unplug it, plug it in again, and run it again",
            )
        if ended.exit_code:
            raise refusal(last_error(ended.stderr), program=PROGRAM, label=self.label, what=what)
        return ended.stdout


def list_pymobiledevice() -> list[ListedPhone]:
    """The iPhones that are attached.

    Raises:
        MissingProgramError: pymobiledevice3 is not installed, or usbmuxd does not run.
        TransportError: it does not list them.
    """
    ended = _run(["usbmux", "list"], _SHORT_SECONDS)
    if ended.exit_code != 0:
        said = last_error(ended.stderr)
        if "failed to connect to usbmuxd" in said.lower():
            raise MissingProgramError(
                f"{PROGRAM} needs usbmuxd, which is not running", fix="apt-get install usbmuxd, or start it"
            )
        raise refusal(said, program=PROGRAM, label="this computer", what="list its phones")
    return parse_devices(ended.stdout)


def _run(arguments: Sequence[str], timeout_seconds: float, writes: Path | None = None) -> Execution:
    if shutil.which(PROGRAM) is None:
        raise MissingProgramError(f"this needs the program {PROGRAM}, which is not installed", fix=INSTALL)
    environment = {name: value for name, value in os.environ.items() if name != "PYMOBILEDEVICE3_UDID"}
    return run_watched(
        [PROGRAM, "--no-color", *arguments],
        timeout_seconds=timeout_seconds,
        environment=environment | {"NO_COLOR": "1"},
        enough=lambda line: is_ending(plain(line)),
        writes=writes,
    )
