"""The module that is exported: one reparameterised tower with normalised embeddings.

It computes what the trained model computes, in forms that every converter and delegate takes: 32-bit ids, no
argmax over ids (which fp16 rounding breaks: 49406 and 49407 both become 49408), no infinite masks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.export.precision import Tower
from pocketclip.models.towers.clip import AnyModel, ClipModel, reparameterize
from pocketclip.models.towers.open_clip_model import OpenClipModel, OpenClipTextTower
from pocketclip.models.towers.text_tower import TextTower

# The submodule that normalises, by which quantisers find the ops they must leave in float.
NORM_SCOPE = "l2_norm"
INPUT_NAMES = {Tower.IMAGE: "image", Tower.TEXT: "token_ids"}
OUTPUT_NAME = "embedding"


class L2Norm(nn.Module):
    """Each row divided by its Euclidean norm.

    Stays in float when the rest is int8: squares span twice the dynamic range of what they are made from, and
    the reciprocal root of one of 256 sums was seen to scale embeddings by 0.60 to 1.11.
    """

    def forward(self, embedding: Tensor) -> Tensor:
        return embedding * torch.rsqrt((embedding * embedding).sum(-1, keepdim=True))


class ImageTowerModule(nn.Module):
    """`image` (1, 3, S, S) float32 to `embedding` (1, D), L2-normalised.

    `prepare` is for passes that change what is fed; it is empty at first.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.prepare = nn.Sequential()
        self.encoder = encoder
        self.l2_norm: nn.Module = L2Norm()

    def forward(self, image: Tensor) -> Tensor:
        return self.l2_norm(self.encoder(self.prepare(image)))


class IsEnd(nn.Module):
    """Where ids are that of the end of text, the largest of the vocabulary. Shape: `(N, T)` in and out."""

    def __init__(self, end_of_text: int) -> None:
        super().__init__()
        self.end_of_text = end_of_text

    def forward(self, token_ids: Tensor) -> Tensor:
        return token_ids == self.end_of_text


class TextTowerModule(nn.Module):
    """`token_ids` (1, T) int32 to `embedding` (1, D), L2-normalised.

    The end-of-text row is taken by a product with a one-hot row, which stays exact in any float type.
    """

    earlier: Tensor

    def __init__(self, encoder: TextTower | OpenClipTextTower) -> None:
        super().__init__()
        self.encoder = encoder
        self.l2_norm: nn.Module = L2Norm()
        self.is_end: nn.Module = IsEnd(encoder.vocabulary_size - 1)
        length = encoder.context_length
        # Column t sums what stands before t.
        self.register_buffer("earlier", torch.ones(length, length).triu(1), persistent=False)

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden = self.encoder.hidden_states(token_ids)
        is_end = self.is_end(token_ids).to(hidden.dtype)
        # Only the first end counts, as with argmax: later ones have an end before them.
        first_end = torch.relu(is_end - is_end @ self.earlier)
        pooled = torch.matmul(first_end.unsqueeze(1), hidden).squeeze(1)
        return self.l2_norm(pooled @ self.encoder.projection_layer)


def tower_module(model: AnyModel, tower: Tower, *, raw: bool = False) -> nn.Module:
    """The exportable form of one tower of a trained model, which is left alone; `raw` leaves the L2 norm out."""
    folded = reparameterize(model)
    assert isinstance(folded, ClipModel | OpenClipModel)
    module = ImageTowerModule(folded.image_encoder) if tower is Tower.IMAGE else TextTowerModule(folded.text_encoder)
    if raw:
        module.l2_norm = nn.Identity()
    return module.eval()


def example_input(model: AnyModel, tower: Tower) -> Tensor:
    """A valid input of the tower's fixed shape, for tracing."""
    config = model.config
    if tower is Tower.IMAGE:
        size = config.preprocess.image_size
        return torch.linspace(0, 1, 3 * size * size).reshape(1, 3, size, size)
    encoder = model.text_encoder
    ids = torch.zeros(1, config.tokenizer.context_length, dtype=torch.int32)
    ids[0, 0], ids[0, 1] = encoder.vocabulary_size - 2, encoder.vocabulary_size - 1
    return ids
