"""Attention in the form that every delegate takes whole: one fused projection, slices, batched products of rank 3."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_modules
from pocketclip.models.blocks.mixers import MapAttention, attend, scale_query_rows
from pocketclip.models.blocks.transformer import SequenceAttention
from pocketclip.models.loaded_classes import is_loaded_instance
from pocketclip.models.towers.open_clip_model import FusedAttention


class TokenAttention(nn.Module):
    """Self-attention over `(N, T, C)` as `models.blocks.mixers.attend` writes it."""

    def __init__(self, qkv: nn.Linear, proj: nn.Linear, heads: int) -> None:
        super().__init__()
        self.qkv, self.proj, self.heads = qkv, proj, heads

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(attend(self.qkv(x), heads=self.heads, mask=None))


def fuse_attention(tower: nn.Module, example: Tensor) -> Rewritten:
    """Replaces timm's attention (its vision transformers and FastViT) by the sliced form."""
    del example
    return rewrite_modules(tower, _sliced)


def _sliced(module: nn.Module) -> nn.Module | None:
    if is_loaded_instance(module, "timm.models.fastvit", "Attention"):
        channels = module.qkv.in_features
        attention = MapAttention(channels, head_dim=channels // module.num_heads)
        attention.qkv, attention.proj = module.qkv, module.proj
        return attention
    if is_loaded_instance(module, "timm.layers.attention", "Attention") and _is_plain(module):
        return TokenAttention(module.qkv, module.proj, module.num_heads)
    return None


def _is_plain(module: Any) -> bool:
    norms = (module.q_norm, module.k_norm, getattr(module, "norm", None))
    return all(norm is None or isinstance(norm, nn.Identity) for norm in norms)


class ScaledQuery(nn.Module):
    """An attention module whose query comes scaled from its projection."""

    mask: Tensor | None

    def __init__(self, qkv: nn.Linear, proj: nn.Linear, heads: int, mask: Tensor | None, *, returns_pair: bool) -> None:
        super().__init__()
        self.qkv, self.proj = qkv, proj
        self.heads, self.returns_pair = heads, returns_pair
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor, *_: Tensor, attn_mask: Tensor | None = None, **__: Any) -> Any:
        mask = self.mask if attn_mask is None else attn_mask
        mixed = attend(self.qkv(x), heads=self.heads, mask=mask, scale_query=False)
        return (self.proj(mixed), None) if self.returns_pair else self.proj(mixed)


class ScaledMapAttention(nn.Module):
    """The same over the positions of a map `(N, C, H, W)`."""

    def __init__(self, attention: MapAttention) -> None:
        super().__init__()
        qkv = attention.qkv if attention.query_scaled else scale_query_rows(attention.qkv, attention.head_dim)
        self.inner = ScaledQuery(qkv, attention.proj, attention.heads, None, returns_pair=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return self.inner(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(batch, channels, height, width)


def fold_query_scale(tower: nn.Module, example: Tensor) -> Rewritten:
    """Multiplies the query's rows of the projection by 1 / sqrt(head_dim), which then need not be done at run time."""
    del example
    return rewrite_modules(tower, _with_scaled_query)


def _with_scaled_query(module: nn.Module) -> nn.Module | None:
    if isinstance(module, MapAttention):
        return ScaledMapAttention(module)
    if isinstance(module, TokenAttention):
        head_dim = module.qkv.out_features // 3 // module.heads
        return ScaledQuery(scale_query_rows(module.qkv, head_dim), module.proj, module.heads, None, returns_pair=False)
    if isinstance(module, SequenceAttention):
        qkv, head_dim = module.qkv_proj, module.qkv_proj.in_features // module.heads
        # Trained for quantisation, the query is scaled already.
        qkv = qkv if module.query_scaled else scale_query_rows(qkv, head_dim)
        return ScaledQuery(qkv, module.out_proj, module.heads, module.mask, returns_pair=False)
    if isinstance(module, FusedAttention):
        qkv = scale_query_rows(module.qkv, module.qkv.in_features // module.heads)
        return ScaledQuery(qkv, module.proj, module.heads, None, returns_pair=True)
    return None


class ConvolutionAttention(nn.Module):
    """Attention over a map `(N, C, H, W)` whose channels stay first: 1x1 convolutions, and no transposed copies."""

    def __init__(self, qkv: nn.Linear, proj: nn.Linear, heads: int, *, scaled: bool) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, proj.in_features // heads
        self.scaled = scaled
        self.qkv, self.proj = pointwise(qkv), pointwise(proj)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        query, key, value = self._by_head(self.qkv(x), height * width)
        if not self.scaled:
            query = query * self.head_dim**-0.5
        weights = torch.softmax(torch.bmm(query.transpose(1, 2), key), dim=-1)
        return self.proj(torch.bmm(value, weights.transpose(1, 2)).reshape(batch, channels, height, width))

    def _by_head(self, fused: Tensor, positions: int) -> tuple[Tensor, ...]:
        """Queries, keys and values, each `(N * heads, head_dim, positions)`."""
        heads, channels = self.heads, self.heads * self.head_dim
        if len(fused) == 1:
            # One reshape in the place of three.
            stacked = fused.reshape(3 * heads, self.head_dim, positions)
            return tuple(stacked[start : start + heads] for start in range(0, 3 * heads, heads))
        return tuple(
            fused[:, start : start + channels].reshape(len(fused) * heads, self.head_dim, positions)
            for start in range(0, 3 * channels, channels)
        )


def attention_as_convolutions(tower: nn.Module, example: Tensor) -> Rewritten:
    """Projects queries, keys and values of map attention by 1x1 convolutions."""
    del example
    return rewrite_modules(tower, _by_convolutions)


def _by_convolutions(module: nn.Module) -> nn.Module | None:
    if isinstance(module, MapAttention):
        return ConvolutionAttention(module.qkv, module.proj, module.heads, scaled=module.query_scaled)
    if isinstance(module, ScaledMapAttention):
        inner = module.inner
        return ConvolutionAttention(inner.qkv, inner.proj, inner.heads, scaled=True)
    return None


def pointwise(linear: nn.Linear) -> nn.Conv2d:
    conv = nn.Conv2d(
        linear.in_features,
        linear.out_features,
        1,
        bias=linear.bias is not None,
        device=linear.weight.device,
        dtype=linear.weight.dtype,
    )
    conv.weight.copy_(linear.weight[:, :, None, None])
    if conv.bias is not None:
        conv.bias.copy_(linear.bias)
    return conv
