"""Normalisation ops, softmax among them. Each rounds once, at its end."""

from __future__ import annotations

import torch
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, op


def _per_channel(parameter: Tensor, x: Tensor) -> Tensor:
    return parameter.reshape(1, -1, *[1] * (x.dim() - 2))


def _scale_and_shift(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
    if gamma is not None:
        x = x * gamma
    return x if beta is None else x + beta


def _standardise(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + epsilon)


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    epsilon: float,
) -> Tensor:
    scale = 1.0 / torch.sqrt(variance + epsilon)
    if gamma is not None:
        scale = scale * gamma
    y = (x - _per_channel(mean, x)) * _per_channel(scale, x)
    return y if beta is None else y + _per_channel(beta, x)


def instance_norm(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, *, epsilon: float) -> Tensor:
    y = _standardise(x, list(range(2, x.dim())), epsilon)
    return _scale_and_shift(
        y,
        None if gamma is None else _per_channel(gamma, x),
        None if beta is None else _per_channel(beta, x),
    )


def layer_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, *, axes: list[int], epsilon: float
) -> Tensor:
    positive = [axis % x.dim() for axis in axes]
    # gamma and beta have only the normalised dimensions, in the order of x.
    shape = [size if axis in positive else 1 for axis, size in enumerate(x.shape)]
    return _scale_and_shift(
        _standardise(x, positive, epsilon),
        None if gamma is None else gamma.reshape(shape),
        None if beta is None else beta.reshape(shape),
    )


def l2_norm(x: Tensor, *, epsilon: float) -> Tensor:
    # Over the last three dimensions together; all before them are batch.
    return x / torch.sqrt((x * x).sum((-3, -2, -1), keepdim=True) + epsilon)


def softmax(x: Tensor, *, axis: int) -> Tensor:
    return torch.softmax(x, dim=axis)


OPS: dict[str, OpFunction] = {
    "batch_norm": op(batch_norm),
    "instance_norm": op(instance_norm),
    "layer_norm": op(layer_norm),
    "l2_norm": op(l2_norm),
    "softmax": op(softmax),
}
