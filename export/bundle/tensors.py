"""Raw tensors in a bundle's folder."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from export.bundle.manifest import ElementType, StoredTensor
from export.errors import BundleCorruptError


def write_tensor(folder: Path, file: str, values: np.ndarray) -> StoredTensor:
    """Writes values as raw little-endian bytes in C order."""
    dtype = ElementType(values.dtype.name)
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.ascontiguousarray(values).astype(_numpy(dtype), copy=False).tobytes())
    return StoredTensor(file, values.shape, dtype)


def read_tensor(folder: Path, tensor: StoredTensor) -> np.ndarray:
    """Reads a stored tensor.

    Raises:
        BundleCorruptError: the file has another size than the shape says, or a value is NaN or infinite.
    """
    path, dtype = folder / tensor.file, _numpy(tensor.dtype)
    if min(tensor.shape, default=1) < 1:
        raise BundleCorruptError(f"{path} has the shape {list(tensor.shape)}; every side must be at least 1")
    size, wanted = path.stat().st_size, math.prod(tensor.shape) * dtype.itemsize
    if size != wanted:
        raise BundleCorruptError(
            f"{path} has {size} bytes; {list(tensor.shape)} of {tensor.dtype} take {wanted}; make the bundle again"
        )
    values = np.fromfile(path, dtype).reshape(tensor.shape).astype(dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BundleCorruptError(f"{path} holds NaN or infinite values; make the bundle again from sound artefacts")
    return values


def _numpy(dtype: ElementType) -> np.dtype[np.generic]:
    return np.dtype(dtype.value).newbyteorder("<")
