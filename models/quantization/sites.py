"""Which weights and activations of a folded model are rounded: what the targets quantise, by path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from pocketclip.models.quantization.eight_bit_modules import eight_bit_modules
from pocketclip.models.quantization.rounding import WeightGrid
from pocketclip.models.quantization.schemes import SchemeTraits

# Smaller weights stay in float in every target: they save nothing that could be seen.
LEAST_ELEMENTS = 1024


@dataclass(frozen=True)
class WeightSite:
    """A weight that is rounded: the module that holds it, its name there, and how it is rounded."""

    module: str
    name: str
    grid: WeightGrid


def weight_sites(model: nn.Module, scheme: SchemeTraits) -> Iterator[WeightSite]:
    """The weights of a folded model that a scheme rounds."""
    wide = eight_bit_modules(model)
    for path, module in model.named_modules():
        sensitive = any(path == each or path.startswith(f"{each}.") for each in wide)
        for name, parameter in module.named_parameters(recurse=False):
            axes = _axes(module, name)
            if axes is None or parameter.ndim < 2 or parameter.numel() < LEAST_ELEMENTS:
                continue
            channels, summed = axes
            narrow = not sensitive and not _is_spatial(module) and scheme.weight_bits < 8
            if narrow and scheme.block is not None:
                narrow = parameter.shape[summed] % scheme.block == 0
            if narrow:
                yield WeightSite(path, name, WeightGrid(scheme.weight_bits, channels, scheme.block, summed))
            else:
                yield WeightSite(path, name, WeightGrid(8, channels))


def activation_sites(model: nn.Module) -> tuple[str, ...]:
    """Paths of the modules whose inputs and outputs are 8 bits in static quantisation.

    Dense convolutions and linear layers: the ops that XNNPACK computes in integers faster than in float
    (`export.targets.float_ops`).
    """
    return tuple(path for path, module in model.named_modules() if isinstance(module, nn.Linear) or _is_dense(module))


def _axes(module: nn.Module, name: str) -> tuple[int, int] | None:
    """The axis of a weight's output channels and the one that is summed over; None of what is no such weight."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear | nn.Embedding):
        return (0, 1) if name == "weight" else None
    # A matrix that a module multiplies from the right, `x @ proj`.
    return (1, 0) if name in ("proj", "projection_layer") else None


def _is_spatial(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv1d | nn.Conv2d) and any(size > 1 for size in module.kernel_size)


def _is_dense(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == 1
