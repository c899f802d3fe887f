"""Weights in two parts, each of which 8 bits hold well: together they have the accuracy of 16."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import covers
from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_at_paths
from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules

_LARGEST = 127


class ConvolutionInParts(nn.Module):
    """A convolution as the sum of two: with its weights rounded to 8 bits by channel, and with what that leaves."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach()
        largest = weight.abs().amax((1, 2, 3), keepdim=True)
        scale = torch.where(largest > 0, largest / _LARGEST, 1)
        rounded = (weight / scale).round() * scale
        self.coarse, self.fine = copy.deepcopy(conv), copy.deepcopy(conv)
        self.coarse.weight.copy_(rounded)
        self.fine.weight.copy_(weight - rounded)
        self.fine.bias = None

    def forward(self, x: Tensor) -> Tensor:
        return self.coarse(x) + self.fine(x)


def split_weights(tower: nn.Module, example: Tensor) -> Rewritten:
    """Splits the convolutions of the modules past which no residual branch carries the values."""
    del example
    meant = eight_bit_modules(tower)
    return rewrite_at_paths(
        tower,
        lambda path, module: (
            ConvolutionInParts(module) if isinstance(module, nn.Conv2d) and covers(meant, path) else None
        ),
    )
