"""Quantisation of activations (W8A8): affine, per tensor or per channel."""

from __future__ import annotations

import torch
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, op


def _along(parameter: Tensor, x: Tensor, axis: int | None) -> Tensor:
    """A scalar as it is; a vector shaped to lie along `axis` of x."""
    if parameter.dim() == 0:
        return parameter
    assert axis is not None
    return parameter.reshape([-1 if i == axis % x.dim() else 1 for i in range(x.dim())])


def quantize(
    input: Tensor,
    scale: Tensor,
    zero_point: Tensor | None = None,
    *,
    output_dtype: str,
    axis: int | None = None,
) -> Tensor:
    quantised = torch.round(input / _along(scale, input, axis))
    if zero_point is not None:
        quantised = quantised + _along(zero_point, input, axis)
    limits = torch.iinfo(getattr(torch, output_dtype))
    return quantised.clamp(limits.min, limits.max)


def dequantize(input: Tensor, scale: Tensor, zero_point: Tensor | None = None, *, axis: int | None = None) -> Tensor:
    shifted = input if zero_point is None else input - _along(zero_point, input, axis)
    return shifted.float() * _along(scale, input, axis)


OPS: dict[str, OpFunction] = {
    "quantize": op(quantize, rounds=False),
    "dequantize": op(dequantize),
}
