"""Folders of this computer for what passes through while something is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pocketclip.benchmark.transport.orphans import guard_folder, release_folder
from pocketclip.models.atomic import storage_errors


@contextmanager
def scratch_folder(prefix: str = "pocketclip-bench-") -> Iterator[Path]:
    """An empty folder, removed at the end, also where this process is killed.

    Raises:
        StorageError: it cannot be made.
    """
    with storage_errors(Path(tempfile.gettempdir())):
        # Errors at removal (a file that an orphan still writes) must not hide what was measured.
        folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    with folder as name:
        guard_folder(Path(name))
        try:
            yield Path(name)
        finally:
            release_folder(Path(name))
