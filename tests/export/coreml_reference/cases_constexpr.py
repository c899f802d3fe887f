"""Cases of the compressed constants: values worked out by hand, and compression read back."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

from .op_case import IOS16, IOS18, OpCase

UINT1, UINT2, UINT4, UINT6, INT4 = (
    types.nptype_from_builtin(t) for t in (types.uint1, types.uint2, types.uint4, types.uint6, types.int4)
)


def _constant(op_type: str, note: str, build: Any, expected: Any, *, target: Any = IOS16, **options: Any) -> OpCase:
    """The constant that `build` describes, added to zeros of its shape so that the program has an input."""
    want = np.asarray(expected, np.float64)

    def program(t: Any, x: Any) -> Any:
        return mb.add(x=x, y=build(t))

    return OpCase(
        op_type,
        program,
        [np.zeros(want.shape, np.float32)],
        lambda _: want,
        note,
        target,
        exact=True,
        **options,
    )


def _typed(values: Any, dtype: Any) -> np.ndarray:
    return np.array(values).astype(dtype)


MASK = [[1, 0, 0, 1], [0, 1, 0, 0]]


def _pruned_and_palettised(t: Any) -> Any:
    mask, data = mb.constexpr_lut_to_sparse(
        indices_mask=_typed(MASK, UINT1),
        indices_nonzero_data=_typed([3, 0, 2], UINT2),
        lut=t([-1.5, 2.5, 0.25, 8]).reshape(1, 1, 4, 1),
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=data, mask=mask)


def _pruned_and_palettised_by_rows(t: Any) -> Any:
    """A table for each row."""
    mask, data = mb.constexpr_lut_to_sparse(
        indices_mask=_typed(MASK, UINT1),
        indices_nonzero_data=_typed([3, 0, 2], UINT2),
        lut=t([-1.5, 2.5, 0.25, 8, 1, 2, 3, 4]).reshape(2, 1, 4, 1),
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=data, mask=mask)


def _pruned_and_palettised_by_vectors(t: Any) -> Any:
    mask, data = mb.constexpr_lut_to_sparse(
        indices_mask=_typed([[1, 0], [1, 1]], UINT1),
        indices_nonzero_data=_typed([0, 1, 1], UINT1),
        lut=t([[2, 3], [4, 5]]).reshape(1, 1, 2, 2),
        vector_axis=0,
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=data, mask=mask)


def _pruned_and_quantised(t: Any) -> Any:
    mask, data = mb.constexpr_sparse_blockwise_shift_scale(
        data_mask=_typed([[1, 1, 0], [0, 1, 1]], UINT1),
        nonzero_data=np.int8([10, 11, 3, 4]),
        scale=t([[0.5, 0.25, 2]]),
        offset=np.int8([[1, 2, 3]]),
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=data, mask=mask)


def _palette_of_bytes(t: Any) -> Any:
    """A palette that is itself quantised: indices to int8, int8 to float."""
    bytes_ = mb.constexpr_lut_to_dense(
        indices=_typed([[0, 1], [3, 2]], UINT2), lut=np.int8([-100, 7, 20, 127]).reshape(1, 1, 4, 1)
    )
    return mb.constexpr_blockwise_shift_scale(data=bytes_, scale=t([[0.5], [0.25]]))


CASES: list[OpCase] = [
    _constant(
        "constexpr_affine_dequantize",
        "per-channel",
        lambda t: mb.constexpr_affine_dequantize(
            quantized_data=np.int8([[-128, 0], [5, 127]]),
            zero_point=np.int8([0, -3]),
            scale=t([0.5, 0.25]),
            axis=0,
        ),
        [[-64, 0], [2, 32.5]],
    ),
    _constant(
        "constexpr_affine_dequantize",
        "last-axis-uint8",
        lambda t: mb.constexpr_affine_dequantize(
            quantized_data=np.uint8([[0, 255], [200, 100]]),
            zero_point=np.uint8([128, 100]),
            scale=t([0.5, 0.25]),
            axis=-1,
        ),
        [[-64, 38.75], [36, 0]],
    ),
    _constant(
        "constexpr_affine_dequantize",
        "per-tensor",
        lambda t: mb.constexpr_affine_dequantize(
            quantized_data=np.uint8([[0, 255]]), zero_point=np.uint8(128), scale=t(0.5), axis=0
        ),
        [[-64, 63.5]],
    ),
    _constant(
        "constexpr_lut_to_dense",
        "2-bit-iOS16",
        # From the lowest bits on: 1, 0, 3, 2 in the first byte, 3 in the second.
        lambda t: mb.constexpr_lut_to_dense(
            indices=np.uint8([0b10110001, 0b11]), lut=t([-1, 0.5, 2, 8]), shape=np.uint32([5, 1])
        ),
        [[0.5], [-1], [8], [2], [8]],
    ),
    _constant(
        "constexpr_lut_to_dense",
        "6-bit-iOS16",
        # 6-bit indices cross the bytes: 5 = 000101, 63 = 111111, 32 = 100000, packed from the low end.
        lambda t: mb.constexpr_lut_to_dense(
            indices=np.uint8([0b11000101, 0b00001111, 0b10]), lut=t(np.arange(64) / 4), shape=np.uint32([3])
        ),
        [1.25, 15.75, 8],
    ),
    _constant(
        "constexpr_lut_to_dense",
        "8-bit-iOS16",
        lambda t: mb.constexpr_lut_to_dense(
            indices=np.uint8([7, 0, 255, 128]), lut=t(np.arange(256) / 8), shape=np.uint32([2, 2])
        ),
        [[0.875, 0], [31.875, 16]],
    ),
    _constant(
        "constexpr_lut_to_dense",
        "two-tables",
        lambda t: mb.constexpr_lut_to_dense(
            indices=_typed([[2, 3], [3, 0], [1, 0], [3, 0], [2, 1], [0, 3]], UINT2),
            lut=t([1, 5, 9, 13, 2, 10, 18, 26]).reshape(2, 1, 4, 1),
        ),
        [[9, 13], [13, 1], [5, 1], [26, 2], [18, 10], [2, 26]],
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_dense",
        "6-bit-table-per-two-output-channels",
        # Of a 1x1 convolution with four output and two input channels.
        lambda t: mb.constexpr_lut_to_dense(
            indices=_typed([[63, 0], [1, 2], [63, 0], [1, 2]], UINT6).reshape(4, 2, 1, 1),
            lut=t(np.concatenate([np.arange(64) / 4, -np.arange(64) / 2])).reshape(2, 1, 1, 1, 64, 1),
        ),
        np.reshape([[15.75, 0], [0.25, 0.5], [-31.5, 0], [-0.5, -1]], (4, 2, 1, 1)),
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_dense",
        "table-per-column-pair",
        lambda t: mb.constexpr_lut_to_dense(
            indices=_typed([[0, 1, 1, 0], [1, 1, 0, 0]], UINT1), lut=t([1, 2, 3, 4]).reshape(1, 2, 2, 1)
        ),
        [[1, 2, 4, 3], [2, 2, 3, 3]],
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_dense",
        "vectors-first-axis",
        lambda t: mb.constexpr_lut_to_dense(
            indices=_typed([[0, 1], [1, 0]], UINT1),
            lut=t([[1, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3),
            vector_axis=0,
        ),
        [[1, 4], [2, 5], [3, 6], [4, 1], [5, 2], [6, 3]],
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_dense",
        "vectors-last-axis",
        lambda t: mb.constexpr_lut_to_dense(
            indices=_typed([[0, 1], [1, 0]], UINT1),
            lut=t([[1, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3),
            vector_axis=-1,
        ),
        [[1, 2, 3, 4, 5, 6], [4, 5, 6, 1, 2, 3]],
        target=IOS18,
    ),
    _constant(
        "constexpr_sparse_to_dense",
        "iOS16",
        # Elements 0, 3 and 5, from the lowest bit on.
        lambda t: mb.constexpr_sparse_to_dense(
            nonzero_data=t([1.5, -2, 4]), mask=np.uint8([0b101001]), shape=np.uint32([2, 4])
        ),
        [[1.5, 0, 0, -2], [0, 4, 0, 0]],
    ),
    _constant(
        "constexpr_sparse_to_dense",
        "iOS18",
        lambda t: mb.constexpr_sparse_to_dense(nonzero_data=t([1.5, -2, 4]), mask=_typed(MASK, UINT1)),
        [[1.5, 0, 0, -2], [0, 4, 0, 0]],
        target=IOS18,
    ),
    _constant(
        "constexpr_blockwise_shift_scale",
        "int4-blocks-offset",
        lambda t: mb.constexpr_blockwise_shift_scale(
            data=_typed([[-8, 7, 1, 2], [3, -4, 5, 0]], INT4),
            scale=t([[0.5, 2], [0.25, 1]]),
            offset=_typed([[1, 0], [-1, 2]], INT4),
        ),
        [[-4.5, 3, 2, 4], [1, -0.75, 3, -2]],
        target=IOS18,
    ),
    _constant(
        "constexpr_blockwise_shift_scale",
        "uint4-per-tensor",
        lambda t: mb.constexpr_blockwise_shift_scale(
            data=_typed([[0, 15], [8, 3]], UINT4), scale=t([[0.5]]), offset=_typed([[8]], UINT4)
        ),
        [[-4, 3.5], [0, -2.5]],
        target=IOS18,
    ),
    _constant(
        "constexpr_blockwise_shift_scale",
        "int8-no-offset",
        lambda t: mb.constexpr_blockwise_shift_scale(data=np.int8([[-128], [127]]), scale=t([[0.5], [2]])),
        [[-64], [254]],
        target=IOS18,
    ),
    _constant(
        "constexpr_blockwise_shift_scale",
        "of-a-palette",
        _palette_of_bytes,
        [[-50, 3.5], [31.75, 5]],
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_sparse",
        "scalars",
        _pruned_and_palettised,
        [[8, 0, 0, -1.5], [0, 0.25, 0, 0]],
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_sparse",
        "table-per-row",
        _pruned_and_palettised_by_rows,
        [[8, 0, 0, -1.5], [0, 3, 0, 0]],
        target=IOS18,
    ),
    _constant(
        "constexpr_lut_to_sparse",
        "vectors",
        _pruned_and_palettised_by_vectors,
        [[2, 0], [3, 0], [4, 4], [5, 5]],
        target=IOS18,
    ),
    _constant(
        "constexpr_sparse_blockwise_shift_scale",
        "",
        _pruned_and_quantised,
        [[4.5, 2.25, 0], [0, 0.25, 2]],
        target=IOS18,
    ),
    OpCase(
        "constexpr_cast",
        lambda t, x: mb.add(x=x, y=mb.constexpr_cast(source_val=np.float16([0.1, -2]), output_dtype="fp32")),
        [np.zeros(2, np.float32)],
        lambda _: np.float64(np.float16([0.1, -2])),
        only_fp32=True,
        exact=True,
    ),
]
