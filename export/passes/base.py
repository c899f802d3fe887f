"""What a pass is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from pocketclip.export.artifact.pass_report import PassName


@dataclass(frozen=True)
class Rewritten:
    """A rewritten copy of a tower and the paths of the modules that were changed; none where nothing fitted.

    `adapt_input` turns an input of the tower before into one of the tower after, where a pass changes what is fed.
    """

    module: nn.Module
    sites: tuple[str, ...]
    adapt_input: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Pass:
    """A rewrite of a tower.

    `rewrite` is given a tower in eval mode and a real input of it, and leaves both alone. `exact` passes compute the
    same in real numbers, which double precision proves; of the others the change is measured and reported.
    """

    name: PassName
    summary: str
    rewrite: Callable[[nn.Module, Tensor], Rewritten]
    exact: bool = True
