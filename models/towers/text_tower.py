"""The text tower MCt: transformer layers and 1-D RepMixer blocks (2311.17049, section 3.1).

State-dict names are those of Apple's checkpoints, below `text_encoder`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.activations import new_activation
from pocketclip.models.blocks.embedding import LowRankEmbedding
from pocketclip.models.blocks.mixers import RepMixerBlock
from pocketclip.models.blocks.transformer import LayerNormFp32, LearnedPositions, TransformerLayer
from pocketclip.models.config import TextBlock, TextTowerConfig


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
        rank = config.embedding_rank
        self.embedding_layer = (
            nn.Embedding(vocabulary_size, config.width)
            if rank is None
            else LowRankEmbedding(vocabulary_size, rank, config.width)
        )
        self.positional_embedding = LearnedPositions(context_length, config.width)
        self.transformer = nn.Sequential(*(_block(kind, config) for kind in config.blocks))
        if config.causal:
            for layer in self.transformer:
                if isinstance(layer, TransformerLayer):
                    layer.set_causal_mask(context_length)
        self.final_layer_norm = LayerNormFp32(config.width)
        self.projection_layer = nn.Parameter(torch.randn(config.width, embedding_dim) * config.width**-0.5)
        if isinstance(self.embedding_layer, nn.Embedding):
            nn.init.normal_(self.embedding_layer.weight, std=0.02)

    def hidden_states(self, token_ids: Tensor) -> Tensor:
        """All rows after the final norm, `(N, T, width)`."""
        x = self.positional_embedding(self.embedding_layer(token_ids))
        return self.final_layer_norm(self.transformer(x))

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden = self.hidden_states(token_ids)
        end = token_ids.argmax(dim=-1)
        return hidden[torch.arange(hidden.shape[0], device=hidden.device), end] @ self.projection_layer


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
        return TransformerLayer(config.width, config.heads, config.ffn_ratio, new_activation(config.activation))
    kernel = (1, config.mixer_kernel)
    return SequenceRepMixerBlock(
        config.width,
        kernel=kernel,
        ffn_kernel=kernel,
        ffn_ratio=config.ffn_ratio,
        activation=new_activation(config.activation),
        scale_branch=False,
        scale_start=config.layer_scale_start,
    )
