"""Runs a program of this machine to its end or to a time limit, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmark.orphans import guard_group, release_group

_DRAIN_SECONDS = 2.0


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
) -> Ended:
    """Runs a program in a session of its own: Ctrl-C reaches the caller alone, and its helpers end with it.

    It also ends where the caller is killed.

    `stdin` and `stdout` are files to read from and to write to; what it prints to a file is not in the result.

    Raises:
        OSError: the program is not there, or a file cannot be opened.
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
        try:
            out, err = process.communicate(timeout=timeout_seconds)
            return Ended(process.returncode, out or b"", err or b"")
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            try:
                out, err = process.communicate(timeout=_DRAIN_SECONDS)
            except subprocess.TimeoutExpired as undrained:
                # A helper that left the session (a shared connection of ssh) still holds the pipes.
                out, err = undrained.output, undrained.stderr
            return Ended(None, out or b"", err or b"")
        except BaseException:
            _kill_group(process.pid)
            raise


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
