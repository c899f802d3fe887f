"""The text tower MCt: transformer layers and 1-D RepMixer blocks (2311.17049, section 3.1).

State-dict names are those of Apple's checkpoints, below `text_encoder`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.blocks.mixers import RepMixerBlock, attend
from models.config import TextBlock, TextTowerConfig

# exp(-1e4) is exactly zero in fp32 and fp16, while -inf becomes NaN in fp16 runtimes.
MASKED = -1e4


class TextTower(nn.Module):
    """Token ids `(N, T)`, int32 or int64, to embeddings `(N, embedding_dim)`.

    The end-of-text id is the highest of the vocabulary; its row of the final norm is the sentence.
    """

    def __init__(
        self, config: TextTowerConfig, *, vocabulary_size: int, context_length: int, embedding_dim: int
    ) -> None:
        super().__init__()
        self.vocabulary_size, self.context_length = vocabulary_size, context_length
        self.causal = config.causal
        self.embedding_layer = nn.Embedding(vocabulary_size, config.width)
        self.positional_embedding = LearnedPositions(context_length, config.width)
        self.transformer = nn.Sequential(*(_block(kind, config) for kind in config.blocks))
        if config.causal:
            for layer in self.transformer:
                if isinstance(layer, TransformerLayer):
                    layer.set_causal_mask(context_length)
        self.final_layer_norm = LayerNormFp32(config.width)
        self.projection_layer = nn.Parameter(torch.randn(config.width, embedding_dim) * config.width**-0.5)
        nn.init.normal_(self.embedding_layer.weight, std=0.02)

    def hidden_states(self, token_ids: Tensor) -> Tensor:
        """All rows after the final norm, `(N, T, width)`."""
        x = self.positional_embedding(self.embedding_layer(token_ids))
        return self.final_layer_norm(self.transformer(x))

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden = self.hidden_states(token_ids)
        end = token_ids.argmax(dim=-1)
        return hidden[torch.arange(hidden.shape[0], device=hidden.device), end] @ self.projection_layer


class LearnedPositions(nn.Module):
    """Adds learned positions; the doubled name is that of the official checkpoints."""

    def __init__(self, context_length: int, width: int) -> None:
        super().__init__()
        positions = torch.randn(1, 1, context_length, width) * width**-0.5
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
    """Multi-head self-attention over a sequence `(N, T, C)` with biases on both projections."""

    mask: Tensor | None

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.register_buffer("mask", None, persistent=False)

    def set_causal_mask(self, context_length: int) -> None:
        """Lets each position see itself and what stands before it."""
        mask = torch.full((context_length, context_length), MASKED).triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(attend(self.qkv_proj(x), heads=self.heads, mask=self.mask))


class TransformerLayer(nn.Module):
    """Pre-norm attention and feed-forward part, each with a residual. Shape: `(N, T, C)` in and out."""

    def __init__(self, width: int, heads: int, ffn_ratio: float) -> None:
        super().__init__()
        hidden = int(width * ffn_ratio)
        self.pre_norm_mha = nn.Sequential(LayerNormFp32(width), SequenceAttention(width, heads))
        # Positions 2 and 3 stand for the activation and a dropout of zero, so that names match.
        self.pre_norm_ffn = nn.Sequential(
            LayerNormFp32(width), nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width)
        )

    def set_causal_mask(self, context_length: int) -> None:
        """Lets each position see itself and what stands before it."""
        attention = self.pre_norm_mha[1]
        assert isinstance(attention, SequenceAttention)
        attention.set_causal_mask(context_length)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pre_norm_mha(x)
        return x + self.pre_norm_ffn(x)


class SequenceRepMixerBlock(RepMixerBlock):
    """The RepMixer block on a sequence: `(N, T, C)` is seen as a map `(N, C, 1, T)`."""

    def forward(self, x: Tensor) -> Tensor:
        return _to_sequence(super().forward(_to_map(x)))

    def fold(self) -> nn.Module:
        return OnSequence(super().fold())


class OnSequence(nn.Module):
    """Applies a module for maps to a sequence `(N, T, C)`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return _to_sequence(self.module(_to_map(x)))


def _to_map(x: Tensor) -> Tensor:
    return x.transpose(1, 2).unsqueeze(2)


def _to_sequence(x: Tensor) -> Tensor:
    return x.squeeze(2).transpose(1, 2)


def _block(kind: TextBlock, config: TextTowerConfig) -> nn.Module:
    if kind is TextBlock.ATTENTION:
        return TransformerLayer(config.width, config.heads, config.ffn_ratio)
    kernel = (1, config.mixer_kernel)
    return SequenceRepMixerBlock(
        config.width,
        kernel=kernel,
        ffn_kernel=kernel,
        ffn_ratio=config.ffn_ratio,
        activation=nn.GELU(),
        scale_branch=False,
        scale_start=config.layer_scale_start,
    )
