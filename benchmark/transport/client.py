"""Runs a program of this machine to its end or to a limit of time or size, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pocketclip.benchmark.errors import OutputLimitError
from pocketclip.benchmark.transport.orphans import guard_group, release_group

# Of each stream. What a device is asked for is some kilobytes; a program's log may be some megabytes.
MOST_PRINTED_BYTES = 16 << 20
# Of a file that comes from a device: results with the raw samples of long runs, and outputs.
MOST_WRITTEN_BYTES = 128 << 20

_DRAIN_SECONDS = 2.0
# How often files are looked at.
_LOOK_SECONDS = 0.1
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Ended:
    """A program that has ended; `exit_code` is None where it was stopped at its time limit."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes


def run_client(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    folder: str | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    stdout: Path | None = None,
    writes: Path | None = None,
) -> Ended:
    """Runs a program in a session of its own: Ctrl-C reaches the caller alone, and its helpers end with it.

    It also ends where the caller is killed.

    `stdin` and `stdout` are files to read from and to write to; what it prints to a file is not in the result.
    `writes` is a file that the program itself writes. What it prints is bounded, and so are these files.

    Raises:
        OSError: the program is not there, or a file cannot be opened.
        OutputLimitError: it printed or wrote more than is taken; it was ended.
    """
    with contextlib.ExitStack() as files:
        source: int | IO[bytes] = subprocess.DEVNULL if stdin is None else files.enter_context(stdin.open("rb"))
        goal: int | IO[bytes] = subprocess.PIPE if stdout is None else files.enter_context(stdout.open("wb"))
        process = files.enter_context(
            subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=source,
                stdout=goal,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        guard_group(process.pid)
        files.callback(release_group, process.pid)
        printed = _Printed(process, Path(command[0]).name, [path for path in (stdout, writes) if path is not None])
        deadline = time.monotonic() + timeout_seconds
        try:
            if printed.read_until(deadline) and _ended(process, deadline, printed):
                return Ended(process.returncode, *printed.contents)
            _kill_group(process.pid)
            # A helper that left the session (a shared connection of ssh) may still hold the pipes.
            printed.read_until(time.monotonic() + _DRAIN_SECONDS)
            printed.close()
            return Ended(None, *printed.contents)
        except BaseException:
            _kill_group(process.pid)
            printed.close()
            raise


class _Printed:
    """What a program prints, as far as it is taken, and the files that it writes meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, files: list[Path]) -> None:
        self._streams = {stream: bytearray() for stream in (process.stdout, process.stderr) if stream is not None}
        self._order = (process.stdout, process.stderr)
        self._open = list(self._streams)
        self._name = name
        self._files = files

    @property
    def contents(self) -> tuple[bytes, bytes]:
        """Of stdout and stderr; empty for one that goes to a file."""
        out, err = (b"" if stream is None else bytes(self._streams[stream]) for stream in self._order)
        return out, err

    def read_until(self, deadline: float) -> bool:
        """Reads until both streams have ended, True, or the time is over.

        Raises:
            OutputLimitError: there is more than is taken.
        """
        with selectors.DefaultSelector() as selector:
            for stream in self._open:
                selector.register(stream, selectors.EVENT_READ)
            while self._open:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                for key, _ in selector.select(min(left, _LOOK_SECONDS) if self._files else left):
                    stream = next(each for each in self._open if each is key.fileobj)
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        selector.unregister(stream)
                        self._open.remove(stream)
                    self._streams[stream] += chunk
                    if len(self._streams[stream]) > MOST_PRINTED_BYTES:
                        raise OutputLimitError(
                            f"{self._name} printed more than {MOST_PRINTED_BYTES >> 20} MiB and was stopped",
                            fix="check what the program there prints",
                        )
                self.check_files()
        return True

    def check_files(self) -> None:
        """Raises `OutputLimitError` where a file has grown beyond what is taken."""
        for path in self._files:
            check_written(self._name, path)

    def close(self) -> None:
        """Lets go of the streams."""
        for stream in self._streams:
            stream.close()


def check_written(program: str, path: Path) -> None:
    """Raises `OutputLimitError` where a file, which need not be there yet, is larger than what is taken."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > MOST_WRITTEN_BYTES:
            raise OutputLimitError(
                f"{program} gave more than {MOST_WRITTEN_BYTES >> 20} MiB for one file and was stopped",
                fix="check that file",
            )


def _ended(process: subprocess.Popen[bytes], deadline: float, printed: _Printed) -> bool:
    """Waits for the end of a program that prints no more."""
    while True:
        try:
            process.wait(max(0.0, min(_LOOK_SECONDS, deadline - time.monotonic())))
            printed.check_files()
            return True
        except subprocess.TimeoutExpired:
            printed.check_files()
            if time.monotonic() >= deadline:
                return False


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
