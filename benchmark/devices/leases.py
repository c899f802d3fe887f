"""One bench at a time on a device: two would measure each other.

A lease is a lock of the system on a file in the user's cache: it ends with its holder, however that ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pocketclip.benchmark.errors import DeviceBusyError
from pocketclip.models.atomic import storage_errors
from pocketclip.models.user_cache import user_cache

# Where tests that run side by side keep theirs apart.
VARIABLE = "POCKETCLIP_LEASES"


@contextmanager
def lease(key: str, *, name: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds the device of that key (see `Device.lease_key`) for the block.

    Args:
        key: the machine.
        name: what the user calls it, for messages.
        wait_seconds: how long another holder is waited for.

    Raises:
        DeviceBusyError: another process holds it; the message says which, and since when.
        StorageError: the cache cannot be written.
    """
    path = lease_file(key)
    holder = path.with_suffix(".json")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=wait_seconds, poll_interval=0.1)
        except Timeout:
            raise DeviceBusyError(
                f"{name} is in use by another process ({_holder(holder)})",
                fix="wait for it with --wait SECONDS, or stop it",
            ) from None
    try:
        with storage_errors(holder):
            holder.write_text(json.dumps({"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def lease_file(key: str) -> Path:
    """The file on which the lock of that device is."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", key)[:40]
    folder = os.environ.get(VARIABLE)
    parent = Path(folder) if folder else user_cache() / "leases"
    return parent / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.lock"


def _holder(path: Path) -> str:
    try:
        content = json.loads(path.read_text()[:1000])
        return f"process {content['pid']}, since {content['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "which has just started"
