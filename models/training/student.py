"""The model in training: its embeddings with the learned scalars of the loss, and its memory-saving form."""

from __future__ import annotations

import contextlib
import math

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

# SigLIP's starting point (Zhai et al. 2023, section 3.2): most pairs of a batch are no pairs.
SIGMOID_START_SCALE = 10.0
SIGMOID_START_BIAS = -10.0

_BLOCKS = (AttentionBlock, PlainMixerBlock, RepMixerBlock, TransformerLayer)


class Student(nn.Module):
    """A model with what its loss learns besides: `bias`, for the sigmoid loss alone.

    The bias shifts all logits alike, so that no ranking needs it, and stays out of the model's weights.
    """

    def __init__(self, model: AnyModel, recipe: Recipe, *, fresh: bool) -> None:
        super().__init__()
        self.model = model
        self.bias = nn.Parameter(torch.tensor(SIGMOID_START_BIAS)) if recipe is Recipe.SIGMOID else None
        if recipe is Recipe.SIGMOID and fresh:
            nn.init.constant_(self.logit_scale, math.log(SIGMOID_START_SCALE))

    @property
    def logit_scale(self) -> nn.Parameter:
        """The logarithm of the factor on cosines."""
        parameter = self.model.clip.logit_scale if isinstance(self.model, OpenClipModel) else self.model.logit_scale
        assert isinstance(parameter, nn.Parameter)
        return parameter

    def forward(self, images: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Embeddings in float32 or better, L2-normalised, and the loss's scalars.

        Args:
            images: `(N, 3, S, S)`.
            token_ids: `(M, T)`; M is N, or 2 N where synthetic captions follow the real ones.

        Returns:
            `(N, D)`, `(M, D)`, the factor on cosines, the bias.
        """
        image = nn.functional.normalize(at_least_float32(self.model.encode_image(images)), dim=-1)
        text = nn.functional.normalize(at_least_float32(self.model.encode_text(token_ids)), dim=-1)
        return image, text, self.model.scale(), self.bias


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
