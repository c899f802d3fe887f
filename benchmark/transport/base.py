"""What every transport offers, and how a program on a device ended."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
                ended += ", often because memory ran out"
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
        """Runs a program in a folder of the device and waits for its end or the time limit.

        Raises:
            TransportError: it cannot be started, or its end was not seen.
        """
        ...
