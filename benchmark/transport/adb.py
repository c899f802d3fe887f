"""Android's debug bridge through the real `adb` program. Its exit code proves nothing: see `ShellTransport`."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.errors import (
    AmbiguousDeviceError,
    DeviceDisconnectedError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    MissingProgramError,
    TransportError,
)
from pocketclip.benchmark.transport.client import Ended, run_client
from pocketclip.benchmark.transport.shell import NO_SPACE, Fault, ShellTransport, known_fault, last_line

_SERVER_SECONDS = 30.0
_INSTALL = "on Debian or Ubuntu: apt-get install adb; elsewhere: Android's platform tools"

# Tails of adb's own messages (29 to 34), most telling first -> what they mean and what to do.
_FAULTS: tuple[Fault, ...] = (
    ("unauthorized", DeviceUnauthorizedError, "unlock it and allow USB debugging for this computer"),
    ("still authorizing", DeviceUnauthorizedError, "unlock it and allow USB debugging for this computer"),
    ("device offline", DeviceOfflineError, "unplug it and plug it in again, or run `adb reconnect`"),
    ("device still connecting", DeviceOfflineError, "wait a moment and run it again"),
    ("more than one", AmbiguousDeviceError, "set its serial in your device table"),
    ("no devices/emulators found", DeviceNotFoundError, "plug the device in and turn USB debugging on"),
    ("cannot connect to daemon", DeviceOfflineError, "start adb's server with `adb start-server`"),
    ("failed to check server version", DeviceOfflineError, "start adb's server with `adb start-server`"),
)
# A serial may hold spaces, as the mDNS names of Wi-Fi phones do ("adb-A1 (2)._adb-tls-connect._tcp"): a line is read
# from its end, properties, and before them the state. "no permissions (user in plugdev group; ...); see [http://...]"
# is a state of several words.
_LISTED = re.compile(
    r"(?P<serial>\S.*?)\s+(?P<state>no permissions(?: \([^)]*\))?(?:; see \[\S*\])?|[a-z]+)"
    r"(?P<properties>(?:\s+[a-z_]+:\S*)*)"
)
_GONE = "it was unplugged or turned off, or its adbd ended; plug it in again"


@dataclass(frozen=True)
class AdbDevice:
    """A line of `adb devices -l`. `state` is adb's word: `device` where it is ready; `model` only then."""

    serial: str
    state: str
    model: str | None = None


class AdbTransport(ShellTransport):
    """A device that adb reaches by its serial number.

    `server` is the socket of an adb server of its own, e.g. `localfilesystem:/run/adb.sock`; by default the user's.
    With `address`, `reconnect` connects over the network first.
    """

    def __init__(
        self, serial: str, label: str, *, server: str | None = None, address: str | None = None, program: str = "adb"
    ) -> None:
        super().__init__(label)
        self.serial = serial
        self._server = server
        self._address = address
        self._program = program

    def reconnect(self) -> None:
        if self._address is not None:
            adb_connect(self._address, server=self._server, program=self._program)
        ended = self._adb(["get-state"], _SERVER_SECONDS)
        if ended.exit_code != 0 or ended.stdout.strip() != b"device":
            raise self._fault(_words(ended), "reach it")

    def _run_line(self, line: str, timeout_seconds: float) -> Ended:
        return self._adb(["shell", line], timeout_seconds)

    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        self._transfer(["push", str(local), remote], f"take {remote}", timeout_seconds)

    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        self._transfer(["pull", remote, str(local)], f"give {remote}", timeout_seconds, writes=local)

    def _transfer(
        self, arguments: Sequence[str], what: str, timeout_seconds: float, *, writes: Path | None = None
    ) -> None:
        ended = self._adb(arguments, timeout_seconds, writes=writes)
        if ended.exit_code is None:
            raise self.late(what, timeout_seconds)
        if ended.exit_code:
            words = _words(ended)
            raise self.full(what) if NO_SPACE in words else self._fault(words, what)

    def _adb(self, arguments: Sequence[str], timeout_seconds: float, *, writes: Path | None = None) -> Ended:
        return run_adb(
            ["-s", self.serial, *arguments],
            timeout_seconds=timeout_seconds,
            writes=writes,
            server=self._server,
            program=self._program,
        )

    def _fault(self, words: str, what: str) -> TransportError:
        message = f"{self.label} cannot {what}: adb says {last_line(words)!r}"
        known = known_fault(_FAULTS, words, message)
        if known is not None:
            return known
        if "No such file or directory" in words or "Permission denied" in words or "Read-only" in words:
            return TransportError(message)
        said = f"adb says {last_line(words)!r}" if words.strip() else "the connection ended in the middle"
        return DeviceDisconnectedError(f"{self.label} disconnected ({what}): {said}", fix=_GONE)


def run_adb(
    arguments: Sequence[str],
    *,
    timeout_seconds: float = _SERVER_SECONDS,
    server: str | None = None,
    program: str = "adb",
    writes: Path | None = None,
) -> Ended:
    """Runs adb once, through the server of that socket; `writes` is a file that it makes.

    Raises:
        MissingProgramError: adb is not installed.
        DeviceDisconnectedError: that server has ended.
    """
    environment = {name: value for name, value in os.environ.items() if name != "ANDROID_SERIAL"}
    if shutil.which(program) is None:
        raise MissingProgramError("this needs the program adb, which is not installed", fix=_INSTALL)
    if server is not None:
        environment["ADB_SERVER_SOCKET"] = server
        _check_server(server)
    try:
        return run_client(
            [program, *arguments], environment=environment, timeout_seconds=timeout_seconds, writes=writes
        )
    except OSError as error:
        raise MissingProgramError(f"cannot start {program}: {error.strerror or error}", fix=_INSTALL) from error


def _check_server(server: str) -> None:
    """Whether a server of its own still listens: adb would start another in its place, which reaches nothing."""
    kind, _, path = server.partition(":")
    if kind != "localfilesystem":
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise DeviceDisconnectedError(
                f"the device's adb server has ended ({path}: {error.strerror or error})", fix="start the device again"
            ) from error


def adb_devices(*, server: str | None = None, program: str = "adb") -> list[AdbDevice]:
    """The attached devices, in any state.

    Raises:
        MissingProgramError: adb is not installed.
        DeviceOfflineError: its server does not start.
    """
    ended = run_adb(["devices", "-l"], server=server, program=program)
    if ended.exit_code != 0:
        raise DeviceOfflineError(
            f"adb lists no devices: {last_line(_words(ended)) or 'it does not answer'}",
            fix="restart its server: `adb kill-server`, then `adb start-server`",
        )
    return parse_adb_devices(ended.stdout.decode(errors="replace"))


def parse_adb_devices(text: str) -> list[AdbDevice]:
    """The lines of `adb devices -l`; what adb says of its server besides is left out."""
    _, heading, listed = text.partition("List of devices attached")
    found: list[AdbDevice] = []
    # Not by `splitlines`, which knows more line ends than adb.
    for line in listed.split("\n") if heading else ():
        matched = _LISTED.fullmatch(line.strip())
        if matched is None:
            continue
        state = "no permissions" if matched["state"].startswith("no permissions") else matched["state"]
        properties = dict(word.split(":", 1) for word in matched["properties"].split())
        model = properties.get("model")
        found.append(AdbDevice(matched["serial"], state, model.replace("_", " ") if model else None))
    return found


def adb_connect(address: str, *, server: str | None = None, program: str = "adb") -> None:
    """Connects to a device over the network; a stale connection is given up first.

    Raises:
        DeviceNotFoundError: nothing answers there. Adb's exit code and words do not tell, so its list is asked.
    """
    said = ""
    for _ in range(2):
        ended = run_adb(["connect", address], server=server, program=program)
        said = last_line(_words(ended))
        states = {device.serial: device.state for device in adb_devices(server=server, program=program)}
        if states.get(address) == "device":
            return
        # "already connected" is what an offline device answers.
        run_adb(["disconnect", address], server=server, program=program)
    raise DeviceNotFoundError(f"no adbd answers at {address}: adb says {said!r}", fix="check that the device is on")


def _words(ended: Ended) -> str:
    return "\n".join(part.decode(errors="replace").strip() for part in (ended.stdout, ended.stderr) if part.strip())
