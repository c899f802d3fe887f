"""What quantisation-aware training leaves besides weights: it travels with them, as entries of the model's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from pocketclip.models.quantization.schemes import QatScheme

# What the entries' names begin with in the state of a model.
PREFIX = "quantization."


class Side(StrEnum):
    """Which border of a module an activation crosses."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True)
class TrainedRange:
    """What an activation is rounded within; zero lies in it."""

    module: str
    side: Side
    low: float
    high: float


class TrainedQuantization(nn.Module):
    """The scheme that the weights lie on the grid of, and the ranges of activations, `(2,)` each: lowest, highest.

    A folded model has it as `quantization`. The model itself computes in float, with the weights on their grid.
    """

    scheme_bytes: Tensor

    def __init__(self, scheme: QatScheme, limits: Mapping[tuple[str, Side], tuple[float, float]]) -> None:
        super().__init__()
        # Entries of a state are tensors.
        self.register_buffer("scheme_bytes", torch.tensor(list(scheme.encode()), dtype=torch.uint8))
        self._places = {_buffer_name(*place): place for place in limits}
        for place, pair in limits.items():
            self.register_buffer(_buffer_name(*place), torch.tensor(pair))

    @property
    def scheme(self) -> QatScheme:
        """What the model was trained for."""
        return QatScheme(bytes(self.scheme_bytes.tolist()).decode())

    def ranges(self) -> tuple[TrainedRange, ...]:
        """The ranges of activations, by the paths of the modules in the folded model."""
        return tuple(
            TrainedRange(module, side, *self.get_buffer(name).tolist()) for name, (module, side) in self._places.items()
        )


def entry_names(module: str) -> dict[str, tuple[str, Side]]:
    """What a module's ranges are called in the state of a model."""
    return {f"{PREFIX}{_buffer_name(module, side)}": (module, side) for side in Side}


SCHEME_ENTRY = f"{PREFIX}scheme_bytes"


def _buffer_name(module: str, side: Side) -> str:
    # Names of buffers hold no dots.
    return f"{module.replace('.', '/')}:{side}"
