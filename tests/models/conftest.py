"""Deterministic weights and inputs behind the golden values (see tests/data/reference/README.md)."""

from __future__ import annotations

import resource
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch
from torch import nn


def fill_value(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight formula of the golden values: drawn from the key, scaled by the entry's role."""
    values = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape).astype(np.float32)
    last = key.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if last == "running_var":
        return 1 + 0.1 * np.abs(values)
    if last == "running_mean":
        return 0.1 * values
    if last == "logit_scale":
        return np.full(shape, np.float32(np.log(100.0)))
    if "layer_scale" in key:
        return 0.1 + 0.05 * values
    if len(shape) <= 1:
        return (1 + 0.1 * values) if last == "weight" else 0.02 * values
    if "pos_embed" in key or "embedding_layer" in key or "cls_token" in key:
        return 0.5 * values
    return values * np.float32(1.0 / np.sqrt(int(np.prod(shape[1:]))))


class GoldenInputs:
    """The weights and inputs that the golden values were made with."""

    @staticmethod
    def fill(model: nn.Module) -> None:
        state = model.state_dict()
        model.load_state_dict(
            {
                key: torch.from_numpy(np.asarray(fill_value(key, tuple(value.shape)))).to(value.dtype)
                for key, value in state.items()
            }
        )

    @staticmethod
    def images(size: int, count: int = 2) -> torch.Tensor:
        return torch.from_numpy(np.random.default_rng(1000).random((count, 3, size, size), dtype=np.float32))

    @staticmethod
    def tokens(count: int = 3, context: int = 77) -> torch.Tensor:
        rng = np.random.default_rng(2000)
        ids = np.zeros((count, context), np.int64)
        for row in ids:
            length = int(rng.integers(1, context - 2))
            row[0] = 49406
            row[1 : 1 + length] = rng.integers(256, 49000, length)
            row[1 + length] = 49407
        return torch.from_numpy(ids)


@pytest.fixture(scope="session")
def golden_inputs() -> type[GoldenInputs]:
    return GoldenInputs


@contextmanager
def _full_disk(most_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="session")
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """No file grows beyond so many bytes while the block runs, as on a full disk."""
    return _full_disk
