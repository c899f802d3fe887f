"""GELU by cheaper functions, which change what is computed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_at_paths, rewrite_modules, run_once
from pocketclip.models.loaded_classes import is_loaded_instance


class SigmoidGelu(nn.Module):
    """`x * sigmoid(1.702 x)` (1606.08415, section 2): off by at most 0.02."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class HalfGelu(nn.Module):
    """GELU by tanh, with `(1 + tanh(y)) / 2` as `sigmoid(2 y)`: ops that delegates compute in half precision.

    Where the square leaves the range of a half float, the sigmoid is 0 or 1, and the product is right.

    Args:
        channels: those of maps `(N, C, H, W)`, whose inner polynomial is then a depthwise 1x1 convolution: XNNPACK has
            a kernel for it, and beside constants it would move maps to channels first. None for sequences.
    """

    def __init__(self, channels: int | None) -> None:
        super().__init__()
        slope = 2 * math.sqrt(2 / math.pi)
        cubic = 0.044715 * slope
        self.polynomial = _Polynomial(cubic, slope) if channels is None else _map_polynomial(channels, cubic, slope)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x * self.polynomial(torch.square(x)))


class _Polynomial(nn.Module):
    """`factor * x + shift`."""

    factor: Tensor
    shift: Tensor

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor([factor]))
        self.register_buffer("shift", torch.tensor([shift]))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.shift


def _map_polynomial(channels: int, factor: float, shift: float) -> nn.Conv2d:
    """As `_Polynomial`, for maps."""
    convolution = nn.Conv2d(channels, channels, 1, groups=channels)
    assert convolution.bias is not None
    nn.init.constant_(convolution.weight, factor)
    nn.init.constant_(convolution.bias, shift)
    return convolution


def half_gelu(tower: nn.Module, example: Tensor) -> Rewritten:
    """GELU by tanh (1606.08415, section 2), written with a sigmoid: off by at most 0.0005."""
    channels = _map_channels(tower, example)
    return rewrite_at_paths(tower, lambda path, module: HalfGelu(channels.get(path)) if _is_gelu(module) else None)


def _map_channels(tower: nn.Module, example: Tensor) -> dict[str, int]:
    """Channels of the maps that each GELU takes, by path; without GELUs of sequences, or of maps of several widths."""
    found: dict[nn.Module, set[int | None]] = {}

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        (x,) = given
        found.setdefault(module, set()).add(x.shape[1] if x.ndim == 4 else None)

    paths = [(path, module) for path, module in tower.named_modules(remove_duplicate=False) if _is_gelu(module)]
    hooks = [module.register_forward_pre_hook(note) for module in {module for _, module in paths}]
    run_once(tower, example, hooks)
    single = {module: next(iter(sizes)) for module, sizes in found.items() if len(sizes) == 1}
    return {path: size for path, module in paths if (size := single.get(module)) is not None}


def tanh_gelu(tower: nn.Module, example: Tensor) -> Rewritten:
    """GELU by tanh (1606.08415, section 2): off by at most 0.0005."""
    del example
    return rewrite_modules(tower, lambda module: nn.GELU(approximate="tanh") if _is_gelu(module) else None)


def sigmoid_gelu(tower: nn.Module, example: Tensor) -> Rewritten:
    """GELU by a sigmoid."""
    del example
    return rewrite_modules(tower, lambda module: SigmoidGelu() if _is_gelu(module) else None)


def _is_gelu(module: nn.Module) -> bool:
    if isinstance(module, nn.GELU):
        return module.approximate == "none"
    return is_loaded_instance(module, "timm.layers.activations", "GELU")
