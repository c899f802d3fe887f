"""Reading files whose size and kind nobody has checked yet."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pocketclip.models.errors import PocketClipError
from pocketclip.models.untrusted.printable import printable_path

_PIECE_BYTES = 1 << 20


def is_file(path: Path) -> bool:
    """Whether there is a file. No name is an error: `Path.is_file` raises for one that no file system takes."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    """Whether there is a folder; as `is_file`."""
    return os.path.isdir(path)


def is_there(path: Path) -> bool:
    """Whether there is anything; as `is_file`."""
    return os.path.exists(path)


@contextlib.contextmanager
def reading_errors(place: Path, *, error: type[PocketClipError]) -> Iterator[None]:
    """Words an `OSError` met while looking at `place`, or at what lies in it, as an `error` that names the file."""
    try:
        yield
    except OSError as caught:
        name = printable_path(caught.filename if isinstance(caught.filename, str) else place)
        raise error(
            f"cannot read {name}: {caught.strerror or caught}", fix="make it readable for your user or give another"
        ) from caught


def read_bounded(path: Path, most_bytes: int, *, error: type[PocketClipError]) -> bytes:
    """The content of a regular file of at most `most_bytes`; a FIFO or device is never waited for.

    Raises:
        error: the file cannot be read, is no regular file or is larger.
    """
    name = printable_path(path)
    try:
        # Not blocking: opening a FIFO without a writer would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as caught:
        reason = getattr(caught, "strerror", None) or caught
        raise error(f"cannot read {name}: {reason}") from caught
    # Before it becomes a stream, which no folder can be.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise error(f"cannot read {name}: it is not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        try:
            content = _read(stream, most_bytes + 1)
        except OSError as caught:
            raise error(f"cannot read {name}: {caught.strerror or caught}") from caught
    if len(content) > most_bytes:
        size = path.stat().st_size
        raise error(f"cannot read {name}: it has {size} bytes, at most {most_bytes} are read")
    return content


def _read(stream: BinaryIO, most_bytes: int) -> bytes:
    """The first bytes of a stream, in pieces: one call would reserve memory for all that it may read."""
    pieces: list[bytes] = []
    while most_bytes and (piece := stream.read(min(most_bytes, _PIECE_BYTES))):
        pieces.append(piece)
        most_bytes -= len(piece)
    return b"".join(pieces)
