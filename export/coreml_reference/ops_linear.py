"""Convolution and matrix products."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, op
from pocketclip.export.coreml_reference.spatial_padding import PAD_TYPES, add_sides, sides_of

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    strides: list[int],
    pad_type: str,
    pad: list[int] | None = None,
    dilations: list[int],
    groups: int,
) -> Tensor:
    sides = sides_of(pad_type, pad, x.shape[2:], weight.shape[2:], strides, dilations)
    if all(before == after for before, after in sides):
        padding = [before for before, _ in sides]
    else:
        x, padding = add_sides(x, sides, 0.0), [0] * len(sides)
    return _CONVOLUTIONS[len(strides)](x, weight, bias, strides, padding, dilations, groups)


def _pad_type_refused(convolution: Any) -> str | None:
    pad_type = str(convolution.pad_type.val)
    return None if pad_type in PAD_TYPES else f"pad_type {pad_type}"


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if x.is_floating_point():
        return F.linear(x, weight, bias)
    product = x @ weight.T
    return product if bias is None else product + bias


def matmul(x: Tensor, y: Tensor, *, transpose_x: bool, transpose_y: bool) -> Tensor:
    if transpose_x and x.dim() > 1:
        x = x.transpose(-1, -2)
    if transpose_y and y.dim() > 1:
        y = y.transpose(-1, -2)
    return torch.matmul(x, y)


def einsum(values: list[Tensor], *, equation: str) -> Tensor:
    return torch.einsum(equation, *values)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    # Written out, because PyTorch's own op gives 0 where a row is masked as a whole; MIL's formula, NaN.
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype is torch.bool else scores + attn_mask
    return torch.softmax(scores, dim=-1) @ value


OPS: dict[str, OpFunction] = {
    "conv": op(conv, refuses=_pad_type_refused),
    "linear": op(linear),
    "matmul": op(matmul),
    "einsum": op(einsum),
    "scaled_dot_product_attention": op(scaled_dot_product_attention),
}
