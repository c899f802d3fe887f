"""Depthwise convolutions in forms for which XNNPACK has kernels.

XNNPACK has depthwise kernels of 3, 4, 9 and 25 taps alone; all others run as an indirect matrix product per channel.
"""

from __future__ import annotations

import copy
import functools
import operator
from typing import TypeGuard

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_modules
from pocketclip.models.blocks.mobileone import FoldedConv, SqueezeExcite
from pocketclip.models.towers.image_tower import Downsampler, HybridEncoder, PooledProjection

# The largest depthwise kernel of XNNPACK.
MOST_TAPS = 25


class SplitDepthwise(nn.Module):
    """A depthwise 7x7 convolution as the sum of four of at most 25 taps each.

    The inner 5x5; the outer rows, whole; and of the outer columns what is left, first every second tap, then the rest.
    Shape: that of the convolution it replaces.
    """

    # Rows and columns of the kernel, each evenly spaced around its centre.
    PARTS = (
        (range(1, 6), range(1, 6)),
        (range(0, 7, 6), range(7)),
        (range(1, 6, 2), range(0, 7, 6)),
        (range(2, 5, 2), range(0, 7, 6)),
    )

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            _part(conv, rows, columns, bias=place == 0 and conv.bias is not None)
            for place, (rows, columns) in enumerate(self.PARTS)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functools.reduce(operator.add, (part(x) for part in self.parts))


def _part(conv: nn.Conv2d, rows: range, columns: range, *, bias: bool) -> nn.Conv2d:
    part = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (len(rows), len(columns)),
        stride=(int(conv.stride[0]), int(conv.stride[1])),
        padding=(int(conv.padding[0]) - rows.start, int(conv.padding[1]) - columns.start),
        dilation=(rows.step, columns.step),
        groups=conv.groups,
        bias=bias,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
    part.weight.copy_(conv.weight[:, :, list(rows)][:, :, :, list(columns)])
    if part.bias is not None and conv.bias is not None:
        part.bias.copy_(conv.bias)
    return part


def split_depthwise(tower: nn.Module, example: Tensor) -> Rewritten:
    """Cuts depthwise 7x7 convolutions into parts of at most 25 taps."""
    del example
    return rewrite_modules(tower, lambda module: SplitDepthwise(module) if _is_large_depthwise(module) else None)


def _is_large_depthwise(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels == module.out_channels
        and module.kernel_size == (7, 7)
        and module.padding == (3, 3)
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
    )


class UngroupedConv(nn.Module):
    """A convolution with one group for each of C input channels and 2C outputs, as two depthwise ones.

    Its outputs come in another order: first those of even numbers, then those of odd ones.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.even, self.odd = _every_second(conv, 0), _every_second(conv, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.even(x), self.odd(x)), dim=1)


def _every_second(conv: nn.Conv2d, first: int) -> nn.Conv2d:
    part = copy.deepcopy(conv)
    part.out_channels = conv.in_channels
    part.weight = nn.Parameter(conv.weight[first::2].clone())
    if conv.bias is not None:
        part.bias = nn.Parameter(conv.bias[first::2].clone())
    return part


def ungroup(tower: nn.Module, example: Tensor) -> Rewritten:
    """Makes the widening grouped convolutions depthwise; squeeze-excite and the next layer take the new order in."""
    del example
    tower = copy.deepcopy(tower)
    sites: list[str] = []
    with torch.no_grad():
        for path, module in list(tower.named_modules()):
            if isinstance(module, Downsampler):
                block, following = module.proj[0], module.proj[1]
                place = f"{path}.proj.0"
            elif isinstance(module, HybridEncoder):
                block, following = module.conv_exp, module.head
                place = f"{path}.conv_exp"
            else:
                continue
            if isinstance(block, FoldedConv) and _doubles_each(block.reparam_conv) and _takes_order(following):
                _reorder(block, following)
                sites.append(place)
    return Rewritten(tower, tuple(sites))


def _doubles_each(conv: nn.Module) -> bool:
    return isinstance(conv, nn.Conv2d) and conv.groups == conv.in_channels and conv.out_channels == 2 * conv.groups


def _takes_order(module: nn.Module) -> bool:
    if isinstance(module, PooledProjection):
        return True
    return isinstance(module, FoldedConv) and module.reparam_conv.groups == 1


def _reorder(block: FoldedConv, following: nn.Module) -> None:
    conv = block.reparam_conv
    order = torch.cat((torch.arange(0, conv.out_channels, 2), torch.arange(1, conv.out_channels, 2)))
    block.reparam_conv = UngroupedConv(conv)  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(block.se, SqueezeExcite):
        squeeze, expand = (block.se.get_submodule(name) for name in block.se.names)
        assert isinstance(squeeze, nn.Conv2d) and isinstance(expand, nn.Conv2d) and expand.bias is not None
        squeeze.weight.copy_(squeeze.weight[:, order].clone())
        expand.weight.copy_(expand.weight[order].clone())
        expand.bias.copy_(expand.bias[order].clone())
    if isinstance(following, PooledProjection):
        following.proj.copy_(following.proj[order].clone())
    else:
        assert isinstance(following, FoldedConv)
        weight = following.reparam_conv.weight
        weight.copy_(weight[:, order].clone())
