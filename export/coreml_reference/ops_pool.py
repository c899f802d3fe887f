"""Pooling and resizing of the spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, copying, op
from pocketclip.export.coreml_reference.spatial_padding import PAD_TYPES, Sides, add_sides, sides_of

_AVERAGES = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _overhang(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], sides: Sides, ceil_mode: bool
) -> Sides:
    """The cells after the padding that the last windows of ceil mode reach into."""
    overhang: Sides = []
    for cells, reach, stride, (before, after) in zip(size, kernel, strides, sides, strict=True):
        padded = cells + before + after
        outputs = (padded - reach) // stride + 1
        if ceil_mode:
            outputs = -(-(padded - reach) // stride) + 1
            # As in PyTorch, no window starts in the padding at the end.
            if (outputs - 1) * stride >= cells + before and before + after > 0:
                outputs -= 1
        overhang.append((0, max(0, (outputs - 1) * stride + reach - padded)))
    return overhang


def avg_pool(
    x: Tensor,
    *,
    kernel_sizes: list[int],
    strides: list[int],
    pad_type: str,
    pad: list[int] | None = None,
    ceil_mode: bool,
    exclude_padding_from_average: bool,
) -> Tensor:
    size, average = x.shape[2:], _AVERAGES[len(kernel_sizes)]
    sides = sides_of(pad_type, pad, size, kernel_sizes, strides)
    overhang = _overhang(size, kernel_sizes, strides, sides, ceil_mode)
    pooled = average(add_sides(add_sides(x, sides, 0.0), overhang, 0.0), kernel_sizes, strides)
    if sides == overhang == [(0, 0)] * len(size):
        return pooled
    # The share of each window's cells that count: never those of the overhang.
    padding_counts = 0.0 if exclude_padding_from_average else 1.0
    counted = add_sides(x.new_ones((1, 1, *size)), sides, padding_counts)
    return pooled / average(add_sides(counted, overhang, 0.0), kernel_sizes, strides)


def max_pool(
    x: Tensor,
    *,
    kernel_sizes: list[int],
    strides: list[int],
    pad_type: str,
    pad: list[int] | None = None,
    ceil_mode: bool,
) -> Tensor:
    size = x.shape[2:]
    sides = sides_of(pad_type, pad, size, kernel_sizes, strides)
    x = add_sides(x, sides, -math.inf)
    x = add_sides(x, _overhang(size, kernel_sizes, strides, sides, ceil_mode), -math.inf)
    return _MAXIMA[len(kernel_sizes)](x, kernel_sizes, strides)


def _pad_type_refused(pool: Any) -> str | None:
    pad_type = str(pool.pad_type.val)
    return None if pad_type in PAD_TYPES else f"pad_type {pad_type}"


def _interpolate(x: Tensor, size: list[int], **mode: Any) -> Tensor:
    """Resizes the last two dimensions of a tensor of rank 3 or more."""
    planes = x.reshape(1, -1, *x.shape[-2:])
    return F.interpolate(planes, size=size, **mode).reshape(*x.shape[:-2], *size)


def _scaled(x: Tensor, height: float, width: float) -> list[int]:
    return [math.floor(x.shape[-2] * height), math.floor(x.shape[-1] * width)]


def upsample_nearest_neighbor(x: Tensor, *, scale_factor_height: float, scale_factor_width: float) -> Tensor:
    return _interpolate(x, _scaled(x, scale_factor_height, scale_factor_width), mode="nearest")


def _fraction_refused(resize: Any) -> str | None:
    factors = float(resize.scale_factor_height.val), float(resize.scale_factor_width.val)
    # Which neighbour a fractional factor picks is not specified.
    return None if all(factor.is_integer() for factor in factors) else f"fractional scale factors {factors}"


def upsample_bilinear(
    x: Tensor,
    *,
    scale_factor_height: float,
    scale_factor_width: float,
    align_corners: bool,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    size = _scaled(x, scale_factor_height, scale_factor_width)
    return _interpolate(x, size, mode="bilinear", align_corners=align_corners)


def _pixel_centers_refused(resize: Any) -> str | None:
    centers = resize.inputs.get("half_pixel_centers")
    if centers is None or bool(centers.val) is not bool(resize.align_corners.val):
        return None
    return f"half_pixel_centers = align_corners = {bool(centers.val)}"


def resize_bilinear(x: Tensor, *, target_size_height: int, target_size_width: int, sampling_mode: str) -> Tensor:
    return _interpolate(
        x,
        [target_size_height, target_size_width],
        mode="bilinear",
        align_corners=sampling_mode == "STRICT_ALIGN_CORNERS",
    )


def _sampling_refused(resize: Any) -> str | None:
    mode = str(resize.sampling_mode.val)
    return None if mode in ("STRICT_ALIGN_CORNERS", "UNALIGN_CORNERS") else f"sampling_mode {mode}"


OPS: dict[str, OpFunction] = {
    "avg_pool": op(avg_pool, refuses=_pad_type_refused),
    "max_pool": copying(max_pool, refuses=_pad_type_refused),
    "upsample_nearest_neighbor": copying(upsample_nearest_neighbor, refuses=_fraction_refused),
    "upsample_bilinear": op(upsample_bilinear, refuses=_pixel_centers_refused),
    "resize_bilinear": op(resize_bilinear, refuses=_sampling_refused),
}
