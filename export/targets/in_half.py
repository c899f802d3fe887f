"""A tower in half precision."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from pocketclip.export.passes.tower_module import NORM_SCOPE


class InHalf(nn.Module):
    """A tower in half precision behind its float interface; the L2 norm computes in float.

    Sums of squares of a whole row lose most of a half float's range.
    """

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = copy.deepcopy(tower).half()
        self.l2_norm = copy.deepcopy(tower.get_submodule(NORM_SCOPE))
        self.tower.set_submodule(NORM_SCOPE, nn.Identity())

    def forward(self, inputs: Tensor) -> Tensor:
        embedding = self.tower(inputs.half() if inputs.is_floating_point() else inputs)
        return self.l2_norm(embedding.float())
