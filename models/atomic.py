"""Writes that are either whole or absent: to a temporary name beside the goal, then a rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pocketclip.models.errors import StorageError


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Words an `OSError` met while writing `path` as a `StorageError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"cannot write {path}: {reason}", fix="free some space or choose a folder you may write to"
        ) from error


@contextmanager
def written_in_parts(file: Path, goal: Path) -> Iterator[BinaryIO]:
    """Opens `file` to be written in parts, each under `storage_errors(goal)`.

    Closing it raises nothing: it writes only what could not be written before, and that was told.

    Raises:
        StorageError: the file cannot be opened; the message names `goal`.
    """
    with storage_errors(goal):
        stream = file.open("wb")
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` so that a reader sees the old file or the whole new one.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for UTF-8 text."""
    write_bytes(path, text.encode())


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yields an empty folder that takes the place of `path` when the block ends well.

    An error inside the block removes the folder and leaves what stood at `path` as it was.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(path):
        if path.name in ("", ".."):
            # Nothing can be renamed to these.
            path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _replace_directory(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _replace_directory(new: Path, path: Path) -> None:
    # rename(2) cannot replace a folder that holds files: the old one steps aside first.
    if not path.exists():
        new.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        new.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
