"""Boards through OpenSSH's own client: keys, known hosts and the user's configuration hold, and nothing is asked."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.errors import (
    DeviceDisconnectedError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    MissingProgramError,
    TransportError,
)
from pocketclip.benchmark.transport.client import Ended, run_client
from pocketclip.benchmark.transport.orphans import guard_folder, release_folder
from pocketclip.benchmark.transport.shell import (
    BEGIN,
    ENDING,
    NO_SPACE,
    Fault,
    ShellTransport,
    framed,
    known_fault,
    last_line,
)
from pocketclip.models.untrusted.numbers import parse_whole

_CONNECT_SECONDS = 10
_PERSIST_SECONDS = 60

# Words of OpenSSH's client -> what they mean and what to do.
_FAULTS: tuple[Fault, ...] = (
    ("Host key verification failed", DeviceUnauthorizedError, "log in once by hand to check and accept its host key"),
    ("REMOTE HOST IDENTIFICATION", DeviceUnauthorizedError, "its host key has changed: find out why"),
    ("Permission denied", DeviceUnauthorizedError, "give it your key with `ssh-copy-id`"),
    ("Too many authentication failures", DeviceUnauthorizedError, "set the key in ~/.ssh/config"),
    ("Could not resolve hostname", DeviceNotFoundError, "check its name in your device table"),
    ("Connection refused", DeviceNotFoundError, "check that sshd runs there, and its port"),
    ("No route to host", DeviceNotFoundError, "check that it is on and in this network"),
    ("timed out", DeviceOfflineError, "check that it is on and in this network"),
)


def unframe(file: Path, number: str) -> int | None:
    """Cuts a file that came by `framed` down to what is between the two lines; the exit code, None where one lacks."""
    content = file.read_bytes()
    _, begun, body = content.partition(f"{BEGIN} {number}\n".encode())
    body, found, last = body.rpartition(f"\n{ENDING} {number} ".encode())
    code = parse_whole(last.partition(b"\n")[0].decode(errors="replace")) if begun and found else None
    if code is not None:
        file.write_bytes(body)
    return code


class SshTransport(ShellTransport):
    """A host that `ssh` reaches: `[user@]host` or a name of ~/.ssh/config, with `options` as for `ssh`."""

    transfer_advice = (
        "run it again; if it happens again, check whether the start files of its shell (~/.bashrc, ~/.profile) "
        "read or print"
    )

    def __init__(self, host: str, label: str, *, options: Sequence[str] = (), program: str = "ssh") -> None:
        super().__init__(label)
        self.host = host
        self._options = tuple(options)
        self._program = program
        # Sockets have short names: not below a cache with a long path.
        self._sockets = tempfile.TemporaryDirectory(prefix="pocketclip-ssh-", ignore_cleanup_errors=True)
        guard_folder(Path(self._sockets.name))

    def reconnect(self) -> None:
        self._ssh(["-O", "exit"], None, _CONNECT_SECONDS)

    def close(self) -> None:
        """Ends the shared connection."""
        with contextlib.suppress(TransportError):
            self.reconnect()
        self._sockets.cleanup()
        release_folder(Path(self._sockets.name))

    def _run_line(self, line: str, timeout_seconds: float) -> Ended:
        # The user's login shell may be any; the line is for a POSIX one.
        ended = self._ssh([], f"sh -c {shlex.quote(line)}", timeout_seconds)
        if ended.exit_code == 255 and not ended.stdout:
            # 255 is ssh's own failure; with an ending in stdout it may be a program's.
            raise self._fault(ended.stderr.decode(errors="replace"), "run a program")
        return ended

    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        ended = self._ssh([], f"cat > {shlex.quote(remote)}", timeout_seconds, stdin=local)
        self._check_transfer(ended, f"take {remote}", timeout_seconds)

    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        number = secrets.token_hex(8)
        line = f"sh -c {shlex.quote(framed(f'cat {shlex.quote(remote)}', number))}"
        ended = self._ssh([], line, timeout_seconds, stdout=local)
        self._check_transfer(ended, f"give {remote}", timeout_seconds)
        # What the board's shell prints of its own stands before and behind the file.
        code = unframe(local, number)
        if code is None:
            raise DeviceDisconnectedError(
                f"{self.label} disconnected (reading {remote}): the connection ended in the middle"
            )
        if code:
            words = ended.stderr.decode(errors="replace").strip()
            raise TransportError(f"{self.label} cannot give {remote}: {words or f'exit code {code}'}")

    def _check_transfer(self, ended: Ended, what: str, timeout_seconds: float) -> None:
        if ended.exit_code is None:
            raise self.late(what, timeout_seconds)
        words = ended.stderr.decode(errors="replace")
        if ended.exit_code == 0:
            return
        if NO_SPACE in words:
            raise self.full(what)
        if ended.exit_code == 255:
            raise self._fault(words, what)
        raise TransportError(f"{self.label} cannot {what}: {words.strip() or f'exit code {ended.exit_code}'}")

    def _ssh(
        self,
        arguments: Sequence[str],
        line: str | None,
        timeout_seconds: float,
        *,
        stdin: Path | None = None,
        stdout: Path | None = None,
    ) -> Ended:
        if shutil.which(self._program) is None:
            raise MissingProgramError(
                "this needs the program ssh, which is not installed",
                fix="on Debian or Ubuntu: apt-get install openssh-client",
            )
        command = [self._program, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
        command += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        command += ["-o", "ControlMaster=auto", "-o", f"ControlPath={self._sockets.name}/%C"]
        command += ["-o", f"ControlPersist={_PERSIST_SECONDS}", *self._options, *arguments, "--", self.host]
        if line is not None:
            command.append(line)
        return run_client(command, timeout_seconds=timeout_seconds, stdin=stdin, stdout=stdout)

    def _fault(self, words: str, what: str) -> TransportError:
        said = f"ssh says {last_line(words)!r}" if words.strip() else "the connection ended in the middle"
        return known_fault(_FAULTS, words, f"{self.label} cannot {what}: {said}") or DeviceDisconnectedError(
            f"{self.label} disconnected ({what}): {said}", fix="check that it is on and in this network"
        )
