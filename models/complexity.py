"""Parameters, operations and sizes of a model's towers, counted without allocating its weights."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from pocketclip.models.config import AnyConfig
from pocketclip.models.open_clip_config import OpenClipConfig
from pocketclip.models.towers.clip import ClipModel, reparameterize
from pocketclip.models.towers.open_clip_model import OpenClipModel


@dataclass(frozen=True)
class TowerComplexity:
    """One reparameterised tower: parameters, floating-point operations of one inference, peak fp32 activations.

    A multiply-add counts as two operations. The peak is that of results alive at once when each op allocates its own
    and frees what no later op needs, weights left out. `input_shape` has batch 1.
    """

    parameters: int
    flops: int
    activation_bytes: int
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


def measure(config: AnyConfig) -> ModelComplexity:
    """Counts a model as it is deployed, i.e. with its branches folded."""
    with torch.device("meta"):
        model = OpenClipModel(config) if isinstance(config, OpenClipConfig) else ClipModel(config)
        folded = reparameterize(model)
        assert isinstance(folded, ClipModel | OpenClipModel)
        size = config.preprocess.image_size
        images = torch.empty(1, 3, size, size)
        ids = torch.empty(1, config.tokenizer.context_length, dtype=torch.int32)
    return ModelComplexity(
        config.name,
        config.description,
        _tower(folded.image_encoder, images),
        _tower(folded.text_encoder, ids),
    )


class ActivationMemory(TorchDispatchMode):
    """Follows the storages that ops allocate, from their birth to the death of their last tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.peak_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {self._key(value) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
        results = func(*args, **(kwargs or {}))
        for value in tree_leaves(results):
            # What shares memory with an input is a view; weights are inputs that no op allocated.
            if isinstance(value, Tensor) and self._key(value) not in known | self.alive.keys():
                storage = value.untyped_storage()
                self.alive[self._key(value)] = storage.nbytes()
                weakref.finalize(storage, self.alive.pop, self._key(value), None)
        self.peak_bytes = max(self.peak_bytes, sum(self.alive.values()))
        return results

    @staticmethod
    def _key(value: Tensor) -> int:
        return value.untyped_storage()._cdata


def _tower(tower: nn.Module, example: Tensor) -> TowerComplexity:
    counter, memory = FlopCounterMode(display=False), ActivationMemory()
    with counter, memory, torch.no_grad():
        tower(example)
    parameters = sum(parameter.numel() for parameter in tower.parameters())
    return TowerComplexity(parameters, counter.get_total_flops(), memory.peak_bytes, tuple(example.shape))
