"""A folded model that computes with rounded numbers and learns to, and the plain model that comes out of it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pocketclip.models.quantization.folded import absorb_norms, exported_form
from pocketclip.models.quantization.rounding import InRange, OnGrid
from pocketclip.models.quantization.schemes import OUTLIER_PERCENT, QatScheme
from pocketclip.models.quantization.sites import activation_sites, weight_sites
from pocketclip.models.quantization.trained import Side, TrainedQuantization
from pocketclip.models.towers.clip import ClipModel


def quantized_form(model: ClipModel, scheme: QatScheme) -> ClipModel:
    """The folded copy of a model that computes with a scheme's rounded weights and activations.

    Activations pass as they are until `start_ranges`. Weights keep their full precision as `original` parameters.
    """
    folded = exported_form(model).requires_grad_(True)
    traits = scheme.traits
    if traits.norms_absorbed:
        absorb_norms(folded)
    for site in list(weight_sites(folded, traits)):
        module = folded.get_submodule(site.module)
        grid = OnGrid(getattr(module, site.name), site.grid)
        parametrize.register_parametrization(module, site.name, grid, unsafe=True)
    for path in activation_sites(folded) if traits.activations else ():
        module = folded.get_submodule(path)
        for side in Side:
            module.add_module(_RANGE_NAMES[side], InRange())
        module.register_forward_pre_hook(_round_input)
        module.register_forward_hook(_round_output)
    return folded


def start_ranges(model: nn.Module) -> None:
    """Ends the observation of activations: from now on they are rounded, within what was observed."""
    for _, _, rounding in _ranges(model):
        rounding.start(OUTLIER_PERCENT)


def resume_ranges(model: nn.Module) -> None:
    """Rounds activations within the ranges of a state that was loaded."""
    for _, _, rounding in _ranges(model):
        rounding.resume()


def plain_form(model: ClipModel, scheme: QatScheme) -> ClipModel:
    """What was learned, without the means of learning it: a folded copy whose weights lie on their grids.

    Its `quantization` holds the scheme and the ranges of activations; the model itself computes in float.
    """
    plain = exported_form(ClipModel(model.config))
    with torch.no_grad():
        # A weight on its grid is no entry of the state: reading the attribute computes it.
        learned = {key: _value(model, key).detach().clone() for key in plain.state_dict()}
    plain.load_state_dict(learned)
    limits = {
        (path, side): (min(0.0, rounding.low.item()), max(0.0, rounding.high.item()))
        for path, side, rounding in _ranges(model)
    }
    plain.quantization = TrainedQuantization(scheme, limits)
    return plain.eval()


def _value(model: nn.Module, key: str) -> Tensor:
    path, _, name = key.rpartition(".")
    return getattr(model.get_submodule(path), name)


_RANGE_NAMES = {Side.INPUT: "input_range", Side.OUTPUT: "output_range"}
# What torch puts around a block that forgets its activations is no part of the model: no key of a state names it.
_WRAPPER = "_checkpoint_wrapped_module"


def _ranges(model: nn.Module) -> Iterator[tuple[str, Side, InRange]]:
    for name, module in model.named_modules():
        path = ".".join(part for part in name.split(".") if part != _WRAPPER)
        for side in Side:
            rounding = getattr(module, _RANGE_NAMES[side], None)
            if isinstance(rounding, InRange):
                yield path, side, rounding


def _round_input(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    rounding = module.get_submodule(_RANGE_NAMES[Side.INPUT])
    return (rounding(given[0]), *given[1:])


def _round_output(module: nn.Module, given: tuple[Tensor, ...], value: Tensor) -> Tensor:
    return module.get_submodule(_RANGE_NAMES[Side.OUTPUT])(value)
