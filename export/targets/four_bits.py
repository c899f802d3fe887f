"""Weights in 4 bits, with a scale for each block that costs least; converters go by the largest weight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.quantization.schemes import BLOCK

# Of a block's largest weight, where it would be the lowest of the 16 levels: what the scale may be fitted to. The last
# is for weights that were trained to lie on 7 steps to either side (`models.quantization`): they come out as they are.
_SHARES = (*np.linspace(0.6, 1.2, 25), 8 / 7)

Floats = NDArray[np.float32]


def rounded_in_blocks(
    values: Floats, axis: int, *, negative_scales: bool, block: int = BLOCK
) -> tuple[NDArray[np.int8], Floats]:
    """Whole numbers from -8 to 7, of the shape of `values`, and a scale for every block along `axis`.

    Of several scales the one with the least squared error is taken: with 16 levels, cutting the largest weight of a
    block short often costs less than coarser steps for all others.

    Args:
        values: weights; the length of `axis` is a multiple of `block`.
        axis: the one that is summed over.
        negative_scales: a scale may be negative, so that the largest weight becomes -8 whichever its sign.
        block: how many weights share a scale.
    """
    split = (*values.shape[:axis], values.shape[axis] // block, block, *values.shape[axis + 1 :])
    blocks = np.asarray(values, np.float32).reshape(split)
    within = axis + 1
    place = np.abs(blocks).argmax(axis=within, keepdims=True)
    extreme = np.take_along_axis(blocks, place, axis=within)
    if not negative_scales:
        extreme = -np.abs(extreme)
    best_scale = np.ones_like(extreme)
    best_error = np.full_like(extreme, np.inf)
    nibbles = np.zeros_like(blocks)
    for share in _SHARES:
        scale = np.where(extreme == 0, 1, extreme * np.float32(share / -8)).astype(np.float32)
        rounded = np.clip(np.rint(blocks / scale), -8, 7)
        error = ((rounded * scale - blocks) ** 2).sum(axis=within, keepdims=True)
        better = error < best_error
        best_error, best_scale = np.where(better, error, best_error), np.where(better, scale, best_scale)
        nibbles = np.where(better, rounded, nibbles)
    return nibbles.astype(np.int8).reshape(values.shape), best_scale.squeeze(within)
