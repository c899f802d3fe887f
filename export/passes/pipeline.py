"""Applies passes to a tower, each proven before it is used."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.pass_report import PassName, PassReport
from pocketclip.export.errors import PassError
from pocketclip.export.passes.base import Pass

# Of a component of the normalised embedding, in double precision. Constants of the rewritten towers are stored in
# single precision, which alone makes 1e-8; a wrong rewrite was never seen to make less than 1e-4.
EXACT = 1e-6


@dataclass(frozen=True)
class Passed:
    """The rewritten tower in single precision, an example of its input, and what each pass did."""

    module: nn.Module
    example: Tensor
    reports: tuple[PassReport, ...]
    adapters: tuple[Callable[[Tensor], Tensor], ...] = ()

    @property
    def names(self) -> frozenset[PassName]:
        """The passes that found something to do."""
        return frozenset(report.name for report in self.reports if report.sites)

    def adapt(self, array: np.ndarray) -> np.ndarray:
        """What the rewritten tower is fed where the tower before was fed `array`."""
        tensor = torch.from_numpy(array)
        for adapter in self.adapters:
            tensor = adapter(tensor)
        return tensor.numpy()


def apply_passes(tower: nn.Module, passes: Sequence[Pass], examples: Sequence[Tensor]) -> Passed:
    """Rewrites a copy of a tower by one pass after another.

    Args:
        tower: in eval mode and single precision; left alone.
        passes: in the order in which they are applied.
        examples: real inputs of the tower, on which every pass is proven; the first one is its example.

    Raises:
        PassError: a pass that claims to be exact changed what the tower computes.
    """
    reports: list[PassReport] = []
    adapters: list[Callable[[Tensor], Tensor]] = []
    expected = _outputs(tower, examples)
    for each in passes:
        rewritten = each.rewrite(tower, examples[0])
        if not rewritten.sites:
            reports.append(PassReport(each.name, (), each.exact, 0.0))
            continue
        adapted = list(examples) if rewritten.adapt_input is None else [rewritten.adapt_input(one) for one in examples]
        outputs = _outputs(rewritten.module, adapted)
        error = max(float((new - old).abs().max()) for new, old in zip(outputs, expected, strict=True))
        if not error <= EXACT and each.exact:
            raise PassError(
                (
                    f"pass {each.name} changes the embedding by {error:.2g} at "
                    f"{', '.join(rewritten.sites[:3])}, more than "
                    f"{EXACT:g}: it does not suit this model"
                ),
                fix=f"skip it with --without {each.name}",
            )
        reports.append(PassReport(each.name, rewritten.sites, each.exact, error))
        if rewritten.adapt_input is not None:
            adapters.append(rewritten.adapt_input)
        tower, examples, expected = rewritten.module, adapted, outputs
    return Passed(tower.eval(), examples[0], tuple(reports), tuple(adapters))


def _outputs(tower: nn.Module, examples: Sequence[Tensor]) -> list[Tensor]:
    """Normalised embeddings in double precision."""
    double = copy.deepcopy(tower).double()
    with torch.inference_mode():
        rows = [double(one.double() if one.is_floating_point() else one) for one in examples]
    return [row / row.norm(dim=-1, keepdim=True) for row in rows]
