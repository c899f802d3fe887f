"""Who holds a database of SQLite, as far as the system tells."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")
# The file itself, and the one on which the locks of WAL mode are.
_SUFFIXES = ("", "-shm", "-wal")


def lock_holders(file: Path) -> list[str]:
    """The other processes that hold locks on a database, those that write first, e.g. `process 4711 (sqlitebrowser)`.

    Empty where the system does not tell: it is Linux that does.
    """
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return []
    inodes = {path.stat().st_ino for suffix in _SUFFIXES if (path := Path(f"{file}{suffix}")).exists()}
    found: dict[int, bool] = {}
    for line in lines:
        # "1: POSIX  ADVISORY  WRITE 4711 08:01:131 0 EOF"; who waits has an arrow before the kind.
        words = line.split()
        if len(words) < 8 or "->" in words or not words[5].rpartition(":")[2].isdecimal():
            continue
        holder, inode = words[4], int(words[5].rpartition(":")[2])
        if inode in inodes and holder.isdecimal() and int(holder) not in (0, os.getpid()):
            found[int(holder)] = found.get(int(holder), False) or words[3] == "WRITE"
    writing = [pid for pid, writes in found.items() if writes]
    return [_named(pid) for pid in (writing or found)]


def _named(pid: int) -> str:
    try:
        return f"process {pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    except OSError:
        return f"process {pid}"
