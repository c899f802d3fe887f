"""What a quantised precision does to a module's numbers, imitated in PyTorch.

It serves to tell modules apart, not to predict an artefact: int8 weights have a scale for each output channel, 4-bit
ones for each block of 32 along the inputs (where they fit), activations one range for each tensor. Tables of values
are imitated by as many bits on an even grid, sparsity by dropping the smallest weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketclip.export.precision import Precision
from pocketclip.models.quantization.schemes import BLOCK

# As the targets that store sparse weights drop.
SPARSITY = 0.3
_STEPS = 255


@dataclass(frozen=True)
class Rounding:
    """Bits of weights, whether activations are rounded to 8 bits too, and whether the smallest weights are dropped."""

    weight_bits: int
    activations: bool
    sparse: bool

    @property
    def name(self) -> str:
        """A word for files and tables, such as `w8a8` or `w4`."""
        return f"w{self.weight_bits}{'a8' if self.activations else ''}{'s' if self.sparse else ''}"


def rounding_of(precision: Precision) -> Rounding:
    """What the precision rounds; ranges from calibration and ranges at run time count as the same."""
    traits = precision.traits
    return Rounding(traits.weight_bits, traits.activation_bits == 8, traits.sparse)


def round_weight(weight: Tensor, channels: int, rounding: Rounding) -> Tensor:
    """A weight as it is after quantisation.

    Args:
        weight: of two dimensions or more.
        channels: the axis of the output channels.
        rounding: how.
    """
    moved = weight.movedim(channels, 0)
    if rounding.sparse:
        smallest = moved.abs().flatten().kthvalue(max(1, int(SPARSITY * moved.numel()))).values
        moved = torch.where(moved.abs() <= smallest, 0, moved)
    rows = moved.reshape(moved.shape[0], -1)
    pointwise = moved.shape[1] == rows.shape[1]
    bits = rounding.weight_bits
    if bits == 4 and not (pointwise and rows.shape[1] % BLOCK == 0):
        # Targets keep spatial kernels and odd sizes at 8 bits.
        bits = 8
    groups = rows.reshape(-1, BLOCK) if bits == 4 else rows
    highest = 2 ** (bits - 1) - 1
    scale = groups.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / highest
    zeros = torch.zeros(len(groups), dtype=torch.int32)
    rounded = torch.fake_quantize_per_channel_affine(groups, scale, zeros, 0, -highest, highest)
    return rounded.reshape(moved.shape).movedim(0, channels)


def round_activation(values: Tensor, low: float, high: float) -> Tensor:
    """Values on 256 even steps over a range that is made to hold zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / _STEPS, torch.finfo(torch.float32).tiny)
    return torch.fake_quantize_per_tensor_affine(values, scale, round(-low / scale), 0, _STEPS)


def weights_of(module: nn.Module) -> list[tuple[nn.Parameter, int]]:
    """The weights that targets quantise, of a module without its parts, each with the axis of its output channels."""
    found: list[tuple[nn.Parameter, int]] = []
    for parameter in module.parameters(recurse=False):
        if isinstance(module, nn.Conv2d | nn.Conv1d | nn.Linear | nn.Embedding | nn.MultiheadAttention):
            if parameter.ndim >= 2:
                found.append((parameter, 0))
        elif parameter.ndim == 2 and not isinstance(module, nn.LayerNorm):
            # A matrix that a module multiplies from the right, `x @ proj`.
            found.append((parameter, 1))
    return found
