"""What the rules look at: a module before conversion, a graph, an artefact, or several of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pocketclip.export.artifact.lint_finding import Severity
from pocketclip.export.precision import QNN_TARGETS, TargetName, Tower

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from pocketclip.export.artifact.manifest import Manifest
    from pocketclip.export.artifact.pass_report import PassName
    from pocketclip.export.lint.graph import Graph
    from pocketclip.models.pixels.preprocess import PreprocessSpec


@dataclass(frozen=True)
class Subject:
    """One tower as far as it is known; a rule says nothing about parts that are None.

    `requires` is the oldest runtime or system that shall read the file, `outputs` embeddings that the artefact gave,
    `preprocess` what the model's images go through, `size_bytes` the model's size on disk, `cautions` what the file of
    the weights did not say; `npu` asks about Snapdragon's NPU whatever the target.
    """

    label: str
    tower: Tower | None = None
    module: nn.Module | None = None
    graph: Graph | None = None
    target: TargetName | None = None
    manifest: Manifest | None = None
    requires: str | None = None
    outputs: np.ndarray | None = None
    model_name: str | None = None
    preprocess: PreprocessSpec | None = None
    normalized: bool | None = None
    size_bytes: int | None = None
    cautions: tuple[str, ...] = ()
    npu: bool = False

    @property
    def for_npu(self) -> bool:
        """Whether Snapdragon's NPU shall run it: it is exported for it, or was asked about."""
        return self.npu or self.target in QNN_TARGETS

    @property
    def passes(self) -> frozenset[PassName]:
        """The graph passes that changed the tower, as far as its manifest says."""
        return frozenset() if self.manifest is None else self.manifest.used_passes


class Spot(NamedTuple):
    """A place where a rule applies, and what is there; a severity of its own where the rule's does not fit."""

    where: str
    message: str
    severity: Severity | None = None


Checker = Callable[[Subject], Iterator[Spot]]


def listed(names: list[str], most: int = 3) -> str:
    """The first of several names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
