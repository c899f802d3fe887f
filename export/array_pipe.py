"""Arrays over pipes, as `.npy`, and processes that answer an array with another."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO

import numpy as np

from pocketclip.models.errors import first_line

_MOST_STDERR_BYTES = 1 << 16
# A process that fails closes its pipes before it says why.
_END_S = 10.0


def send_array(stream: IO[bytes], array: np.ndarray) -> None:
    """Writes an array. numpy itself writes to files through their position, which pipes have none of."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    stream.write(content.getvalue())
    stream.flush()


def receive_array(stream: IO[bytes]) -> np.ndarray:
    """Reads an array.

    Raises:
        ValueError: what comes is no array, or ends before its end.
    """
    return np.lib.format.read_array(_Reader(stream), allow_pickle=False)  # pyright: ignore[reportArgumentType]


def answer_arrays(session: AbstractContextManager[Callable[[np.ndarray], np.ndarray]]) -> None:
    """The other side of an `ArrayProcess`: answers each array of stdin on stdout, until stdin ends.

    Args:
        session: entered once what native libraries print on stdout goes to stderr; gives what answers an array.
    """
    with os.fdopen(os.dup(1), "wb") as answers, os.fdopen(os.dup(0), "rb") as questions:
        os.dup2(2, 1)
        with session as answer:
            while questions.peek(1):
                send_array(answers, answer(receive_array(questions)))


class ProcessFault(Exception):
    """Why a process gave no answer: the last line that it wrote."""


class ArrayProcess:
    """A process of Python of its own: native libraries that crash, or that another version rules out, live there.

    Its module reads arrays from stdin, one after another, and writes one to stdout for each.
    """

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Starts the process; what it refuses shows with the first question."""
        # Closed with the process.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def ask(self, array: np.ndarray) -> np.ndarray:
        """What the process gives for an array.

        Raises:
            ProcessFault: it has ended, or gives no array.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            send_array(stdin, array)
            return receive_array(stdout)
        except (OSError, ValueError) as error:
            self._end()
            self._said.seek(0)
            lines = self._said.read(_MOST_STDERR_BYTES).decode(errors="replace").strip().splitlines()
            raise ProcessFault(first_line(ValueError(lines[-1])) if lines else "its process ended") from error

    def _end(self) -> None:
        """Lets the process say why it gives no answer."""
        self._close_stdin()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_stdin(self) -> None:
        if self._process.stdin is not None:
            # Of a process that has ended, what was not sent yet.
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def close(self) -> None:
        """Lets the process end and waits for it."""
        self._close_stdin()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()


class _Reader:
    """No more than the method that numpy needs: of a file, it would ask the position."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.read = stream.read
