"""GELU by cheaper functions, which change what is computed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_modules
from pocketclip.models.loaded_classes import is_loaded_instance


class SigmoidGelu(nn.Module):
    """`x * sigmoid(1.702 x)` (1606.08415, section 2): off by at most 0.02."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


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
