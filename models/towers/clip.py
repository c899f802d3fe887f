"""The two-tower model, and its reparameterised form."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.folding import Foldable
from pocketclip.models.config import MAX_LOGIT_SCALE, ModelConfig
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.towers.image_tower import ImageTower
from pocketclip.models.towers.open_clip_model import OpenClipModel
from pocketclip.models.towers.text_tower import TextTower


class ClipModel(nn.Module):
    """An image and a text encoder with a learned temperature; the state dict has MobileCLIP's official keys.

    `quantization` is there after quantisation-aware training: the model is folded, and its weights lie on the grid of a
    scheme (`models.quantization.trained`).
    """

    quantization: nn.Module | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.quantization = None
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.image_encoder = ImageTower(
            config.image, image_size=config.preprocess.image_size, embedding_dim=config.embedding_dim
        )
        self.text_encoder = TextTower(
            config.text,
            vocabulary_size=load_tokenizer(config.tokenizer).size,
            context_length=config.tokenizer.context_length,
            embedding_dim=config.embedding_dim,
        )

    def encode_image(self, images: Tensor) -> Tensor:
        """`(N, 3, S, S)` float images to `(N, D)` embeddings before normalisation."""
        return self.image_encoder(images)

    def encode_text(self, token_ids: Tensor) -> Tensor:
        """`(N, T)` integer ids to `(N, D)` embeddings before normalisation."""
        return self.text_encoder(token_ids)

    def scale(self) -> Tensor:
        """The factor on cosines, clamped to [0, 100] as in CLIP."""
        return self.logit_scale.exp().clamp(0, MAX_LOGIT_SCALE)

    def forward(self, images: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised image and text embeddings `(N, D)` and the logit scale, as training needs them."""
        image = nn.functional.normalize(self.encode_image(images), dim=-1)
        text = nn.functional.normalize(self.encode_text(token_ids), dim=-1)
        return image, text, self.scale()


AnyModel = ClipModel | OpenClipModel


def reparameterize(model: nn.Module) -> nn.Module:
    """Folds every multi-branch block, BatchNorm and layer scale into the weights beside it.

    Returns:
        A copy in eval mode that computes the same as `model.eval()`; `model` is left alone.
    """
    if isinstance(model, OpenClipModel):
        return model.folded()
    folded = copy.deepcopy(model).eval()
    with torch.no_grad():
        _fold_children(folded)
    return folded


def _fold_children(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Foldable):
            setattr(module, name, child.fold())
        else:
            _fold_children(child)
