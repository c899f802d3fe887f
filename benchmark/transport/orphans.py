"""Ends programs and removes folders of this process when it is killed, which leaves it no time to do so itself.

A small process of its own holds the other end of a pipe. It is told what there is, and acts when the pipe closes:
that happens however this process ends. It costs one interpreter, which sleeps in a read.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

# Lines of a sign, a kind and a value; folders in hex, for their names may be any bytes.
_GUARD = """
import os, shutil, signal, sys
groups, folders = [], []
for line in sys.stdin:
    sign, kind, value = line.split()
    known, entry = (groups, int(value)) if kind == "group" else (folders, bytes.fromhex(value))
    if sign == "+":
        known.append(entry)
    elif entry in known:
        known.remove(entry)
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


class _Guard:
    """The process, started when it is first needed; without one, nothing changes but what a kill leaves behind."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def tell(self, sign: str, kind: str, value: str) -> None:
        # POSIX alone has process groups.
        if os.name != "posix":
            return
        with self._lock, contextlib.suppress(OSError):
            # After a fork, the pipe is the parent's.
            if self._process is None or self._owner != os.getpid():
                self._start()
            assert self._process is not None and self._process.stdin is not None
            self._process.stdin.write(f"{sign} {kind} {value}\n".encode())
            self._process.stdin.flush()

    def _start(self) -> None:
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for those who can end in good order.
            start_new_session=True,
            cwd="/",
        )
        atexit.register(self.close)

    def close(self) -> None:
        """Lets the process end; it does what is still to be done."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and self._owner == os.getpid():
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()


_GUARD_PROCESS = _Guard()


def guard_group(group: int) -> None:
    """A process group that shall not outlive this process."""
    _GUARD_PROCESS.tell("+", "group", str(group))


def release_group(group: int) -> None:
    """The group has ended: its number may become another's."""
    _GUARD_PROCESS.tell("-", "group", str(group))


def guard_folder(folder: Path) -> None:
    """A folder that shall not outlive this process."""
    _GUARD_PROCESS.tell("+", "folder", os.fsencode(folder.absolute()).hex())


def release_folder(folder: Path) -> None:
    """The folder is gone, or is to stay."""
    _GUARD_PROCESS.tell("-", "folder", os.fsencode(folder.absolute()).hex())
