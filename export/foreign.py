"""Model files that somebody else may have made or damaged: read in a child process with bounds, errors in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pocketclip.export.errors import ArtifactCorruptError, ModelRunError
from pocketclip.models.reading_child import GIB, Bounds, Child, ChildFault

Result = TypeVar("Result")

# torch, ExecuTorch and coremltools take 1.1 GiB of it with nothing read, and threads have stacks of their own.
_READING_BYTES, _THREAD_BYTES = 2 * GIB, 16 << 20
# Of the file's size: its bytes, the reader's objects, the values as arrays, a runtime's own copies.
_COPIES = 8
_READING_S, _SECONDS_PER_MB = 120.0, 1.0
# Running a model takes activations besides, and a slow computer minutes for a large one.
_RUNNING_BYTES, _RUNNING_S = 4 * GIB, 600.0


def reading_bounds(paths: Iterable[Path]) -> Bounds:
    """What reading model files or packages may take, by their size."""
    size = sum(map(size_on_disk, paths))
    memory = _READING_BYTES + _THREAD_BYTES * (os.cpu_count() or 1) + _COPIES * size
    return Bounds(memory, _READING_S + _SECONDS_PER_MB * size / 1e6)


def running_bounds(paths: Iterable[Path]) -> Bounds:
    """What loading and running models may take between two signs of progress."""
    reading = reading_bounds(paths)
    return Bounds(reading.memory_bytes + _RUNNING_BYTES, reading.idle_s + _RUNNING_S)


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path]
    if path.is_dir():
        files = [Path(parent, name) for parent, _, names in os.walk(path) for name in names]
    return sum(file.stat().st_size for file in files if file.is_file())


def read(child: Child, function: Callable[..., Result], *arguments: object, about: Path, files: list[Path]) -> Result:
    """What a function gives for a model file, computed in the child.

    Raises:
        ArtifactCorruptError: what reads the file raised an error of its own, crashed, hung, or took too much memory.
        PocketClipError: the function's own.
    """
    try:
        return child.call(function, *arguments, bounds=reading_bounds(files))
    except ChildFault as fault:
        raise ArtifactCorruptError(f"{about} cannot be read: {fault}") from None


def run(
    child: Child,
    function: Callable[..., Result],
    *arguments: object,
    about: str,
    files: list[Path],
    on_sign: Callable[[Any], object] | None = None,
    memory_bytes: int = 0,
    idle_s: float = 0.0,
) -> Result:
    """The same for a function that runs models, and may tell its progress; the larger bound of each kind holds.

    Raises:
        ModelRunError: the runtime crashed, hung, took too much memory or raised an error of its own.
        PocketClipError: the function's own.
    """
    bounds = running_bounds(files)
    bounds = Bounds(max(bounds.memory_bytes, memory_bytes), max(bounds.idle_s, idle_s))
    try:
        return child.call(function, *arguments, bounds=bounds, on_sign=on_sign)
    except ChildFault as fault:
        raise ModelRunError(f"{about} cannot be run: {fault}") from None
