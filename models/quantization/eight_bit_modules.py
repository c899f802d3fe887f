"""Which modules of a tower few bits would hurt most: they keep 8 where the rest has 4, and 16 of 8 on an NPU."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from pocketclip.models.towers.image_tower import Downsampler, PooledProjection
from pocketclip.models.towers.vision_transformer import StemConv, TokenProjection

_CLASSES = (Downsampler, PooledProjection, StemConv, TokenProjection)
# The stems of MobileCLIP, of our vision transformer and of OpenCLIP's.
_NAMES = ("patch_embed", "stem", "conv1")


def stems(tower: nn.Module) -> tuple[str, ...]:
    """Paths of the modules that see an image tower's pixels, the outermost of each."""
    return _outermost(tower, lambda path, module: isinstance(module, StemConv) or path.rpartition(".")[2] in _NAMES)


def projections(tower: nn.Module) -> tuple[str, ...]:
    """Paths of the modules that give an image tower's embedding; none where the tower multiplies by itself."""
    return _outermost(tower, lambda _, module: isinstance(module, PooledProjection | TokenProjection))


def eight_bit_modules(tower: nn.Module) -> tuple[str, ...]:
    """Paths of the modules past which no residual branch carries the values: stem, down-samplers, projection.

    An error there reaches everything behind it. On nano's image tower, 4 bits in blocks of 32 in the last
    convolution of the stem alone cost a mean cosine of 0.015, in each of the three down-samplers 0.002 to 0.005,
    in each of the other 20 layers less than 0.0003.
    """
    return _outermost(tower, lambda path, module: isinstance(module, _CLASSES) or path.rpartition(".")[2] in _NAMES)


def _outermost(tower: nn.Module, meant: Callable[[str, nn.Module], bool]) -> tuple[str, ...]:
    found: list[str] = []
    for path, module in tower.named_modules():
        if meant(path, module) and not any(path.startswith(f"{above}.") for above in found):
            found.append(path)
    return tuple(found)
