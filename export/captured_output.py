"""What native code writes past Python's own streams, held in a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def captured_output(*descriptors: int) -> Iterator[IO[bytes]]:
    """A file that takes what is written to the process's stdout (1) or stderr (2) meanwhile; see `read_captured`."""
    _flush(descriptors)
    originals = {descriptor: os.dup(descriptor) for descriptor in descriptors}
    with tempfile.TemporaryFile() as held:
        for descriptor in descriptors:
            os.dup2(held.fileno(), descriptor)
        try:
            yield held
        finally:
            _flush(descriptors)
            for descriptor, original in originals.items():
                os.dup2(original, descriptor)
                os.close(original)


def read_captured(held: IO[bytes], most_bytes: int | None = None) -> bytes:
    """What a file of `captured_output` has taken so far, or the first bytes of it."""
    return os.pread(held.fileno(), os.fstat(held.fileno()).st_size if most_bytes is None else most_bytes, 0)


def _flush(descriptors: tuple[int, ...]) -> None:
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        if descriptor in descriptors:
            stream.flush()
