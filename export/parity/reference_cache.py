"""PyTorch's embeddings on disk: a matrix of exports runs each tower once, not once for every worker process.

An entry is found by everything that decides it: weights, configuration, inputs, torch's version and our own code.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from pocketclip.export.artifact.source import source_sha256
from pocketclip.export.precision import Tower
from pocketclip.models import atomic
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.errors import StorageError
from pocketclip.models.evaluation.embedding_file import DamagedEmbeddingsError, read_embeddings, write_embeddings
from pocketclip.models.towers.clip import AnyModel
from pocketclip.models.user_cache import user_cache

Embeddings = NDArray[np.float32]

# An entry of 267 samples takes at most 0.8 MB.
MOST_ENTRIES = 64
_LOG = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The folder of the embeddings."""
    return user_cache() / "references"


def cached_embeddings(
    model: AnyModel,
    tower: Tower,
    form: str,
    inputs: Sequence[np.ndarray],
    compute: Callable[[], Embeddings],
    *,
    folder: Path | None = None,
) -> Embeddings:
    """What `compute` gives for the inputs, from the cache or computed and put there.

    A damaged entry is computed anew; where the cache cannot be written, a warning is logged and nothing is kept.
    Processes that need the same entry wait for the first one.

    Args:
        model: the trained model.
        tower: the encoder.
        form: which computation of the tower it is, e.g. `eager`.
        inputs: arrays of batch 1.
        compute: gives `(N, D)`, a row for each input; what is not finite is not kept.
        folder: by default `cache_folder()`.
    """
    key = _key(model, tower, form, inputs)
    path = (folder or cache_folder()) / f"{key}.safetensors"
    try:
        with atomic.storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                return _read_or_make(path, key, len(inputs), compute)
    except StorageError as error:
        _LOG.warning("embeddings of PyTorch are not cached: %s", error)
        return compute()


def _read_or_make(path: Path, key: str, rows: int, compute: Callable[[], Embeddings]) -> Embeddings:
    if path.is_file():
        try:
            return read_embeddings(path, key, rows)
        except DamagedEmbeddingsError as error:
            _LOG.warning("the cached embeddings %s are damaged (%s) and will be computed again", path, error)
    made = compute()
    if np.isfinite(made).all():
        write_embeddings(path, key, made)
        _forget_oldest(path.parent)
    return made


def _key(model: AnyModel, tower: Tower, form: str, inputs: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in inputs:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    words = {
        "weights": weights_sha256(model),
        "config": model.config.sha256,
        "tower": tower,
        "form": form,
        "inputs": digest.hexdigest(),
        "torch": torch.__version__,
        "source": source_sha256(),
    }
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()


def _forget_oldest(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.safetensors"), key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
    for stale in newest_first[MOST_ENTRIES:]:
        stale.unlink(missing_ok=True)
        stale.with_suffix(".lock").unlink(missing_ok=True)
