"""What an image tower is fed: RGB as it is, bytes, or channels last."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import run_once
from pocketclip.export.passes.tower_module import ImageTowerModule


class BytesToUnit(nn.Module):
    """Bytes from 0 to 255 to floats from 0 to 1."""

    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor(1 / 255))

    def forward(self, image: Tensor) -> Tensor:
        return image.to(self.step.dtype) * self.step


class ChannelsFirst(nn.Module):
    """`(1, S, S, 3)` to `(1, 3, S, S)`."""

    def forward(self, image: Tensor) -> Tensor:
        return image.permute(0, 3, 1, 2)


class SubtractMean(nn.Module):
    """Subtracts a mean for each channel, which a convolution that pads with zeros cannot take in."""

    mean: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return image - self.mean


def fold_preprocessing(tower: nn.Module, example: Tensor, mean: Sequence[float], std: Sequence[float]) -> Rewritten:
    """Takes RGB from 0 to 1: mean and deviation go into the first convolution.

    Where that convolution pads, zeros stand for the mean: then the mean is subtracted in front of it, and only the
    deviation goes into the weights.
    """
    tower = copy.deepcopy(tower)
    found = _first_convolution(tower, example)
    if found is None or not isinstance(tower, ImageTowerModule) or (not any(mean) and all(each == 1 for each in std)):
        return Rewritten(tower, ())
    path, conv = found
    shift, scale = (torch.tensor(list(each), dtype=conv.weight.dtype).reshape(1, -1, 1, 1) for each in (mean, std))
    with torch.no_grad():
        conv.weight.div_(scale)
        if any(int(side) for side in conv.padding):
            tower.prepare.insert(0, SubtractMean(shift))
        else:
            moved = (conv.weight * shift).sum((1, 2, 3))
            conv.bias = nn.Parameter(-moved if conv.bias is None else conv.bias - moved)
    return Rewritten(tower, (path,), lambda image: image * scale.to(image.dtype) + shift.to(image.dtype))


def _first_convolution(tower: nn.Module, example: Tensor) -> tuple[str, nn.Conv2d] | None:
    """The one convolution that is fed the image itself, if there is one."""
    found: list[nn.Conv2d] = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0] is example and isinstance(module, nn.Conv2d):
            found.append(module)

    paths = {module: path for path, module in tower.named_modules()}
    hooks = [module.register_forward_pre_hook(hook) for module in paths if isinstance(module, nn.Conv2d)]
    run_once(tower, example, hooks)
    takes_all = len(found) == 1 and found[0].groups == 1 and not isinstance(found[0].padding, str)
    return (paths[found[0]], found[0]) if takes_all else None


def byte_input(tower: nn.Module, example: Tensor) -> Rewritten:
    """Takes bytes and converts them in the graph."""
    del example
    return _prepend(tower, BytesToUnit(), lambda image: (image * 255).round().to(torch.uint8))


def channels_last_input(tower: nn.Module, example: Tensor) -> Rewritten:
    """Takes the channels as the last axis, as cameras give them."""
    del example
    return _prepend(tower, ChannelsFirst(), lambda image: image.permute(0, 2, 3, 1).contiguous())


def _prepend(tower: nn.Module, first: nn.Module, adapt: Callable[[Tensor], Tensor]) -> Rewritten:
    tower = copy.deepcopy(tower)
    if not isinstance(tower, ImageTowerModule):
        return Rewritten(tower, ())
    tower.prepare.insert(0, first)
    return Rewritten(tower, ("prepare",), adapt)
