"""Cases of pooling and resizing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import OpCase, randoms


def _pooled(
    x: np.ndarray,
    out: tuple[int, ...],
    *,
    kernel: list[int],
    strides: list[int],
    sides: list[tuple[int, int]],
    average: str | None,
) -> np.ndarray:
    """Pools window by window into `out` cells a dimension, read off by hand.

    `average` is "real" or "padded", by which cells the sum is divided; None takes the maximum.
    """
    result = np.zeros((*x.shape[:2], *out))
    for cell in itertools.product(*map(range, out)):
        real, padded = [], 1
        for i, s, k, (before, after), size in zip(cell, strides, kernel, sides, x.shape[2:], strict=True):
            start = i * s - before
            real.append(slice(max(start, 0), min(start + k, size)))
            padded *= min(start + k, size + after) - start
        window = x[(slice(None), slice(None), *real)].reshape(*x.shape[:2], -1)
        if average is None:
            result[(slice(None), slice(None), *cell)] = window.max(-1)
        else:
            count = window.shape[-1] if average == "real" else padded
            result[(slice(None), slice(None), *cell)] = window.sum(-1) / count
    return result


def _pool_case(
    op_type: str,
    note: str,
    out: tuple[int, ...],
    *,
    size: tuple[int, ...] = (7, 6),
    kernel: list[int],
    strides: list[int],
    sides: list[tuple[int, int]],
    real: bool = True,
    **options: Any,
) -> OpCase:
    if op_type == "avg_pool":
        options["exclude_padding_from_average"] = real
    return OpCase(
        op_type,
        lambda _, x: getattr(mb, op_type)(x=x, kernel_sizes=kernel, strides=strides, **options),
        [randoms(2, 3, *size, scale=2.0) - (4 if op_type == "max_pool" else 0)],
        lambda x: _pooled(
            x,
            out,
            kernel=kernel,
            strides=strides,
            sides=sides,
            average=None if op_type == "max_pool" else "real" if real else "padded",
        ),
        note,
        exact=op_type == "max_pool",
    )


def _forms(op_type: str, **real: bool) -> list[OpCase]:
    """The forms that both poolings share."""
    note = "" if real.get("real", True) else "-padding-counts"
    square = {"kernel": [3, 3], "strides": [2, 2], **real}
    return [
        _pool_case(op_type, "valid" + note, (3, 2), sides=[(0, 0), (0, 0)], pad_type="valid", **square),
        _pool_case(
            op_type,
            "custom" + note,
            (4, 3),
            sides=[(1, 1), (1, 1)],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            **square,
        ),
        _pool_case(
            op_type,
            "asymmetric" + note,
            (3, 4),
            sides=[(0, 1), (2, 1)],
            pad_type="custom",
            pad=[0, 1, 2, 1],
            **square,
        ),
        _pool_case(op_type, "same" + note, (4, 3), sides=[(1, 1), (0, 1)], pad_type="same", **square),
        _pool_case(op_type, "same-lower" + note, (4, 3), sides=[(1, 1), (1, 0)], pad_type="same_lower", **square),
        # The last window of the six columns hangs over by one.
        _pool_case(op_type, "ceil" + note, (3, 3), sides=[(0, 0), (0, 0)], pad_type="valid", ceil_mode=True, **square),
        # With 8 padded columns the fourth window would start at column 6, in the padding: it is left out.
        _pool_case(
            op_type,
            "ceil-padded" + note,
            (4, 4),
            sides=[(1, 1), (1, 1)],
            pad_type="custom",
            pad=[1, 1, 1, 1],
            ceil_mode=True,
            **square,
        ),
        _pool_case(
            op_type,
            "1d" + note,
            (4,),
            size=(9,),
            kernel=[2],
            strides=[2],
            sides=[(0, 0)],
            pad_type="valid",
            **real,
        ),
        _pool_case(
            op_type,
            "3d" + note,
            (2, 1, 2),
            size=(3, 2, 3),
            kernel=[2, 2, 2],
            strides=[1, 1, 1],
            sides=[(0, 0)] * 3,
            pad_type="valid",
            **real,
        ),
    ]


def _bilinear(x: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`x` read at fractional rows and columns."""

    def weights(points: np.ndarray, size: int) -> np.ndarray:
        return np.maximum(0, 1 - np.abs(points[:, None] - np.arange(size)))

    return weights(rows, x.shape[-2]) @ x @ weights(columns, x.shape[-1]).T


def _corners(size: int, out: int) -> np.ndarray:
    return np.arange(out) * (size - 1) / (out - 1)


def _centres(size: int, out: int) -> np.ndarray:
    return np.clip((np.arange(out) + 0.5) * size / out - 0.5, 0, size - 1)


IMAGE = randoms(2, 3, 3, 4)

CASES: list[OpCase] = [
    *_forms("max_pool"),
    *_forms("avg_pool", real=True),
    *_forms("avg_pool", real=False),
    OpCase(
        "upsample_nearest_neighbor",
        lambda _, x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        [IMAGE],
        lambda x: np.repeat(np.repeat(x, 2, -2), 3, -1),
        exact=True,
    ),
    OpCase(
        "upsample_bilinear",
        lambda _, x: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=2, align_corners=True),
        [IMAGE],
        lambda x: _bilinear(x, _corners(3, 6), _corners(4, 8)),
        "corners",
    ),
    OpCase(
        "upsample_bilinear",
        lambda _, x: mb.upsample_bilinear(
            x=x, scale_factor_height=2.5, scale_factor_width=2.0, align_corners=False, half_pixel_centers=True
        ),
        [IMAGE],
        lambda x: _bilinear(x, _centres(3, 7), _centres(4, 8)),
        "centres",
    ),
    OpCase(
        "resize_bilinear",
        lambda _, x: mb.resize_bilinear(
            x=x, target_size_height=5, target_size_width=6, sampling_mode="STRICT_ALIGN_CORNERS"
        ),
        [IMAGE],
        lambda x: _bilinear(x, _corners(3, 5), _corners(4, 6)),
        "corners",
    ),
    OpCase(
        "resize_bilinear",
        lambda _, x: mb.resize_bilinear(
            x=x, target_size_height=5, target_size_width=6, sampling_mode="UNALIGN_CORNERS"
        ),
        [IMAGE],
        lambda x: _bilinear(x, _centres(3, 5), _centres(4, 6)),
        "centres",
    ),
]
