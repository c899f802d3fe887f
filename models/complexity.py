"""Parameters, operations and sizes of a model's towers, counted without allocating its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.clip import ClipModel, reparameterize
from models.registry import load_config


@dataclass(frozen=True)
class TowerComplexity:
    """One reparameterised tower: parameters, floating-point operations of one inference, fp32 bytes.

    A multiply-add counts as two operations. `input_shape` has batch 1.
    """

    parameters: int
    flops: int
    input_shape: tuple[int, ...]

    @property
    def fp32_bytes(self) -> int:
        """Bytes of the weights in fp32."""
        return 4 * self.parameters


@dataclass(frozen=True)
class ModelComplexity:
    """Both towers of a registered model."""

    name: str
    description: str
    image: TowerComplexity
    text: TowerComplexity


def measure(name: str) -> ModelComplexity:
    """Counts a registered model as it is deployed, i.e. with its branches folded.

    Raises:
        UnknownModelError: there is no such model.
    """
    config = load_config(name)
    with torch.device("meta"):
        folded = reparameterize(ClipModel(config))
        assert isinstance(folded, ClipModel)
        size = config.preprocess.image_size
        images = torch.empty(1, 3, size, size)
        ids = torch.empty(1, config.tokenizer.context_length, dtype=torch.int32)
    return ModelComplexity(
        name,
        config.description,
        _tower(folded.image_encoder, images),
        _tower(folded.text_encoder, ids),
    )


def _tower(tower: nn.Module, example: Tensor) -> TowerComplexity:
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        tower(example)
    parameters = sum(parameter.numel() for parameter in tower.parameters())
    return TowerComplexity(parameters, counter.get_total_flops(), tuple(example.shape))
