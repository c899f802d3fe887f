"""Whether what a tower computes fits into half floats, op by op of the program that the converter is given.

The Neural Engine computes in half precision throughout: an infinity that wider registers hide elsewhere shows there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.targets.module_stack import innermost_module
from pocketclip.export.targets.rejection import place_of
from pocketclip.models.errors import NonFiniteError

HALF_MAX = torch.finfo(torch.half).max
_LAYER_NORM = torch.ops.aten.native_layer_norm.default


def check_half_range(program: torch.export.ExportedProgram, samples: Sequence[np.ndarray]) -> None:
    """Runs a program in single precision; the L2 norm, which stays so, is left out.

    Raises:
        NonFiniteError: a value leaves the range of half floats, +-65,504; the message has the first module that does,
            and how far.
    """
    watch = _LargestValues(program.module())
    with torch.inference_mode():
        for sample in samples:
            watch.run(torch.from_numpy(sample))
    for node, largest in watch.largest.items():
        # A comparison that NaN fails, too.
        if not largest <= HALF_MAX:
            raise NonFiniteError(
                f"in half precision a value of {largest:.3g} becomes infinite in {place_of(node)}: half floats end at "
                "65,504",
                fix="export fp32, or scale the values down in that module",
            )


class _LargestValues(torch.fx.Interpreter):
    """Notes the largest absolute value that each op gives over all runs, in the order of the program."""

    def __init__(self, program: torch.fx.GraphModule) -> None:
        super().__init__(program)
        self.largest: dict[torch.fx.Node, float] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        result = super().run_node(n)
        if n.op != "call_function" or innermost_module(n).split(".")[0] == NORM_SCOPE:
            return result
        values = [result] if isinstance(result, Tensor) else list(result) if isinstance(result, list | tuple) else []
        if n.target is _LAYER_NORM:
            values = [self._squares(n), values[0]]
        for value in values:
            if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
                # Keeps a NaN.
                self.largest[n] = float(np.maximum(self.largest.get(n, 0.0), value.abs().max().item()))
        return result

    def _squares(self, n: torch.fx.Node) -> Tensor:
        """What a layer norm computes on the way: the squares that its variance is the mean of."""
        given: Any = self.map_nodes_to_values(n.args[:2], n)
        x, shape = given
        centred = x - x.mean(tuple(range(-len(shape), 0)), keepdim=True)
        return centred * centred
