"""The units of a tower: the modules whose precision is chosen one by one.

A unit is a module without children, or one of those below, whose parts make sense at one precision only: attention with
its projections, a convolution with its gate and activation, the pooled projection. What a container computes itself
(the sums of a residual layer, the end-of-text product and projection) is a unit too, written with a slash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from torch import nn

from pocketclip.export.artifact.precision_plan import OWN, covers
from pocketclip.export.passes.tower_module import NORM_SCOPE, TextTowerModule
from pocketclip.models.blocks.mixers import MapAttention, Residual
from pocketclip.models.blocks.mobileone import FoldedConv, SqueezeExcite
from pocketclip.models.blocks.transformer import LearnedPositions, SequenceAttention, TransformerLayer
from pocketclip.models.loaded_classes import is_loaded_instance
from pocketclip.models.towers.image_tower import PooledProjection
from pocketclip.models.towers.open_clip_model import FusedAttention
from pocketclip.models.towers.vision_transformer import TokenProjection

WHOLE = (
    FoldedConv,
    FusedAttention,
    LearnedPositions,
    MapAttention,
    nn.MultiheadAttention,
    PooledProjection,
    SequenceAttention,
    SqueezeExcite,
    TokenProjection,
)
_WITH_SUMS = (Residual, TextTowerModule, TransformerLayer)
_WITHOUT_VALUES = (nn.Identity, nn.Dropout, nn.Flatten)


def units(tower: nn.Module) -> tuple[str, ...]:
    """Paths of the units, in the order of the tower's modules."""
    return tuple(_below(tower, ""))


def _below(module: nn.Module, path: str) -> Iterator[str]:
    if path == NORM_SCOPE or isinstance(module, _WITHOUT_VALUES):
        # The L2 norm is in floating point whatever the plan.
        return
    if isinstance(module, WHOLE) or not list(module.children()):
        yield path
        return
    for name, child in module.named_children():
        yield from _below(child, f"{path}.{name}" if path else name)
    if isinstance(module, _WITH_SUMS) or is_loaded_instance(module, "open_clip.transformer", "ResidualAttentionBlock"):
        yield f"{path}{OWN}"


def collapsed(kept: Collection[str], all_units: Collection[str]) -> tuple[str, ...]:
    """The fewest paths that mean the same units: a container of which every unit is kept stands for them.

    Args:
        kept: units that are kept.
        all_units: the units of the tower; containers are told by what these have in common.
    """
    left = [unit for unit in all_units if unit not in kept]
    found: dict[str, None] = {}
    for unit in all_units:
        if unit in kept:
            found[next(path for path in _above(unit) if not any(_inside(other, path) for other in left))] = None
    return tuple(found)


def meant(paths: Collection[str], all_units: Collection[str]) -> tuple[str, ...]:
    """The units that the paths of a plan mean: the reverse of `collapsed`."""
    return tuple(unit for unit in all_units if any(_inside(unit, path) for path in paths))


def groups(all_units: Collection[str]) -> tuple[frozenset[str], ...]:
    """The units of each container of two units or more, the outermost container first."""
    containers = dict.fromkeys(path for unit in all_units for path in _above(unit) if path not in all_units)
    inside = (frozenset(unit for unit in all_units if _inside(unit, path)) for path in containers)
    return tuple(dict.fromkeys(units for units in inside if len(units) > 1))


def _above(path: str) -> Iterator[str]:
    """The root, then each container down to the path itself."""
    yield ""
    parts = path.removesuffix(OWN).split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])
    yield path


def _inside(path: str, container: str) -> bool:
    if container.endswith(OWN):
        return path == container
    return covers([container], path.removesuffix(OWN))
