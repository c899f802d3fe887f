"""What transports over a remote shell have in common: nothing is believed that the device did not say itself.

A connection that breaks may look like a program that ended well with less output. So every command ends with a
line of its own that carries a number made up for this call and the exit code, and every file is compared with its
SHA-256 on the device, or with its length where the device has no `sha256sum`.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.errors import (
    DeviceDisconnectedError,
    DeviceFullError,
    DeviceOfflineError,
    NoisyShellError,
    OutputLimitError,
    TransferError,
    TransportError,
    TransportTimeoutError,
)
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.client import MOST_WRITTEN_BYTES, Ended
from pocketclip.benchmark.transport.device_paths import WORKSPACE, check_absolute, leftovers_line, removal_line
from pocketclip.models.untrusted.numbers import parse_whole
from pocketclip.models.untrusted.printable import printable_line

BEGIN = "POCKETCLIP-BEGIN"
ENDING = "POCKETCLIP-ENDED"
NO_SPACE = "No space left on device"
_PID_FILE = ".pocketclip-pid"
_SLOWEST_BYTES_PER_SECOND = 200_000
_TRANSFER_SECONDS = 60.0
_POLL_SECONDS = 1.0
# How long a device that went away is waited for, to remove our folder there.
_LEAVE_SECONDS = 10.0

# What a client program says -> what it means and what to do.
Fault = tuple[str, type[TransportError], str]

# A session of its own, so that the program's helpers can be ended with it; not every shell has the word.
_SUPERVISED = """\
cd {folder} && {{
if command -v setsid >/dev/null 2>&1; then setsid {command} </dev/null & else {command} </dev/null & fi
p=$!; echo $p > {pid}; wait $p; }}"""
_KILL = "p=$(cat {pid} 2>/dev/null) && {{ kill -9 -$p || kill -9 -- -$p || kill -9 $p; }} 2>/dev/null; rm -f {pid}"
# A link may lead anywhere, and a device has no end: only a regular file is looked into.
_DIGEST = (
    "if [ -e {path} ] && {{ [ -h {path} ] || [ ! -f {path} ]; }}; then echo irregular; else wc -c < {path} && "
    # What is too large is not read through.
    "if [ $(wc -c < {path}) -le {most} ] && command -v sha256sum >/dev/null 2>&1; then sha256sum < {path}; fi; fi"
)


@dataclass(frozen=True)
class Described:
    """A file of the device; `sha256` is None where the device has no program for it."""

    size_bytes: int
    sha256: str | None


class ShellTransport(ABC):
    """A device with a POSIX shell. Subclasses say how a line and a file get there, and word what goes wrong."""

    transfer_advice = "try another cable or port, and run it again"

    def __init__(self, label: str) -> None:
        """`label` names the device in messages."""
        self.label = label
        # For what takes a moment on a device that is well.
        self.short_seconds = 30.0
        self._unended: str | None = None

    @abstractmethod
    def _run_line(self, line: str, timeout_seconds: float) -> Ended:
        """Runs one line in the device's shell; the exit code is that of the client program and proves nothing."""

    @abstractmethod
    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        """Copies a file to the device."""

    @abstractmethod
    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        """Copies a file from the device."""

    @abstractmethod
    def _fault(self, words: str, what: str) -> TransportError:
        """The error that the client program's words stand for."""

    @abstractmethod
    def reconnect(self) -> None:
        """Tries to make a broken connection anew.

        Raises:
            TransportError: the device does not answer.
        """

    def shell(self, line: str, *, timeout_seconds: float | None = None) -> Execution:
        """Runs one line in the device's shell and waits for its end or the time limit, by default `short_seconds`.

        Raises:
            TransportError: the device does not answer, or went away before the line had ended.
        """
        number = secrets.token_hex(8)
        limit = self.short_seconds if timeout_seconds is None else timeout_seconds
        ended = self._run_line(framed(line, number), limit)
        stdout, stderr = ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace")
        # What the shell's own start files print comes before.
        before, begun, answer = stdout.partition(f"{BEGIN} {number}\n")
        stdout = answer if begun else before
        if ended.exit_code is None:
            return Execution(None, stdout, stderr)
        stdout, code = split_ending(stdout, number)
        if code is None:
            raise self._fault(stderr or stdout, "run a program")
        return Execution(code, stdout, stderr)

    def execute(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> Execution:
        """Runs a program in a folder; see `benchmark.transport.Transport`."""
        line = _SUPERVISED.format(
            folder=shlex.quote(folder), command=shlex.join(command), pid=shlex.quote(f"{folder}/{_PID_FILE}")
        )
        self._unended = folder
        try:
            execution = self.shell(line, timeout_seconds=timeout_seconds)
        except (DeviceDisconnectedError, DeviceOfflineError):
            # It may still run there: it is ended when the device is back.
            raise
        except BaseException:
            self._end_program()
            raise
        if execution.exit_code is None:
            self._end_program()
        else:
            self._unended = None
        return execution

    def push(self, local: Path, remote: str) -> None:
        """Copies a file or folder; see `benchmark.transport.Transport`."""
        for source, goal in _files(local, remote):
            folder = goal.rpartition("/")[0]
            self._checked(f"mkdir -p {shlex.quote(folder)}", f"make {folder}")
            try:
                self._send(source, goal, _transfer_seconds(_size(source)))
                self._compare(source, goal, arrived=goal)
            except (DeviceFullError, TransferError):
                with contextlib.suppress(TransportError):
                    self.shell(removal_line(goal))
                raise

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file; see `benchmark.transport.Transport`. An interrupted copy leaves nothing here."""
        described = self._described(remote, MOST_WRITTEN_BYTES)
        if described.size_bytes > MOST_WRITTEN_BYTES:
            raise OutputLimitError(
                f"{remote} on {self.label} has {described.size_bytes} bytes, at most {MOST_WRITTEN_BYTES} are allowed",
                fix="check that file",
            )
        partial = local.with_name(f"{local.name}.partial")
        try:
            self._receive(remote, partial, _transfer_seconds(described.size_bytes))
            self._same(described, partial, remote)
            partial.replace(local)
        except OSError as error:
            raise TransportError(f"cannot write {local}: {error.strerror or error}", fix="free some space") from error
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def workspace(self, parent: str) -> Iterator[str]:
        """An empty folder of the device below `parent`, removed at the end with all that still runs in it.

        What a run that was killed left there more than a day ago is removed too.

        Raises:
            TransportError: the folder cannot be made.
        """
        check_absolute(parent)
        folder = f"{parent}/{WORKSPACE}{secrets.token_hex(6)}"
        stale = leftovers_line(parent, older_than_a_day=True)
        self._checked(f"{stale}\nmkdir -p {shlex.quote(folder)}", f"make {folder}")
        try:
            yield folder
        finally:
            # What was measured must not be lost to a device that is away by now.
            with contextlib.suppress(TransportError):
                try:
                    self.remove(folder)
                except (DeviceDisconnectedError, DeviceOfflineError):
                    if self.wait_until_back(_LEAVE_SECONDS):
                        self.remove(folder)

    def remove(self, folder: str) -> None:
        """Removes a folder of ours with all that is in it, and ends what still runs in it.

        Raises:
            DevicePathError: it is none of ours, as `removal_line`.
            TransportError: it cannot be removed.
        """
        line = removal_line(folder)
        self._end_program()
        self._checked(line, f"remove {folder}")

    def wait_until_back(self, timeout_seconds: float) -> bool:
        """Waits until a device that went away answers again; ends what still runs there from before."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                self.reconnect()
                if self.shell("true").exit_code == 0:
                    self._end_program()
                    return True
            except TransportError:
                pass
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)

    def _end_program(self) -> None:
        folder, self._unended = self._unended, None
        if folder is not None:
            with contextlib.suppress(TransportError):
                self.shell(_KILL.format(pid=shlex.quote(f"{folder}/{_PID_FILE}")))

    def _checked(self, line: str, what: str) -> str:
        execution = self.shell(line)
        if execution.exit_code is None:
            raise TransportTimeoutError(
                f"{self.label} did not {what} within {self.short_seconds:g} s", fix="check whether it is busy or hangs"
            )
        if execution.exit_code:
            words = execution.stderr.strip()
            if NO_SPACE in words:
                raise self.full(what)
            raise TransportError(f"{self.label} cannot {what}: {execution.describe()}")
        return execution.stdout

    def _compare(self, local: Path, remote: str, *, arrived: str) -> None:
        # One that is larger is another.
        self._same(self._described(remote, _size(local)), local, arrived)

    def _described(self, remote: str, most_bytes: int) -> Described:
        """What a file of the device is; without its hash where it is larger than `most_bytes`.

        Raises:
            TransportError: it is not there, or no regular file.
            NoisyShellError: the device's answer is none.
        """
        told = self._checked(_DIGEST.format(path=shlex.quote(remote), most=most_bytes), f"read {remote}")
        lines = [line.strip() for line in told.splitlines() if line.strip()]
        if "irregular" in lines:
            raise TransportError(f"{self.label} cannot read {remote}: it is a link or not a regular file")
        sizes = [size for line in lines if (size := parse_whole(line)) is not None]
        hashes = [line[:64] for line in lines if re.fullmatch(r"[0-9a-f]{64}(\s+-)?", line)]
        if not sizes:
            raise NoisyShellError(
                (
                    f"{self.label} answers {printable_line(told)[:200]!r} instead of a file's length and "
                    "SHA-256: its shell prints extra lines"
                ),
                fix="make its start files (~/.bashrc, ~/.profile, ~/.mkshrc) silent without a terminal",
            )
        return Described(sizes[-1], hashes[-1] if hashes else None)

    def _same(self, described: Described, local: Path, name: str) -> None:
        by_hash = described.sha256 is not None
        if (by_hash and hash_file(local) == described.sha256) or (not by_hash and _size(local) == described.size_bytes):
            return
        raise TransferError(
            f"{name} arrived {'altered or ' if by_hash else ''}truncated on its way to or from {self.label}; "
            f"{self.transfer_advice}"
        )

    def late(self, what: str, timeout_seconds: float) -> TransportTimeoutError:
        """The error of a copy that did not end in time."""
        return TransportTimeoutError(f"{self.label} did not {what} within {timeout_seconds:.0f} s")

    def full(self, what: str) -> DeviceFullError:
        """The error of a device without space."""
        return DeviceFullError(f"{self.label} cannot {what}: no space left", fix="free some and run it again")


def known_fault(faults: Sequence[Fault], words: str, message: str) -> TransportError | None:
    """The error that a client program's words stand for, the first that fits, with its fix behind the message."""
    return next((kind(message, fix=fix) for tail, kind, fix in faults if tail in words), None)


def last_line(words: str) -> str:
    """The last line that is not empty; empty where there is none."""
    return next((line.strip() for line in reversed(words.splitlines()) if line.strip()), "")


def framed(line: str, number: str) -> str:
    """A line of shell between two lines of its own, by which its output and its exit code are known."""
    return f"printf '%s %s\\n' {BEGIN} {number}\n{line}\nprintf '\\n%s %s %s\\n' {ENDING} {number} $?"


def split_ending(stdout: str, number: str) -> tuple[str, int | None]:
    """The output of a line up to its ending, and the exit code in that; None where the ending is missing.

    What the shell itself prints behind it, e.g. when it is left, is passed over.
    """
    body, found, last = stdout.rpartition(f"\n{ENDING} {number} ")
    code, ended, _ = last.partition("\n")
    if not found or not ended or parse_whole(code) is None:
        return stdout, None
    return body, int(code)


def hash_file(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(local: Path, remote: str) -> Iterator[tuple[Path, str]]:
    if local.is_dir():
        for path in sorted(local.rglob("*")):
            if path.is_symlink():
                raise TransportError(
                    f"cannot copy {local} to {remote}: {path} is a link", fix="give the files themselves"
                )
            if path.is_file():
                yield path, f"{remote}/{path.relative_to(local).as_posix()}"
    elif local.is_file():
        yield local, remote
    else:
        raise TransportError(f"cannot copy {local} to {remote}: there is no such file")


def _size(path: Path) -> int:
    return path.stat().st_size


def _transfer_seconds(size_bytes: int) -> float:
    return _TRANSFER_SECONDS + size_bytes / _SLOWEST_BYTES_PER_SECOND
