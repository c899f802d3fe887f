"""Weights in fewer bits for Core AI, as the ops that Apple's optimiser writes: integers with scales, tables, zeros.

They are put in by module rather than by Apple's optimiser, so that plans can spare modules, and scales are those of the
other targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pocketclip.export.artifact.precision_plan import KeptPrecision, covers, kept_modules
from pocketclip.export.passes.delegated_forms import PooledConvolution
from pocketclip.export.precision import Precision
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.four_bits import rounded_in_blocks
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules
from pocketclip.models.quantization.schemes import BLOCK
from pocketclip.models.quantization.sites import LEAST_ELEMENTS

# Of channels that share a table of values.
GROUP = 16
# Zeros beyond an eighth pay for the mask that tells them apart; without training again, more of them cost accuracy.
SPARSITY = 0.3
# Of a matrix that a tower multiplies by itself.
_MATRICES = ("proj", "projection", "projection_layer")
_LEVELS = 127
# The smallest scale that a half float holds.
_LEAST_SCALE = 2.0**-24
_ROUNDS = 50


@dataclass(frozen=True)
class _Weight:
    """A weight that may be stored in fewer bits: where it is, and the axes of its output and input channels."""

    path: str
    module: nn.Module
    name: str
    channels: int
    summed: int

    @property
    def values(self) -> Tensor:
        return getattr(self.module, self.name).detach()

    @property
    def is_spatial(self) -> bool:
        return isinstance(self.module, nn.Conv2d | nn.Conv1d) and any(size > 1 for size in self.module.kernel_size)


def store_weights(tower: nn.Module, request: LoweringRequest) -> None:
    """Replaces the weights of a tower by what they are stored as at the request's precision, in place."""
    precision = request.precision
    bits = precision.traits.weight_bits
    in_float = kept_modules(request.plan, KeptPrecision.FLOAT)
    heads = (path for path, module in tower.named_modules() if isinstance(module, PooledConvolution))
    wide = (*kept_modules(request.plan, KeptPrecision.INT8), *eight_bit_modules(request.module), *heads)
    for weight in list(_weights(tower)):
        if covers(in_float, weight.path):
            continue
        narrow = bits < 8 and not (covers(wide, weight.path) or (bits == 4 and weight.is_spatial))
        if precision.traits.sparse and not (weight.is_spatial or covers(wide, weight.path)):
            stored: nn.Module = _sparse(weight, narrow)
        elif precision is Precision.INT4_WEIGHTS and narrow and weight.values.shape[weight.summed] % BLOCK == 0:
            stored = _in_blocks(weight)
        elif narrow and precision is not Precision.INT4_WEIGHTS:
            stored = _from_tables(weight, bits)
        else:
            stored = _in_bytes(weight)
        _replace(weight, stored)


def _weights(tower: nn.Module) -> Iterator[_Weight]:
    for path, module in tower.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            axes = _axes(module, name, parameter)
            if axes is not None and parameter.numel() >= LEAST_ELEMENTS:
                yield _Weight(path, module, name, *axes)


def _axes(module: nn.Module, name: str, parameter: Tensor) -> tuple[int, int] | None:
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear | nn.Embedding):
        return (0, 1) if name == "weight" else None
    if name not in _MATRICES or parameter.ndim not in (2, 4):
        return None
    # `x @ projection`, or the same as a convolution.
    return (1, 0) if parameter.ndim == 2 else (0, 1)


class IntegerWeight(nn.Module):
    """Whole numbers times a scale, whose shape divides theirs."""

    quantized_data: Tensor
    scale: Tensor

    def __init__(self, numbers: Tensor, scale: Tensor, bits: int) -> None:
        super().__init__()
        self.register_buffer("quantized_data", numbers.to(torch.int8))
        self.register_buffer("scale", scale)
        # In PyTorch they have 8 bits; Apple's converter packs them into what is named here.
        self.dtype = torch.int4 if bits == 4 else torch.int8  # pyright: ignore[reportAttributeAccessIssue]

    def forward(self, original: Tensor) -> Tensor:
        return torch.ops.coreai.constexpr_blockwise_shift_scale(self.quantized_data, self.scale, None, None, self.dtype)


class TableWeight(nn.Module):
    """Places in tables of values. Apple's converter finds the two by their names."""

    w_indices: Tensor
    w_lut: Tensor

    def __init__(self, indices: Tensor, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("w_indices", indices.to(torch.uint8))
        self.register_buffer("w_lut", table)

    def forward(self, original: Tensor) -> Tensor:
        return torch.ops.coreai.lut_to_dense(self.w_indices, self.w_lut, 0)


class SparseWeight(nn.Module):
    """What is left of a weight, a mask that says where it stands, and a scale; or the places of values in a table."""

    kept: Tensor
    mask: Tensor
    scale: Tensor

    def __init__(self, kept: nn.Module | Tensor, mask: Tensor, scale: Tensor | None) -> None:
        super().__init__()
        self.table = kept if isinstance(kept, nn.Module) else None
        if isinstance(kept, Tensor):
            self.register_buffer("kept", kept.to(torch.int8))
        self.register_buffer("mask", mask.to(torch.uint8))
        self.register_buffer("scale", scale)

    def forward(self, original: Tensor) -> Tensor:
        kept = self.kept if self.table is None else self.table(original)
        dense = torch.ops.coreai.sparse_to_dense(kept, self.mask)
        if self.table is not None:
            return dense
        return torch.ops.coreai.constexpr_blockwise_shift_scale(dense, self.scale, None, None, torch.int8)


def _replace(weight: _Weight, stored: nn.Module) -> None:
    parametrize.register_parametrization(weight.module, weight.name, stored, unsafe=True)
    # What is replaced is not stored a second time.
    entries: Any = weight.module.parametrizations
    entries[weight.name].original = nn.Parameter(torch.zeros(()), requires_grad=False)


def _in_bytes(weight: _Weight) -> IntegerWeight:
    numbers, scale = _rounded(weight.values, weight.channels)
    return IntegerWeight(numbers, scale, 8)


def _rounded(values: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Whole numbers from -127 to 127 and the scale of each channel, which half floats hold."""
    others = [axis for axis in range(values.ndim) if axis != channels]
    scale = _in_half(values.abs().amax(others, keepdim=True) / _LEVELS)
    return (values / scale).round().clamp(-_LEVELS, _LEVELS), scale


def _in_blocks(weight: _Weight) -> IntegerWeight:
    values = weight.values.numpy()
    _, scale = rounded_in_blocks(values, weight.summed, negative_scales=False)
    scale = _in_half(torch.from_numpy(scale).abs())
    each = scale.repeat_interleave(BLOCK, weight.summed)
    return IntegerWeight((weight.values / each).round().clamp(-8, 7), scale, 4)


def _from_tables(weight: _Weight, bits: int) -> TableWeight:
    """A table for every `GROUP` channels; where they make no whole groups, one for all."""
    values = weight.values.movedim(weight.channels, 0)
    groups = values.shape[0] // GROUP if values.shape[0] % GROUP == 0 else 1
    rows = values.reshape(groups, -1).numpy()
    found = [_clusters(row, 2**bits) for row in rows]
    indices = torch.from_numpy(np.stack([places for places, _ in found])).reshape(values.shape)
    tables = torch.from_numpy(np.stack([table for _, table in found]))
    shape = [1] * weight.values.ndim
    shape[weight.channels] = groups
    return TableWeight(indices.movedim(0, weight.channels).contiguous(), tables.reshape(*shape, 2**bits, 1))


def _sparse(weight: _Weight, narrow: bool) -> SparseWeight:
    """Without the smallest share of a weight; the rest in bytes, or with `narrow` from one table of 64 values."""
    values = weight.values
    dropped = values.abs().flatten().kthvalue(max(1, int(SPARSITY * values.numel()))).values
    mask = values.abs() > dropped
    if narrow:
        places, table = _clusters(values[mask].numpy(), 64)
        return SparseWeight(
            TableWeight(torch.from_numpy(places), torch.from_numpy(table).reshape(1, 64, 1)), mask, None
        )
    numbers, scale = _rounded(values, weight.channels)
    return SparseWeight(numbers[mask], mask, scale)


def _in_half(scale: Tensor) -> Tensor:
    """Scales as half floats hold them, none of them zero."""
    return scale.clamp(min=_LEAST_SCALE).half().float()


def _clusters(values: NDArray[np.float32], count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The nearest of `count` means for each value, and the means, in order: Lloyd's algorithm on sorted values.

    It starts where the best means of many values lie: as dense as the values' cube root (Panter and Dite, 1951).
    """
    ordered = np.sort(values).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    along = np.concatenate([[0.0], np.cumsum(np.diff(ordered) ** (2 / 3))])
    means = np.interp((np.arange(count) + 0.5) / count * along[-1], along, ordered)
    for _ in range(_ROUNDS):
        borders = np.searchsorted(ordered, (means[1:] + means[:-1]) / 2)
        starts, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(ordered)]])
        sizes = ends - starts
        moved = np.where(sizes > 0, (sums[ends] - sums[starts]) / np.maximum(sizes, 1), means)
        if np.array_equal(moved, means):
            break
        means = moved
    table = means.astype(np.float16).astype(np.float32)
    return np.searchsorted((table[1:] + table[:-1]) / 2, values).astype(np.uint8), table
