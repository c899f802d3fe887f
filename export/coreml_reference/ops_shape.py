"""Ops that rearrange values: reshape, transpose, join, cut, repeat, pad."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pocketclip.export.coreml_reference.op_function import OpFunction, copying


def reshape(x: Tensor, *, shape: list[int]) -> Tensor:
    # A 0 keeps the dimension that stands at the same place counted from the right (iOS 17); with as many
    # entries as dimensions, which iOS 15 demands, that is the same place from the left.
    offset = x.dim() - len(shape)
    kept = [(x.shape[offset + i] if offset + i >= 0 else 1) if size == 0 else size for i, size in enumerate(shape)]
    return x.reshape(kept)


def transpose(x: Tensor, *, perm: list[int]) -> Tensor:
    return x.permute(perm)


def expand_dims(x: Tensor, *, axes: list[int]) -> Tensor:
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Tensor, *, axes: list[int] | None = None) -> Tensor:
    # Like PyTorch, unlike numpy, a named dimension larger than 1 stays.
    return x.squeeze() if axes is None else x.squeeze(axes)


def concat(values: list[Tensor], *, axis: int, interleave: bool) -> Tensor:
    if values[0].dim() == 0:
        return torch.stack(values)
    if not interleave:
        return torch.cat(values, dim=axis)
    axis %= values[0].dim()
    return torch.stack(values, dim=axis + 1).flatten(axis, axis + 1)


def stack(values: list[Tensor], *, axis: int) -> Tensor:
    return torch.stack(values, dim=axis)


def split(
    x: Tensor, *, axis: int, num_splits: int | None = None, split_sizes: list[int] | None = None
) -> tuple[Tensor, ...]:
    if split_sizes is None:
        assert num_splits is not None
        split_sizes = [x.shape[axis] // num_splits] * num_splits
    return torch.split(x, split_sizes, dim=axis)


def slice_by_index(
    x: Tensor,
    *,
    begin: list[int],
    end: list[int],
    stride: list[int] | None = None,
    begin_mask: list[bool] | None = None,
    end_mask: list[bool] | None = None,
    squeeze_mask: list[bool] | None = None,
) -> Tensor:
    none = [False] * x.dim()
    squeezed = squeeze_mask or none
    # From the last dimension, so that a squeezed one does not shift those still to come.
    for axis in reversed(range(x.dim())):
        first = None if (begin_mask or none)[axis] else begin[axis]
        if squeezed[axis]:
            x = x.select(axis, first or 0)
            continue
        last = None if (end_mask or none)[axis] else end[axis]
        taken = range(*slice(first, last, stride[axis] if stride else 1).indices(x.shape[axis]))
        if taken.step == 1:
            x = x.narrow(axis, taken.start, len(taken))
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64))
    return x


def slice_by_size(x: Tensor, *, begin: list[int], size: list[int]) -> Tensor:
    for axis, (first, length) in enumerate(zip(begin, size, strict=True)):
        first %= x.shape[axis]
        x = x.narrow(axis, first, x.shape[axis] - first if length == -1 else length)
    return x


def tile(x: Tensor, *, reps: list[int]) -> Tensor:
    return x.repeat(reps)


def reverse(x: Tensor, *, axes: list[int] | None = None) -> Tensor:
    return x.flip(list(range(x.dim())) if axes is None else axes)


def pad(x: Tensor, *, pad: list[int], mode: str, constant_val: float) -> Tensor:
    sides = list(zip(pad[::2], pad[1::2], strict=True))
    if mode == "constant":
        return F.pad(x, [cells for side in reversed(sides) for cells in side], value=constant_val)
    # PyTorch reflects and replicates only certain ranks; reading by index does any.
    for axis, (before, after) in enumerate(sides, start=x.dim() - len(sides)):
        last = x.shape[axis] - 1
        source = torch.arange(-before, last + 1 + after)
        if mode == "reflect":
            source = last - (last - source.abs()).abs()
        x = x.index_select(axis, source.clamp(0, last))
    return x


def flatten2d(x: Tensor, *, axis: int) -> Tensor:
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


def pixel_shuffle(x: Tensor, *, upscale_factor: int) -> Tensor:
    return F.pixel_shuffle(x, upscale_factor)


def pixel_unshuffle(x: Tensor, *, downscale_factor: int) -> Tensor:
    return F.pixel_unshuffle(x, downscale_factor)


def identity(x: Tensor) -> Tensor:
    return x


OPS: dict[str, OpFunction] = {
    "reshape": copying(reshape),
    "transpose": copying(transpose),
    "expand_dims": copying(expand_dims),
    "squeeze": copying(squeeze),
    "flatten2d": copying(flatten2d),
    "concat": copying(concat),
    "stack": copying(stack),
    "split": copying(split),
    "slice_by_index": copying(slice_by_index),
    "slice_by_size": copying(slice_by_size),
    "tile": copying(tile),
    "reverse": copying(reverse),
    "pad": copying(pad),
    "pixel_shuffle": copying(pixel_shuffle),
    "pixel_unshuffle": copying(pixel_unshuffle),
    "identity": copying(identity),
}
