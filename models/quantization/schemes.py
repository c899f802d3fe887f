"""What quantisation-aware training rounds: a literal table, one row for each scheme."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Weights that share a scale in a block, along the axis that is summed over. ONNX Runtime's 4-bit kernels take 16, 32,
# 64 ...; 32 costs half a bit a weight for its scales.
BLOCK = 32
# On each side, of the observed samples: outliers beyond it saturate, and leave finer steps to all others.
OUTLIER_PERCENT = 2


class QatScheme(StrEnum):
    """The arithmetic that a model is trained for.

    The first two are named after the precision of the export; `int4-channels` is LiteRT's form of `int4-weights`, with
    one scale for each output channel instead of one for each block of 32 weights.
    """

    INT8_STATIC = "int8-static"
    INT4_WEIGHTS = "int4-weights"
    INT4_CHANNELS = "int4-channels"

    @property
    def traits(self) -> SchemeTraits:
        """What the scheme rounds, and how."""
        return SCHEMES[self]


@dataclass(frozen=True)
class SchemeTraits:
    """What a scheme rounds.

    `weight_bits` is the width of a weight in dense layers and embeddings; sensitive modules and spatial kernels keep 8
    (`eight_bit_modules`). `block` is how many weights share a scale, None for those of an output channel.
    `activations`: what goes into and comes out of dense convolutions and linear layers is rounded to 8 bits.
    `norms_absorbed`: the scale of a LayerNorm is part of the weights behind it before they are rounded.
    """

    weight_bits: int
    block: int | None
    activations: bool
    meaning: str
    norms_absorbed: bool = False


SCHEMES: dict[QatScheme, SchemeTraits] = {
    QatScheme.INT8_STATIC: SchemeTraits(
        8, None, True, "int8 weights per channel, 8-bit activations around dense convolutions and linear layers"
    ),
    QatScheme.INT4_WEIGHTS: SchemeTraits(
        4, BLOCK, False, "4-bit weights in blocks of 32: int4-weights of ONNX and Core ML"
    ),
    QatScheme.INT4_CHANNELS: SchemeTraits(
        4, None, False, "4-bit weights per channel: int4-weights of LiteRT", norms_absorbed=True
    ),
}
