"""Reductions. Sums accumulate in float32 and round once; integer reductions stay integers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, op

Axes = list[int] | None


def _all_axes(x: Tensor, axes: Axes) -> list[int]:
    return list(range(x.dim())) if axes is None else axes


def _reduction(compute: Callable[[Tensor, list[int], bool], Tensor], *, rounds: bool = True) -> OpFunction:
    def reduce(x: Tensor, *, axes: Axes = None, keep_dims: bool) -> Tensor:
        return compute(x, _all_axes(x, axes), keep_dims)

    return op(reduce, rounds=rounds)


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    # Of integers too; storing the result cuts its fraction off.
    return torch.mean(x.float(), axes, keepdim=keep)


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, dim=axis, keepdim=keep)
    return x


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.sum(x, axes, keepdim=keep)


def reduce_argmax(x: Tensor, *, axis: int, keep_dims: bool, output_dtype: str = "int32") -> Tensor:
    return torch.argmax(x, dim=axis, keepdim=keep_dims)


def reduce_argmin(x: Tensor, *, axis: int, keep_dims: bool, output_dtype: str = "int32") -> Tensor:
    return torch.argmin(x, dim=axis, keepdim=keep_dims)


OPS: dict[str, OpFunction] = {
    "reduce_sum": _reduction(_sum),
    "reduce_mean": _reduction(_mean),
    "reduce_prod": _reduction(_product),
    "reduce_max": _reduction(lambda x, axes, keep: torch.amax(x, axes, keep), rounds=False),
    "reduce_min": _reduction(lambda x, axes, keep: torch.amin(x, axes, keep), rounds=False),
    "reduce_l1_norm": _reduction(lambda x, axes, keep: _sum(torch.abs(x), axes, keep)),
    "reduce_l2_norm": _reduction(lambda x, axes, keep: torch.sqrt(_sum(x * x, axes, keep))),
    "reduce_sum_square": _reduction(lambda x, axes, keep: _sum(x * x, axes, keep)),
    "reduce_log_sum": _reduction(lambda x, axes, keep: torch.log(_sum(x, axes, keep))),
    "reduce_log_sum_exp": _reduction(lambda x, axes, keep: torch.logsumexp(x.float(), axes, keep)),
    "reduce_argmax": op(reduce_argmax, rounds=False),
    "reduce_argmin": op(reduce_argmin, rounds=False),
}
