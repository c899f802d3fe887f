"""4-bit weights for Core ML with fitted scales.

coremltools 9.0 takes 2/15 of a block's largest weight as its scale, which rounds that weight to 7.5 and cuts it to 7.
"""

from __future__ import annotations

from typing import Any, cast

import coremltools
import numpy as np
from coremltools.converters.mil.mil.passes.graph_pass import PassOption
from coremltools.models.model import MLModel
from coremltools.optimize.coreml import OptimizationConfig, _quantization_passes

from pocketclip.export.targets.four_bits import rounded_in_blocks

_BITS = 4


# The decorator that registers the pass hides its type.
_Pass: Any = _quantization_passes.linear_quantize_weights


class FittedScales(_Pass):
    """coremltools' pass, with scales of 4-bit blocks that cost least."""

    @classmethod
    def blockwise_compress_by_dtype(
        cls, original_data: np.ndarray, dtype: Any, mode: str, block_sizes: list[int]
    ) -> Any:
        params = super().blockwise_compress_by_dtype(original_data, dtype, mode, block_sizes)
        blocked = [axis for axis, size in enumerate(block_sizes) if size > 1]
        # A block is a row of its axis where no other axis is put together.
        rows = all(size or length == 1 for size, length in zip(block_sizes, original_data.shape, strict=True))
        if params is None or params.nbits != _BITS or len(blocked) != 1 or not rows:
            return params
        (axis,) = blocked
        # Negative scales are legal; nobody has seen what every processor of Apple's makes of them.
        nibbles, scale = rounded_in_blocks(original_data, axis, negative_scales=False, block=block_sizes[axis])
        return params._replace(
            data=nibbles.astype(params.data.dtype), scale=scale.astype(params.scale.dtype).reshape(params.scale.shape)
        )


def quantize_with_fitted_scales(model: MLModel, config: OptimizationConfig) -> MLModel:
    """The model with integer weights as the config says; it is no function of several entries."""
    chosen = FittedScales()
    chosen.set_options([PassOption("config", cast(Any, config)), PassOption("joint_compression", cast(Any, False))])
    quantized = coremltools.models.utils._apply_graph_pass(model, chosen)
    assert isinstance(quantized, MLModel)
    return quantized
