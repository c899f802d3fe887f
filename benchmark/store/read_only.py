"""Stores in places that cannot be written: read into memory, for SQLite makes files beside one in WAL mode."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

# What SQLite has not carried over into the file yet.
_UNFINISHED = ("-wal", "-journal")


def is_writable(file: Path) -> bool:
    """Whether a database may be opened where it is: SQLite writes to the file, and makes others beside it."""
    folder = file.absolute().parent
    return os.access(folder, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def why_not_writable(file: Path) -> str:
    """In words, e.g. `its file system is read-only`."""
    folder = file.absolute().parent
    read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    return "its file system is read-only" if read_only else f"you may not write to {folder} or to the file"


def copy_into_memory(file: Path, busy_seconds: float) -> sqlite3.Connection:
    """The database as it is, in memory; nothing is written beside it.

    Raises:
        sqlite3.Error: it is no database, or is held by a program that writes to it.
    """
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        _copy(file, memory, busy_seconds)
    except BaseException:
        memory.close()
        raise
    return memory


def _copy(file: Path, memory: sqlite3.Connection, busy_seconds: float) -> None:
    address = file.absolute().as_uri()
    try:
        # Enough where it is not in WAL mode, or where the files of that mode are there, and heeds others' locks.
        with closing(sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=busy_seconds)) as source:
            source.backup(memory)
        return
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    if not any(_size(f"{file}{suffix}") for suffix in _UNFINISHED):
        with closing(sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)) as source:
            source.backup(memory)
        return
    with tempfile.TemporaryDirectory(prefix="pocketclip-store-") as folder:
        copy = Path(folder, "store.sqlite")
        for suffix in ("", *_UNFINISHED):
            if _size(f"{file}{suffix}"):
                shutil.copyfile(f"{file}{suffix}", f"{copy}{suffix}")
        with closing(sqlite3.connect(copy, timeout=busy_seconds)) as source:
            source.backup(memory)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
