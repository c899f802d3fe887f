"""Raw tensors in a bundle's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pocketclip.export.artifact.stored_tensors import MOST_BUNDLED_BYTES, read_values
from pocketclip.export.bundle.manifest import ElementType, StoredTensor
from pocketclip.export.errors import BundleCorruptError


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
    return read_values(
        folder / tensor.file,
        tensor.shape,
        tensor.dtype,
        most_bytes=MOST_BUNDLED_BYTES,
        error=BundleCorruptError,
        fix="create the bundle again from valid artefacts",
    )


def _numpy(dtype: ElementType) -> np.dtype[np.generic]:
    return np.dtype(dtype.value).newbyteorder("<")
