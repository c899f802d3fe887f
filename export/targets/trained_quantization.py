"""What quantisation-aware training left, for the targets: ranges of activations, and what the weights were trained for.

Scales of weights need no handing over: each trained weight lies on its grid, with one weight of each group at the end,
and every target derives a scale from the largest weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.trained import Side, TrainedQuantization
from pocketclip.models.towers.clip import AnyModel

Limits = tuple[float, float]
# The scheme that a target's precision carries out without loss.
SCHEMES: dict[tuple[TargetName, Precision], QatScheme] = {
    (TargetName.ONNX, Precision.INT8_STATIC): QatScheme.INT8_STATIC,
    (TargetName.COREML, Precision.INT8_STATIC): QatScheme.INT8_STATIC,
    (TargetName.EXECUTORCH, Precision.INT8_STATIC): QatScheme.INT8_STATIC,
    (TargetName.TFLITE, Precision.INT8_STATIC): QatScheme.INT8_STATIC,
    (TargetName.ONNX, Precision.INT4_WEIGHTS): QatScheme.INT4_WEIGHTS,
    (TargetName.COREML, Precision.INT4_WEIGHTS): QatScheme.INT4_WEIGHTS,
    (TargetName.TFLITE, Precision.INT4_WEIGHTS): QatScheme.INT4_CHANNELS,
}
_ENCODERS = {Tower.IMAGE: "image_encoder.", Tower.TEXT: "text_encoder."}


@dataclass(frozen=True)
class TrainedRanges:
    """Lowest and highest value by the module of the exported tower and the side of it; empty without such training.

    Targets find the ops of a module in their own graphs; all other activations keep the ranges of the calibration.
    """

    limits: Mapping[tuple[str, Side], Limits] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.limits)

    @property
    def modules(self) -> Set[str]:
        """Paths of the modules that have ranges."""
        return {module for module, _ in self.limits}

    def of(self, module: str, side: Side) -> Limits | None:
        """The range of what goes into or comes out of a module."""
        return self.limits.get((module, side))


def ranges_of(model: AnyModel, tower: Tower) -> TrainedRanges:
    """The trained ranges of one tower, by the paths of the module that is exported."""
    trained = getattr(model, "quantization", None)
    if not isinstance(trained, TrainedQuantization):
        return TrainedRanges()
    prefix = _ENCODERS[tower]
    return TrainedRanges(
        {
            (name, each.side): (each.low, each.high)
            for each in trained.ranges()
            if each.module.startswith(prefix)
            for name in _names(f"encoder.{each.module.removeprefix(prefix)}")
        }
    )


def scheme_cautions(model: AnyModel, target: TargetName, precision: Precision) -> tuple[str, ...]:
    """In words, where the weights were trained for another rounding than they get; nothing in floating point."""
    trained = getattr(model, "quantization", None)
    if not isinstance(trained, TrainedQuantization) or not precision.quantized:
        return ()
    if SCHEMES.get((target, precision)) is trained.scheme:
        return ()
    return (f"the weights were trained for {trained.scheme}; {precision} of {target} rounds them in another way",)


def _names(path: str) -> tuple[str, ...]:
    """What a module may be called once passes have rewritten the attention around it (`export.passes.attention`)."""
    above, _, name = path.rpartition(".")
    plain = {"qkv_proj": "qkv", "out_proj": "proj"}.get(name, name)
    inner = (f"{above}.inner.{plain}",) if plain in ("qkv", "proj") else ()
    return (path, *((f"{above}.{plain}",) if plain != name else ()), *inner)
