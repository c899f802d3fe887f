"""Average pooling over a whole map as a mean that keeps its axes, the form that delegates take."""

from __future__ import annotations

from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_modules
from pocketclip.models.loaded_classes import is_loaded_instance


class MeanPool(nn.Module):
    """The mean of each channel. Shape: `(N, C, H, W)` to `(N, C, 1, 1)`, or `(N, C)` with `flatten`."""

    def __init__(self, *, flatten: bool) -> None:
        super().__init__()
        self.flatten = flatten

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return pooled.reshape(len(x), -1) if self.flatten else pooled


def pool_by_mean(tower: nn.Module, example: Tensor) -> Rewritten:
    """Replaces torch's adaptive pools to one pixel and timm's pooling heads."""
    del example
    return rewrite_modules(tower, _mean)


def _mean(module: nn.Module) -> nn.Module | None:
    if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
        return MeanPool(flatten=False)
    timm_pool = is_loaded_instance(module, "timm.layers.adaptive_avgmax_pool", "SelectAdaptivePool2d")
    if timm_pool and module.pool_type in ("avg", "fast"):
        # Told that its input has its channels last, it would pool over other axes.
        flatten = not isinstance(module.flatten, nn.Identity)
        return MeanPool(flatten=flatten) if getattr(module, "input_fmt", "NCHW") == "NCHW" else None
    return None
