"""Tensors in files of raw little-endian values: nothing is read whose size does not follow from its shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketclip.models.errors import PocketClipError
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.printable import printable_path

# Of one tensor in a bundle: an application reads all of them when it opens the bundle.
MOST_BUNDLED_BYTES = 64 << 20
# Of one tensor in an artefact: golden samples of large models.
MOST_BYTES = 1 << 30


def size_fault(shape: Sequence[int], dtype: str, size_bytes: int, *, most_bytes: int) -> str | None:
    """Why a file of that size does not hold such a tensor, in words that follow its name; None where it does."""
    if min(shape, default=0) < 1:
        return f"has the shape {list(shape)}; there must be sides, each of at least 1"
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if size_bytes != wanted:
        return f"has {size_bytes} bytes; {list(shape)} of {dtype} take {wanted}"
    if wanted > most_bytes:
        return f"has {wanted} bytes, more than the limit of {most_bytes}"
    return None


def read_values(
    path: Path, shape: Sequence[int], dtype: str, *, most_bytes: int, error: type[PocketClipError], fix: str
) -> np.ndarray:
    """The values of a stored tensor, in this machine's byte order.

    Raises:
        error: the file has another size than the shape says, is too large, or a value is NaN or infinite.
    """
    content = read_bounded(path, most_bytes, error=error)
    name = printable_path(path)
    fault = size_fault(shape, dtype, len(content), most_bytes=most_bytes)
    if fault is not None:
        raise error(f"{name} {fault}; {fix}")
    stored = np.dtype(dtype).newbyteorder("<")
    values = np.frombuffer(content, stored).reshape(shape).astype(np.dtype(dtype))
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise error(f"{name} holds NaN or infinite values; {fix}")
    return values
