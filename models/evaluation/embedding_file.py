"""One matrix of embeddings in a file with its key and its checksum: what both caches of embeddings keep."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from pocketclip.models import atomic
from pocketclip.models.evaluation.encoders import Embeddings


class DamagedEmbeddingsError(Exception):
    """A file does not hold what its name promises. The message completes "... is damaged: "."""


def write_embeddings(path: Path, key: str, embeddings: Embeddings) -> None:
    """Writes the matrix, whole or not at all.

    Args:
        path: a `.safetensors` file.
        key: what decides the embeddings, as one hash.
        embeddings: `(N, D)` float32.

    Raises:
        StorageError: the file cannot be written.
    """
    from safetensors.numpy import save

    digest = hashlib.sha256(embeddings.tobytes()).hexdigest()
    atomic.write_bytes(path, save({"embeddings": embeddings}, metadata={"key": key, "sha256": digest}))


def read_embeddings(path: Path, key: str, rows: int) -> Embeddings:
    """The matrix of `rows` rows that was written with that key.

    Raises:
        DamagedEmbeddingsError: the file cannot be read, or holds something else.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            # Files of older versions have another name for it.
            (name,) = opened.keys()
            embeddings = opened.get_tensor(name)
    except Exception as error:
        # safetensors raises a class of its own that it does not export under a stable name.
        raise DamagedEmbeddingsError(str(error)) from error
    if metadata.get("key") != key:
        raise DamagedEmbeddingsError("it belongs to another model or other inputs")
    if metadata.get("sha256") != hashlib.sha256(embeddings.tobytes()).hexdigest():
        raise DamagedEmbeddingsError("its checksum is wrong")
    if embeddings.ndim != 2 or len(embeddings) != rows or embeddings.dtype != np.float32:
        raise DamagedEmbeddingsError(
            f"it holds {embeddings.dtype} of shape {embeddings.shape}, not {rows} rows of float32"
        )
    return embeddings
