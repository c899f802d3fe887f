"""Forms in which Qualcomm's NPU computes norms and the end of text with integers only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_modules, rewrite_norm
from pocketclip.export.passes.tower_module import IsEnd

# Far below the mean square of any embedding, and still a normal number in single precision.
_EPS = 1e-12


class RmsL2Norm(nn.Module):
    """The L2 norm as an RMS norm with a constant weight: one op whose inside is not rounded. Shape: `(1, D)`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=_EPS)
        nn.init.constant_(self.norm.weight, width**-0.5)

    def forward(self, embedding: Tensor) -> Tensor:
        return self.norm(embedding)


def norm_by_rms(tower: nn.Module, example: Tensor) -> Rewritten:
    """Normalises the embedding by one op."""
    return rewrite_norm(tower, example, RmsL2Norm)


class SelectedEnd(nn.Module):
    """1 at the end of text and 0 elsewhere, by a choice between constants. Shape: ids `(N, T)` to floats `(N, T)`."""

    zero: Tensor
    one: Tensor

    def __init__(self, end_of_text: int) -> None:
        super().__init__()
        self.end_of_text = end_of_text
        self.register_buffer("zero", torch.zeros(1, 1))
        self.register_buffer("one", torch.ones(1, 1))

    def forward(self, token_ids: Tensor) -> Tensor:
        return torch.where(token_ids == self.end_of_text, self.one, self.zero)


def end_by_select(tower: nn.Module, example: Tensor) -> Rewritten:
    """Finds the end of text without turning truth values into numbers."""
    del example
    return rewrite_modules(tower, lambda module: SelectedEnd(module.end_of_text) if isinstance(module, IsEnd) else None)
