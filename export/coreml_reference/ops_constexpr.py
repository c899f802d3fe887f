"""Compressed constants (`constexpr_*`), decompressed once when a program is prepared.

The iOS 16 and iOS 18 forms share their names; which one is meant shows in the inputs. Inputs may be
results of other `constexpr_*` ops, as in a weight that is pruned and palettised. coremltools can
decompress as well, but spends a whole look-up table on every weight and so runs out of memory on a
text embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ConstexprFunction = Callable[..., "Array | tuple[Array, Array]"]
"""Takes a constexpr op's inputs by their MIL names, as numpy values; returns its result or results."""


def affine_dequantize(*, quantized_data: Array, zero_point: Any, scale: Any, axis: int) -> Array:
    scale, zero_point = np.asarray(scale), np.asarray(zero_point)
    # A vector lies along `axis`; a scalar broadcasts as it is.
    along = [-1 if i == axis % quantized_data.ndim else 1 for i in range(quantized_data.ndim)]
    shifted = quantized_data.astype(np.float32) - zero_point.reshape(along).astype(np.float32)
    return (shifted * scale.reshape(along).astype(np.float32)).astype(scale.dtype)


def blockwise_shift_scale(*, data: Array, scale: Array, offset: Array | None = None) -> Array:
    # Every dimension is seen as blocks x cells: the data has the cells, scale and offset only the blocks.
    blocked, blocks = [], []
    for size, count in zip(data.shape, scale.shape, strict=True):
        blocked += [count, size // count]
        blocks += [count, 1]
    values = data.astype(np.float32).reshape(blocked)
    if offset is not None:
        values = values - offset.astype(np.float32).reshape(blocks)
    return (values * scale.astype(np.float32).reshape(blocks)).astype(scale.dtype).reshape(data.shape)


def lut_to_dense(*, indices: Array, lut: Array, shape: Array | None = None, vector_axis: int | None = None) -> Array:
    if shape is None:
        return _lut_by_blocks(indices, lut, vector_axis)
    bits = lut.size.bit_length() - 1
    return lut[_unpack(indices, bits, prod(shape.tolist()))].reshape(shape)


def _unpack(packed: Array, bits: int, count: int) -> Array:
    """The first `count` numbers of `bits` each, packed from the lowest bit of the first byte on."""
    stream = np.unpackbits(packed, count=bits * count, bitorder="little").reshape(count, bits)
    return np.packbits(stream, axis=1, bitorder="little")[:, 0]


def _lut_by_blocks(indices: Array, lut: Array, vector_axis: int | None) -> Array:
    """Values for `indices` [*D]; `lut` [*B, palettes, vector] has a table for each of the blocks B of D."""
    *blocks, palettes, length = lut.shape
    # The number of each index's table: row-major over the blocks.
    table = np.zeros((), np.int32)
    for axis, (size, count) in enumerate(zip(indices.shape, blocks, strict=True)):
        block = np.arange(size, dtype=np.int32) // (size // count)
        table = table * count + block.reshape([-1 if i == axis else 1 for i in range(indices.ndim)])
    values = lut.reshape(-1, palettes, length)[table, indices.astype(np.int32)]
    if length == 1:
        return values[..., 0]
    assert vector_axis is not None
    axis = vector_axis % indices.ndim
    dense = list(indices.shape)
    dense[axis] *= length
    return np.moveaxis(values, -1, axis + 1).reshape(dense)


def sparse_to_dense(*, nonzero_data: Array, mask: Array, shape: Array | None = None) -> Array:
    if shape is not None:
        mask = _unpack(mask, 1, prod(shape.tolist())).reshape(shape)
    dense = np.zeros(mask.shape, nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def lut_to_sparse(
    *, indices_mask: Array, indices_nonzero_data: Array, lut: Array, vector_axis: int | None = None
) -> tuple[Array, Array]:
    indices = sparse_to_dense(nonzero_data=indices_nonzero_data, mask=indices_mask)
    mask = indices_mask if vector_axis is None else np.repeat(indices_mask, lut.shape[-1], axis=vector_axis)
    return mask, _lut_by_blocks(indices, lut, vector_axis)[mask != 0]


def sparse_blockwise_shift_scale(
    *, data_mask: Array, nonzero_data: Array, scale: Array, offset: Array | None = None
) -> tuple[Array, Array]:
    data = sparse_to_dense(nonzero_data=nonzero_data, mask=data_mask)
    return data_mask, blockwise_shift_scale(data=data, scale=scale, offset=offset)[data_mask != 0]


def cast(*, source_val: Array, output_dtype: str) -> Array:
    # MIL has no other form than fp16 to fp32.
    return source_val.astype(np.float32)


CONSTEXPR_OPS: dict[str, ConstexprFunction] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_sparse_to_dense": sparse_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
    "constexpr_cast": cast,
}
