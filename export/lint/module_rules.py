"""Rules about structure that folding should have removed, in the module and in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.lint.graph import OpKind
from pocketclip.export.lint.subject import Spot, Subject, listed

if TYPE_CHECKING:
    from torch import nn


def unfolded_branches(subject: Subject) -> Iterator[Spot]:
    """Blocks that have an equal form with fewer branches; in a graph, sums of two convolutions of one value."""
    if subject.module is not None:
        found = [f"{path} ({type(module).__name__})" for path, module in _foldable(subject.module)]
        if found:
            yield Spot(found[0].partition(" ")[0], f"{len(found)} blocks keep their training branches: {listed(found)}")
    # Kernels that were cut in parts, for speed or accuracy, are no training branches.
    if subject.graph is None or {PassName.SPLIT_DEPTHWISE, PassName.SPLIT_WEIGHTS} & subject.passes:
        return
    producers = subject.graph.producers
    for op in subject.graph.ops:
        if op.kind is OpKind.ADD:
            parts = [producers.get(name) for name in op.inputs[:2]]
            pair = [part for part in parts if part is not None and part.kind is OpKind.CONV]
            if len(pair) == 2 and pair[0] is not pair[1] and pair[0].inputs[0] == pair[1].inputs[0]:
                yield Spot(op.where, f"adds two convolutions of the same value: {pair[0].where} and {pair[1].where}")


def batch_norm_left(subject: Subject) -> Iterator[Spot]:
    """Batch norms, which at inference are a factor and a shift."""
    if subject.module is not None:
        from torch.nn.modules.batchnorm import _BatchNorm

        found = [path for path, module in subject.module.named_modules() if isinstance(module, _BatchNorm)]
        if found:
            yield Spot(found[0], f"{len(found)} batch norms are left in the module: {listed(found)}")
    if subject.graph is not None:
        left = [op.where for op in subject.graph.ops if op.kind is OpKind.BATCH_NORM]
        if left:
            yield Spot(left[0], f"{len(left)} batch norms are left in the graph: {listed(left)}")


def _foldable(tower: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules that can still be folded, our own and timm's."""
    from pocketclip.models.blocks.folding import Foldable

    inside: list[str] = []
    for path, module in tower.named_modules():
        ours = issubclass(type(module), Foldable)
        # timm's blocks have the method before and after; the folded convolution tells them apart.
        timms = hasattr(module, "reparameterize") and getattr(module, "reparam_conv", True) is None
        if (ours or timms) and not any(path.startswith(f"{above}.") for above in inside):
            inside.append(path)
            yield path, module
