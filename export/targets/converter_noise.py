"""Keeps what converters and runtimes say about themselves off the user's terminal, unless something fails."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pocketclip.export.captured_output import captured_output, read_captured

# Loggers whose warnings name no fault of the user's: versions newer than those coremltools was tested with,
# its native library that exists on macOS alone, and a deprecation between torch and torchao.
_LOGGERS = ("coremltools", "torch.utils._pytree")


def quiet_loggers() -> None:
    """Silences the warnings that the packages of the targets log while they are imported."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def held_stderr(*, shown_if_failed: bool = True) -> Iterator[None]:
    """Holds back what native code writes to the process's stderr; shows it after all if the block fails.

    ExecuTorch's and LiteRT's libraries report processor and thread pool there while a model loads, past
    Python's own streams.
    """
    written = b""
    try:
        with captured_output(2) as held:
            try:
                yield
            except BaseException:
                written = read_captured(held)
                raise
    except BaseException:
        if shown_if_failed:
            os.write(2, written)
        raise
