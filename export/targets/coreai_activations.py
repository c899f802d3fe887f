"""8-bit activations for Core AI: what goes into convolutions and linear layers."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import KeptPrecision, covers, kept_modules
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.observed_ranges import RangeObserver, outlier_percent
from pocketclip.export.targets.trained_quantization import Limits
from pocketclip.models.quantization.trained import Side

_LOWEST, _STEPS = -128, 255
# The smallest normal half float: a value that is always zero has no range of its own.
_LEAST_SCALE = 2.0**-14


class RoundedInput(nn.Module):
    """A layer whose input is rounded to 256 steps of a fixed range that holds zero."""

    scale: Tensor
    zero_point: Tensor

    def __init__(self, layer: nn.Module, limits: Limits) -> None:
        super().__init__()
        self.layer = layer
        low, high = min(limits[0], 0.0), max(limits[1], 0.0)
        scale = max((high - low) / _STEPS, _LEAST_SCALE)
        self.register_buffer("scale", torch.tensor(scale).half().float())
        self.register_buffer("zero_point", torch.tensor(_LOWEST - round(low / scale), dtype=torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        rounded = torch.ops.coreai.quantize(x, self.scale, torch.int8, self.zero_point)
        return self.layer(torch.ops.coreai.dequantize(rounded, self.scale, self.zero_point))


def round_inputs(tower: nn.Module, request: LoweringRequest) -> None:
    """Rounds what goes into the tower's convolutions and linear layers, in place; the plan may spare modules.

    Ranges are trained ones where there are any, else those that all but the most extreme calibration samples stay
    within.
    """
    kept = (NORM_SCOPE, *kept_modules(request.plan, KeptPrecision.FLOAT))
    layers: dict[str, nn.Module] = {
        path: module
        for path, module in request.module.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not covers(kept, path)
    }
    ranges = _observed(request, layers)
    for path in layers:
        limits = request.ranges.of(path, Side.INPUT) or ranges[path]
        tower.set_submodule(path, RoundedInput(tower.get_submodule(path), limits))


def _observed(request: LoweringRequest, layers: dict[str, nn.Module]) -> dict[str, Limits]:
    """The range of what each layer is given, in single precision."""
    observer = RangeObserver(layers)

    def note(path: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        observer.observe(path, given[0].detach().numpy())

    handles = [layer.register_forward_pre_hook(partial(note, path)) for path, layer in layers.items()]
    try:
        with torch.inference_mode():
            for inputs in request.calibration or [request.example.numpy()]:
                request.module(torch.from_numpy(inputs))
    finally:
        for handle in handles:
            handle.remove()
    return observer.ranges(outlier_percent(request.precision))
