"""An iPhone by Apple's `xcrun devicectl` (Xcode 15 and later, macOS)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.errors import BenchmarkError, MissingProgramError, TransportTimeoutError
from pocketclip.benchmark.platforms.apple.announced import ANNOUNCED
from pocketclip.benchmark.platforms.apple.devicectl_output import (
    error_text,
    parse_apps,
    parse_devices,
    parse_processes,
    parse_result,
    parse_state,
)
from pocketclip.benchmark.platforms.apple.faults import fault_error, refusal
from pocketclip.benchmark.platforms.apple.phone import BENCH_VARIABLE, InstalledApp, ListedPhone, PhoneState
from pocketclip.benchmark.platforms.apple.watched import run_watched
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.client import check_written

PROGRAM = "xcrun devicectl"

_SHORT_SECONDS = 60.0
_INSTALL_SECONDS = 300.0
_TRANSFER_SECONDS = 300.0


class DevicectlPhone:
    """An `ApplePhone`. It can read and write an app's container, and has no means to remove anything there."""

    def __init__(self, found: ListedPhone, label: str) -> None:
        """`label` names the phone in messages."""
        self.label = label
        self.udid = found.udid
        self._identifier = found.identifier
        self._app_name: str | None = None

    def state(self) -> PhoneState:
        details = self._ask(["device", "info", "details"], "say what it is")
        try:
            lock = self._ask(["device", "info", "lockState"], "say whether it is locked")
        except BenchmarkError:
            # Xcode 15.0 has no such command, and a phone that is not paired does not answer it.
            lock = None
        return parse_state(details, lock)

    def mount_image(self) -> None:
        self._ask(["device", "info", "ddiServices", "--auto-mount-ddis"], "mount its developer disk image")

    def installed(self, bundle: str) -> InstalledApp | None:
        found = parse_apps(self._ask(["device", "info", "apps", "--bundle-id", bundle], "list its apps"), bundle)
        self._app_name = None if found is None else found.place.rstrip("/").rpartition("/")[2]
        return found

    def install(self, package: Path) -> None:
        self._ask(["device", "install", "app", str(package)], "install the app", _INSTALL_SECONDS)

    def push(self, bundle: str, local: Path, remote: str) -> None:
        places = ["--source", str(local), "--destination", remote]
        self._ask(["device", "copy", "to", *_container(bundle), *places], f"take {remote}", _TRANSFER_SECONDS)

    def pull(self, bundle: str, remote: str, local: Path) -> None:
        # It writes over nothing that exists.
        local.unlink(missing_ok=True)
        places = ["--source", remote, "--destination", str(local)]
        self._ask(["device", "copy", "from", *_container(bundle), *places], f"give {remote}", _TRANSFER_SECONDS, local)

    def launch(self, bundle: str, *, timeout_seconds: float) -> Execution:
        # The console's lines and JSON on stdout exclude each other: its errors are read as text here.
        command = ["device", "process", "launch", "--console", "--terminate-existing"]
        variables = ["--environment-variables", json.dumps({BENCH_VARIABLE: "1"})]
        arguments = [*command, *variables, "--device", self._identifier, bundle]
        ended = _run(arguments, timeout_seconds)
        if ended.exit_code not in (0, None):
            known = fault_error(
                f"{ended.stderr}\n{ended.stdout}", program=PROGRAM, label=self.label, what="start the app"
            )
            if known is not None and not ANNOUNCED.search(ended.stdout):
                raise known
        return ended

    def remove(self, bundle: str, remote: str) -> bool:
        # `copy to --remove-existing-content true` is said to remove more than the folder that it names.
        return False

    def stop(self, bundle: str) -> None:
        if self._app_name is None and self.installed(bundle) is None:
            return
        running = self._ask(["device", "info", "processes"], "list its processes")
        for number in parse_processes(running, self._app_name or ""):
            self._ask(["device", "process", "terminate", "--pid", str(number), "--kill"], "end the app")

    def _ask(
        self,
        arguments: Sequence[str],
        what: str,
        timeout_seconds: float = _SHORT_SECONDS,
        writes: Path | None = None,
    ) -> str:
        content, ended = _with_json([*arguments, "--device", self._identifier], timeout_seconds, writes)
        if ended.exit_code is None:
            raise TransportTimeoutError(
                f"{self.label} did not {what} within {timeout_seconds:g} s",
                fix="unplug it, plug it in again, and run it again",
            )
        if ended.exit_code:
            said = "\n".join(filter(None, (error_text(content), ended.stderr)))
            raise refusal(said, program=PROGRAM, label=self.label, what=what)
        parse_result(content)
        return content


def list_devicectl() -> list[ListedPhone]:
    """The iPhones that this Mac knows, connected or not.

    Raises:
        MissingProgramError: Xcode is not installed.
        TransportError: it does not list them.
    """
    content, ended = _with_json(["list", "devices"], _SHORT_SECONDS)
    if ended.exit_code != 0:
        said = "\n".join(filter(None, (error_text(content), ended.stderr)))
        if "unable to find utility" in said.lower() or "invalid active developer path" in said.lower():
            raise MissingProgramError(f"{PROGRAM} needs Xcode 15 or later", fix="install it and open it once")
        raise refusal(said, program=PROGRAM, label="this Mac", what="list its phones")
    return parse_devices(content)


def _container(bundle: str) -> list[str]:
    return ["--domain-type", "appDataContainer", "--domain-identifier", bundle]


def _with_json(arguments: Sequence[str], timeout_seconds: float, writes: Path | None = None) -> tuple[str, Execution]:
    with scratch_folder("pocketclip-devicectl-") as folder:
        answer = Path(folder, "answer.json")
        ended = _run([*arguments, "--json-output", str(answer)], timeout_seconds, writes)
        check_written(PROGRAM, answer)
        try:
            return answer.read_text(encoding="utf-8", errors="replace"), ended
        except OSError:
            return "", ended


def _run(arguments: Sequence[str], timeout_seconds: float, writes: Path | None = None) -> Execution:
    try:
        return run_watched(
            ["xcrun", "devicectl", *arguments],
            timeout_seconds=timeout_seconds,
            environment=os.environ,
            enough=lambda line: ANNOUNCED.search(line) is not None,
            writes=writes,
        )
    except OSError as error:
        raise MissingProgramError(
            f"cannot start xcrun: {error.strerror or error}", fix="install Xcode 15 or later"
        ) from error
