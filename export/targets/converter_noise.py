"""Keeps what converters and runtimes say about themselves off the user's terminal, unless something fails."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

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
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            _restore(original)
            if shown_if_failed:
                held.seek(0)
                os.write(2, held.read())
            raise
        _restore(original)


def _restore(original: int) -> None:
    sys.stderr.flush()
    os.dup2(original, 2)
    os.close(original)
