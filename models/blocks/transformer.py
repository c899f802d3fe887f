"""Pre-norm transformer layers over sequences `(N, T, C)`, with MobileCLIP's state-dict names (2311.17049)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketclip.models.blocks.mixers import attend

# exp(-1e4) is exactly zero in fp32 and fp16, while -inf becomes NaN in fp16 runtimes.
MASKED = -1e4


class LearnedPositions(nn.Module):
    """Adds learned positions to `(N, T, C)`; the doubled name is that of the official checkpoints."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        positions = torch.randn(1, 1, length, width) * width**-0.5
        self.pos_embed = nn.ParameterDict({"pos_embed": nn.Parameter(positions)})

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pos_embed["pos_embed"][0]


class LayerNormFp32(nn.LayerNorm):
    """LayerNorm computed in float32 whatever the input's type."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-5)

    def forward(self, input: Tensor) -> Tensor:
        if input.dtype == torch.float32:
            return super().forward(input)
        normed = functional.layer_norm(
            input.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps
        )
        return normed.to(input.dtype)


class SequenceAttention(nn.Module):
    """Multi-head self-attention over a sequence `(N, T, C)` with biases on both projections.

    `query_scaled`: the weights of the query hold the factor 1 / sqrt(head_dim) already.
    """

    mask: Tensor | None

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query_scaled = False
        self.heads = heads
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.register_buffer("mask", None, persistent=False)

    def set_causal_mask(self, context_length: int) -> None:
        """Lets each position see itself and what stands before it."""
        mask = torch.full((context_length, context_length), MASKED).triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        mixed = attend(self.qkv_proj(x), heads=self.heads, mask=self.mask, scale_query=not self.query_scaled)
        return self.out_proj(mixed)


class TransformerLayer(nn.Module):
    """Pre-norm attention and feed-forward part, each with a residual. Shape: `(N, T, C)` in and out."""

    def __init__(self, width: int, heads: int, ffn_ratio: float, activation: nn.Module) -> None:
        super().__init__()
        hidden = int(width * ffn_ratio)
        self.pre_norm_mha = nn.Sequential(LayerNormFp32(width), SequenceAttention(width, heads))
        # Positions 2 and 3 stand for the activation and a dropout of zero, so that names match.
        self.pre_norm_ffn = nn.Sequential(
            LayerNormFp32(width), nn.Linear(width, hidden), activation, nn.Identity(), nn.Linear(hidden, width)
        )

    def set_causal_mask(self, context_length: int) -> None:
        """Lets each position see itself and what stands before it."""
        attention = self.pre_norm_mha[1]
        assert isinstance(attention, SequenceAttention)
        attention.set_causal_mask(context_length)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pre_norm_mha(x)
        return x + self.pre_norm_ffn(x)
