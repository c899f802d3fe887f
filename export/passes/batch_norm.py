"""BatchNorm that reparameterisation left, folded into the convolution or linear layer before it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import run_once

Layer = nn.Conv2d | nn.Linear
Norm = nn.BatchNorm2d | nn.BatchNorm1d


def fold_batch_norm(tower: nn.Module, example: Tensor) -> Rewritten:
    """Folds each norm whose input is what a convolution or linear layer gave.

    Which layer that is shows when the tower runs: a norm is fed the very tensor that its layer returned. A layer whose
    result goes elsewhere too must not be folded; the proof, which compares the towers, would refuse it.
    """
    tower = copy.deepcopy(tower)
    pairs = _observed_pairs(tower, example)
    paths = {module: path for path, module in tower.named_modules()}
    with torch.no_grad():
        for layer, norm in pairs:
            _fold(layer, norm)
        for _, norm in pairs:
            parent, _, name = paths[norm].rpartition(".")
            setattr(tower.get_submodule(parent), name, _what_is_left(norm))
    return Rewritten(tower, tuple(paths[norm] for _, norm in pairs))


def _observed_pairs(tower: nn.Module, example: Tensor) -> list[tuple[Layer, Norm]]:
    producers: dict[int, Layer] = {}
    kept: list[Tensor] = []
    pairs: list[tuple[Layer, Norm]] = []

    def remember(layer: Layer) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            producers[id(output)] = layer
            # A tensor that is freed could lend its id to another one.
            kept.append(output)

        return hook

    def look_up(norm: Norm) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            layer = producers.pop(id(inputs[0]), None)
            if layer is not None and norm.running_var is not None:
                pairs.append((layer, norm))

        return hook

    hooks = [module.register_forward_hook(remember(module)) for module in tower.modules() if isinstance(module, Layer)]
    hooks += [
        module.register_forward_pre_hook(look_up(module)) for module in tower.modules() if isinstance(module, Norm)
    ]
    run_once(tower, example, hooks)
    return pairs


def _fold(layer: Layer, norm: Norm) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    factor = torch.rsqrt(norm.running_var + norm.eps)
    shift = -norm.running_mean * factor
    if norm.affine:
        factor, shift = factor * norm.weight, shift * norm.weight + norm.bias
    layer.weight.mul_(factor.reshape(-1, *(1,) * (layer.weight.dim() - 1)))
    old = torch.zeros_like(shift) if layer.bias is None else layer.bias
    layer.bias = nn.Parameter(old * factor + shift)


def _what_is_left(norm: Norm) -> nn.Module:
    # timm's norms have an activation of their own.
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()
