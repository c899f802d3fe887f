"""The model in training: its embeddings with the learned scalars of the loss, and its memory-saving form."""

from __future__ import annotations

import contextlib
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    apply_activation_checkpointing,
    checkpoint_wrapper,
)

from pocketclip.models.blocks.mixers import AttentionBlock, RepMixerBlock
from pocketclip.models.blocks.plain_mixers import PlainMixerBlock
from pocketclip.models.blocks.transformer import TransformerLayer
from pocketclip.models.towers.clip import AnyModel
from pocketclip.models.towers.open_clip_model import OpenClipModel
from pocketclip.models.training.config import Recipe
from pocketclip.models.training.distributed import at_least_float32, unmoved_statistics
from pocketclip.models.training.memory import EmbeddingMemory

# SigLIP's starting point (Zhai et al. 2023, section 3.2): most pairs of a batch are no pairs.
SIGMOID_START_SCALE = 10.0
SIGMOID_START_BIAS = -10.0
TOKEN_START_STD = 0.02

_BLOCKS = (AttentionBlock, PlainMixerBlock, RepMixerBlock, TransformerLayer)


class LossParameters(NamedTuple):
    """What a loss learns: the factor on cosines; SigLIP's bias; `(vocabulary, D)` by which tokens are predicted."""

    scale: Tensor
    bias: Tensor | None = None
    tokens: Tensor | None = None

    @property
    def given(self) -> tuple[Tensor, ...]:
        """Those that the loss has."""
        return tuple(each for each in self if each is not None)

    def leaves(self) -> LossParameters:
        """Copies that collect gradients of their own."""

        def leaf(each: Tensor | None) -> Tensor | None:
            return None if each is None else each.detach().requires_grad_()

        return LossParameters(self.scale.detach().requires_grad_(), leaf(self.bias), leaf(self.tokens))


class Student(nn.Module):
    """A model with what its loss learns besides: `bias`, for the sigmoid loss only, and `tokens`, to predict tokens.

    The bias shifts all logits alike, so that no ranking needs it. Both stay out of the model's weights, and so does
    `memory`, the embeddings of the last `remembered` samples.
    """

    def __init__(
        self, model: AnyModel, recipe: Recipe, *, fresh: bool, predicts_tokens: bool = False, remembered: int = 0
    ) -> None:
        super().__init__()
        self.model = model
        self.tokens = (
            nn.Parameter(torch.randn(_vocabulary_size(model), model.config.embedding_dim) * TOKEN_START_STD)
            if predicts_tokens
            else None
        )
        self.memory = EmbeddingMemory(remembered, model.config.embedding_dim) if remembered else None
        self.bias = nn.Parameter(torch.tensor(SIGMOID_START_BIAS)) if recipe is Recipe.SIGMOID else None
        if recipe is Recipe.SIGMOID and fresh:
            nn.init.constant_(self.logit_scale, math.log(SIGMOID_START_SCALE))

    @property
    def logit_scale(self) -> nn.Parameter:
        """The logarithm of the factor on cosines."""
        parameter = self.model.clip.logit_scale if isinstance(self.model, OpenClipModel) else self.model.logit_scale
        assert isinstance(parameter, nn.Parameter)
        return parameter

    def forward(self, images: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor, LossParameters]:
        """Embeddings in float32 or better, L2-normalised, and what the loss learns.

        Args:
            images: `(N, 3, S, S)`.
            token_ids: `(M, T)`; M is N, or 2 N where synthetic captions follow the real ones.

        Returns:
            `(N, D)`, `(M, D)`, the loss's parameters.
        """
        image = nn.functional.normalize(at_least_float32(self.model.encode_image(images)), dim=-1)
        text = nn.functional.normalize(at_least_float32(self.model.encode_text(token_ids)), dim=-1)
        return image, text, LossParameters(self.model.scale(), self.bias, self.tokens)


def _vocabulary_size(model: AnyModel) -> int:
    return model.text_encoder.vocabulary_size


def checkpoint_activations(model: AnyModel) -> None:
    """Lets every block forget its activations and compute them again in the backward pass; keys stay."""
    if isinstance(model, OpenClipModel):
        model.clip.set_grad_checkpointing(True)
        return

    def recomputed(module: nn.Module) -> nn.Module:
        return checkpoint_wrapper(module, context_fn=lambda: (contextlib.nullcontext(), unmoved_statistics(module)))

    apply_activation_checkpointing(
        model, checkpoint_wrapper_fn=recomputed, check_fn=lambda module: isinstance(module, _BLOCKS)
    )
