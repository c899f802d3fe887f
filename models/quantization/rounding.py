"""Rounding with gradients: weights on a grid with learned scales, activations in a learned range.

The rounding itself passes gradients on as they come (straight-through, Bengio et al. 2013); scales and ranges learn
from what is clipped and from the rounding errors (LSQ, Esser et al. 2020, section 2.1; LSQ+, Bhalgat et al. 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Even steps of an 8-bit activation.
STEPS = 255
# Of a group's largest weight: where its scale may start.
_SHARES = tuple(0.5 + 0.025 * step for step in range(21))


@dataclass(frozen=True)
class WeightGrid:
    """How a weight is rounded: to whole multiples, from `-levels` to `levels`, of a scale for each group.

    `channels` is the axis of the output channels. A group is a channel, or `block` weights of one along the axis
    `summed`.
    """

    bits: int
    channels: int
    block: int | None = None
    summed: int = 1

    @property
    def levels(self) -> int:
        """The largest multiple: the range is symmetric, as all targets' is for weights."""
        return 2 ** (self.bits - 1) - 1

    def grouped(self, weight: Tensor) -> Tensor:
        """`(groups, size)`: the weights that share a scale side by side."""
        if self.block is None:
            return weight.movedim(self.channels, 0).flatten(1)
        return weight.movedim((self.channels, self.summed), (0, -1)).reshape(-1, self.block)

    def restored(self, groups: Tensor, like: Tensor) -> Tensor:
        """The reverse of `grouped`."""
        if self.block is None:
            return groups.reshape(like.movedim(self.channels, 0).shape).movedim(0, self.channels)
        moved = like.movedim((self.channels, self.summed), (0, -1))
        return groups.reshape(moved.shape).movedim((0, -1), (self.channels, self.summed))


class OnGrid(nn.Module):
    """A weight's parametrization: rounds it to its grid, whose scales are learned.

    A scale is never above the one at which the largest weight of its group is the last level. So one weight of each
    group ends at the last level, and a converter that derives the scale from the largest weight finds the learned one.
    """

    def __init__(self, weight: Tensor, grid: WeightGrid) -> None:
        super().__init__()
        self.grid = grid
        self.log_scale = nn.Parameter(_best_scale(grid.grouped(weight.detach()), grid.levels).log())

    def forward(self, weight: Tensor) -> Tensor:
        groups = self.grid.grouped(weight)
        levels = self.grid.levels
        scale = torch.minimum(self.log_scale.exp(), _largest(groups.detach()) / levels)
        scale = _calmed(scale, groups.shape[1] * levels)
        rounded = _rounded((groups / scale).clamp(-levels, levels)) * scale
        return self.grid.restored(rounded, weight)


class InRange(nn.Module):
    """Rounds activations of any shape to 256 even steps of a learned range that holds zero.

    The range is observed before it is learned: until `start`, values pass as they are.
    """

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self._observed: list[tuple[float, float]] | None = []

    def forward(self, values: Tensor) -> Tensor:
        if self._observed is not None:
            low, high = values.detach().flatten(1).aminmax(dim=1)
            self._observed += zip(low.tolist(), high.tolist(), strict=True)
            return values
        low, high = self.low.clamp(max=0), self.high.clamp(min=0)
        scale = ((high - low) / STEPS).clamp(min=torch.finfo(torch.float32).tiny)
        scale = _calmed(scale, values[0].numel() * STEPS)
        zero = _rounded(-low / scale)
        return (_rounded((values / scale + zero).clamp(0, STEPS)) - zero) * scale

    def start(self, outlier_percent: float) -> None:
        """Takes the range that all but the most extreme samples stayed within, and rounds from now on."""
        lows, highs = (torch.tensor(each) for each in zip(*self._observed or [(0.0, 0.0)], strict=True))
        with torch.no_grad():
            self.low.fill_(min(0.0, float(lows.quantile(outlier_percent / 100))))
            self.high.fill_(max(0.0, float(highs.quantile(1 - outlier_percent / 100))))
        self._observed = None

    def resume(self) -> None:
        """Rounds from now on, to the range that was loaded."""
        self._observed = None


def _rounded(values: Tensor) -> Tensor:
    return values + (values.round() - values).detach()


def _calmed(scale: Tensor, shared_by: int) -> Tensor:
    """The same scale with a smaller gradient: each value that it serves adds to it (LSQ, section 2.2)."""
    factor = 1 / math.sqrt(shared_by)
    return (scale - scale * factor).detach() + scale * factor


def _largest(groups: Tensor) -> Tensor:
    return groups.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def _best_scale(groups: Tensor, levels: int) -> Tensor:
    """For each group the scale with the least squared error, of shares of the one that clips nothing."""
    largest = _largest(groups) / levels
    best, least = largest, torch.full_like(largest, math.inf)
    for share in _SHARES:
        scale = largest * share
        error = ((groups / scale).round().clamp(-levels, levels) * scale - groups).square().sum(1, keepdim=True)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best
