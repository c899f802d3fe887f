"""Ops that read by index, sort, or make values from sizes and indices."""

from __future__ import annotations

import torch
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, copying, op


def gather(x: Tensor, indices: Tensor, *, axis: int, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    axis %= x.dim()
    if batch_dims > 0:
        rows = zip(x, indices, strict=True)
        return torch.stack([gather(a, b, axis=axis - 1, batch_dims=batch_dims - 1) for a, b in rows])
    picked = x.index_select(axis, _from_start(indices, x.shape[axis]).flatten())
    return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def gather_along_axis(x: Tensor, indices: Tensor, *, axis: int, validate_indices: bool = False) -> Tensor:
    return torch.gather(x, axis, _from_start(indices, x.shape[axis]))


def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    if batch_dims > 0:
        rows = zip(x, indices, strict=True)
        return torch.stack([gather_nd(a, b, batch_dims=batch_dims - 1) for a, b in rows])
    return x[tuple(indices.long().unbind(-1))]


def _from_start(indices: Tensor, size: int) -> Tensor:
    """Indices counted from the start. iOS 17 leaves negative ones undefined, iOS 15 and 16 allow them."""
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


def one_hot(indices: Tensor, *, one_hot_vector_size: int, axis: int, on_value: float, off_value: float) -> Tensor:
    axis %= indices.dim() + 1
    # The position along the new axis, shaped so that it broadcasts against the indices.
    position = torch.arange(one_hot_vector_size).reshape(-1, *[1] * (indices.dim() - axis))
    return torch.where(indices.unsqueeze(axis) == position, on_value, off_value)


def topk(
    x: Tensor,
    *,
    k: int,
    axis: int,
    ascending: bool,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> Tensor | tuple[Tensor, Tensor]:
    values, indices = torch.sort(x, dim=axis, descending=not ascending, stable=True)
    if k != -1:
        values, indices = values.narrow(axis, 0, k), indices.narrow(axis, 0, k)
    return (values, indices) if return_indices else values


def band_part(x: Tensor, *, lower: int, upper: int) -> Tensor:
    below = torch.arange(x.shape[-2])[:, None] - torch.arange(x.shape[-1])
    kept = ((below <= lower) | (lower < 0)) & ((-below <= upper) | (upper < 0))
    # Selected, where MIL's text multiplies: an infinity outside the band becomes 0 all the same.
    return torch.where(kept, x, torch.zeros_like(x))


def cumsum(x: Tensor, *, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    if reverse:
        x = x.flip(axis)
    sums = torch.cumsum(x, dim=axis)
    if exclusive:
        earlier = sums.narrow(axis, 0, sums.shape[axis] - 1)
        sums = torch.cat([torch.zeros_like(sums.narrow(axis, 0, 1)), earlier], dim=axis)
    return sums.flip(axis) if reverse else sums


def shape(x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.int32)


def fill(*, shape: list[int], value: float) -> Tensor:
    return torch.full(shape, value)


def fill_like(ref_tensor: Tensor, *, value: float) -> Tensor:
    return torch.full(ref_tensor.shape, value)


def range_1d(*, start: float, end: float, step: float) -> Tensor:
    # In double precision, so that the number of values does not depend on rounding.
    return torch.arange(start, end, step, dtype=torch.float64)


OPS: dict[str, OpFunction] = {
    "gather": copying(gather),
    "gather_along_axis": copying(gather_along_axis),
    "gather_nd": copying(gather_nd),
    "one_hot": copying(one_hot),
    "topk": copying(topk),
    "band_part": copying(band_part),
    "cumsum": op(cumsum),
    "shape": copying(shape),
    "fill": copying(fill),
    "fill_like": copying(fill_like),
    "range_1d": op(range_1d),
}
