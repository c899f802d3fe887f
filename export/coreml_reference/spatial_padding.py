"""The padding rules that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

Sides = list[tuple[int, int]]
"""Cells added before and after each spatial dimension."""


def sides_of(
    pad_type: str,
    pad: Sequence[int] | None,
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int] | None = None,
) -> Sides:
    """The cells to add around an input of spatial size `size`; all sequences are one entry a dimension.

    `same` gives ceil(size / stride) outputs and puts an odd cell after, `same_lower` before the input.
    """
    if pad_type == "custom":
        assert pad is not None
        return [(pad[2 * i], pad[2 * i + 1]) for i in range(len(size))]
    if pad_type == "valid":
        return [(0, 0)] * len(size)
    sides: Sides = []
    for i, (cells, reach, stride) in enumerate(zip(size, kernel, strides, strict=True)):
        covered = (reach - 1) * (dilations[i] if dilations else 1) + 1
        total = max(0, (-(-cells // stride) - 1) * stride + covered - cells)
        less, more = total // 2, total - total // 2
        sides.append((less, more) if pad_type == "same" else (more, less))
    return sides


def add_sides(x: Tensor, sides: Sides, value: float) -> Tensor:
    """`x` with its last `len(sides)` dimensions extended by cells of `value`."""
    if all(side == (0, 0) for side in sides):
        return x
    # PyTorch lists the last dimension first.
    return F.pad(x, [cells for side in reversed(sides) for cells in side], value=value)


PAD_TYPES = ("valid", "custom", "same", "same_lower")
