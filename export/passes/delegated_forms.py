"""Reductions, norms and reshapes in forms that XNNPACK's and Vulkan's delegates take whole.

ExecuTorch's partitioner takes means over a map that keep its axes, views, and matrix products; it leaves means and sums
over other axes, layer norms, squeezes and expansions to portable kernels, each of which ends a delegate call.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_modules, rewrite_norm
from pocketclip.export.passes.tower_module import IsEnd
from pocketclip.models.blocks.transformer import LayerNormFp32
from pocketclip.models.towers.image_tower import PooledProjection
from pocketclip.models.towers.text_tower import OnSequence


class PooledConvolution(nn.Module):
    """The head as a mean that keeps its axes and a 1x1 convolution. Shape: `(N, C, H, W)` to `(N, D)`."""

    def __init__(self, head: PooledProjection) -> None:
        super().__init__()
        channels, width = head.proj.shape
        self.proj = nn.Conv2d(channels, width, 1, bias=False, device=head.proj.device, dtype=head.proj.dtype)
        self.proj.weight.copy_(head.proj.T[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x.mean((2, 3), keepdim=True)).reshape(len(x), -1)


def head_as_convolution(tower: nn.Module, example: Tensor) -> Rewritten:
    """Pools without dropping axes and projects by a convolution."""
    del example
    return rewrite_modules(
        tower, lambda module: PooledConvolution(module) if isinstance(module, PooledProjection) else None
    )


class ProductL2Norm(nn.Module):
    """The L2 norm with its sum as a product with ones. Shape: `(N, D)` in and out."""

    ones: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(width, 1))

    def forward(self, embedding: Tensor) -> Tensor:
        return embedding * torch.rsqrt((embedding * embedding) @ self.ones)


def norm_by_product(tower: nn.Module, example: Tensor) -> Rewritten:
    """Sums squares of the embedding by a matrix product."""
    return rewrite_norm(tower, example, ProductL2Norm)


class ProductLayerNorm(nn.Module):
    """LayerNorm over the last axis with both means as products with a column of 1 / C. Shape: `(1, T, C)`."""

    mean: Tensor

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        (width,) = norm.normalized_shape
        self.eps = norm.eps
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("mean", torch.full((width, 1), 1 / width))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x @ self.mean
        variance = (centred * centred) @ self.mean
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias


def layer_norm_by_product(tower: nn.Module, example: Tensor) -> Rewritten:
    """Means of layer norms by matrix products."""
    del example
    return rewrite_modules(tower, lambda module: ProductLayerNorm(module) if _is_row_norm(module) else None)


def _is_row_norm(module: nn.Module) -> TypeGuard[nn.LayerNorm]:
    # Subclasses of other packages may compute something else.
    return (
        type(module) in (nn.LayerNorm, LayerNormFp32)
        and isinstance(module, nn.LayerNorm)
        and len(module.normalized_shape) == 1
        and module.weight is not None
        and module.bias is not None
    )


class ClampedEnd(nn.Module):
    """1 at the end of text, by whole numbers: no other id is as large. Shape: `(N, T)` in and out."""

    def __init__(self, end_of_text: int) -> None:
        super().__init__()
        self.before = end_of_text - 1

    def forward(self, token_ids: Tensor) -> Tensor:
        return torch.clamp(token_ids - self.before, 0, 1)


def end_by_clamp(tower: nn.Module, example: Tensor) -> Rewritten:
    """Finds the end of text without truth values."""
    del example
    return rewrite_modules(tower, lambda module: ClampedEnd(module.end_of_text) if isinstance(module, IsEnd) else None)


class ViewedSequence(nn.Module):
    """A module for maps applied to a sequence `(1, T, C)`, which views rather than squeezes make a map."""

    def __init__(self, sequence: OnSequence) -> None:
        super().__init__()
        self.module = sequence.module

    def forward(self, x: Tensor) -> Tensor:
        _, length, channels = x.shape
        mapped = self.module(x.transpose(1, 2).reshape(1, channels, 1, length))
        return mapped.reshape(1, channels, length).transpose(1, 2)


def reshape_sequences(tower: nn.Module, example: Tensor) -> Rewritten:
    """Turns sequences into maps and back by views."""
    del example
    return rewrite_modules(tower, lambda module: ViewedSequence(module) if isinstance(module, OnSequence) else None)
