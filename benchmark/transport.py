"""Moves files to a device and starts programs there. The host is a device too, reached by copying."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmark.errors import TransportError

_SHELL_SIGNAL_BASE = 128
_STDERR_LINES = 3


@dataclass(frozen=True)
class Execution:
    """A program that has ended. `exit_code` is None where it was stopped at its time limit."""

    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def signal_name(self) -> str | None:
        """The signal that ended it, whether reported as -n (the system) or 128 + n (a shell)."""
        code = self.exit_code or 0
        number = -code if code < 0 else code - _SHELL_SIGNAL_BASE
        try:
            return signal.Signals(number).name
        except ValueError:
            return None

    def describe(self) -> str:
        """How it ended and its last words, for messages."""
        if self.exit_code is None:
            ended = "it was stopped at the time limit"
        elif self.signal_name is not None:
            ended = f"it was ended by {self.signal_name} (exit code {self.exit_code})"
            if self.signal_name == "SIGKILL":
                ended += ", often a sign that memory ran out"
        else:
            ended = f"exit code {self.exit_code}"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()][-_STDERR_LINES:]
        return f"{ended}; stderr: {' | '.join(lines)}" if lines else f"{ended}; nothing on stderr"


class Transport(Protocol):
    """A way to a device. Remote paths are absolute and POSIX."""

    def push(self, local: Path, remote: str) -> None:
        """Copies a file or folder to the device, making the folders above it.

        Raises:
            TransportError: it cannot be read here or written there.
        """
        ...

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file from the device.

        Raises:
            TransportError: there is no such file, or it cannot be written here.
        """
        ...

    def execute(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> Execution:
        """Runs a program in a folder of the device and waits for its end or the time limit."""
        ...


class LocalTransport:
    """The machine this process runs on."""

    def push(self, local: Path, remote: str) -> None:
        with _worded(local, remote):
            goal = Path(remote)
            goal.parent.mkdir(parents=True, exist_ok=True)
            if local.is_dir():
                shutil.copytree(local, goal, dirs_exist_ok=True)
            else:
                shutil.copyfile(local, goal)

    def pull(self, remote: str, local: Path) -> None:
        with _worded(Path(remote), str(local)):
            shutil.copyfile(remote, local)

    def execute(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> Execution:
        # A session of its own: Ctrl-C reaches the harness alone, and helpers the agent started end with it.
        with subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_seconds)
                return Execution(process.returncode, stdout, stderr)
            except subprocess.TimeoutExpired:
                _kill_group(process.pid)
                stdout, stderr = process.communicate()
                return Execution(None, stdout, stderr)
            except BaseException:
                _kill_group(process.pid)
                raise


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def _worded(source: Path, goal: str):
    try:
        yield
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TransportError(f"cannot copy {source} to {goal}: {reason}") from error
