"""Cases of activation quantisation."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil import Builder as mb

from .op_case import IOS17, OpCase

# 0.625 and 1.375 are halves of the step 0.25 off: 2.5 and 5.5 round to the even neighbour.
X = np.float32([[-40.0, -0.25, 0.0, 0.625], [0.75, 1.375, 3.0, 100.0]])
BYTES = np.int32([[0, 3, 128, 255], [7, 100, 129, 1]])
SIGNED = np.int32([[-128, 3, 127, 0]])

CASES: list[OpCase] = [
    OpCase(
        "quantize",
        lambda t, x: mb.quantize(input=x, scale=t(0.25), zero_point=np.uint8(10), output_dtype="uint8"),
        [X],
        lambda x: np.array([[0, 9, 10, 12], [13, 16, 22, 255]]),
        "uint8",
        target=IOS17,
    ),
    OpCase(
        "quantize",
        lambda t, x: mb.quantize(input=x, scale=t([0.25, 0.5]), axis=0, output_dtype="int8"),
        [X],
        lambda x: np.array([[-128, -1, 0, 2], [2, 3, 6, 127]]),
        "int8-per-channel",
        target=IOS17,
    ),
    OpCase(
        "quantize",
        lambda t, x: mb.quantize(
            input=x, scale=t([0.25, 0.5]), zero_point=np.int8([3, -4]), axis=-2, output_dtype="int8"
        ),
        [np.float32([[-0.125, 0.125, 0.375, 99], [-0.25, 0.25, 0.75, -99]])],
        # Halves to even: -0.5, 0.5, 1.5 become 0, 0, 2 before the zero point is added.
        lambda x: np.array([[3, 3, 5, 127], [-4, -4, -2, -128]]),
        "int8-negative-axis-ties",
        target=IOS17,
    ),
    OpCase(
        "dequantize",
        lambda t, x: mb.dequantize(
            input=mb.cast(x=x, dtype="uint8"), scale=t([0.25, 0.5]), zero_point=np.uint8([128, 7]), axis=-2
        ),
        [BYTES],
        lambda x: (x - np.array([[128], [7]])) * np.array([[0.25], [0.5]]),
        "uint8-per-channel",
        target=IOS17,
    ),
    OpCase(
        "dequantize",
        lambda t, x: mb.dequantize(input=mb.cast(x=x, dtype="int8"), scale=t(0.3)),
        [SIGNED],
        lambda x: x * 0.3,
        "int8",
        target=IOS17,
        relative=2**-10,
    ),
    OpCase(
        "dequantize",
        lambda t, x: mb.dequantize(
            input=mb.quantize(input=x, scale=t(0.25), zero_point=np.int8(-5), output_dtype="int8"),
            scale=t(0.25),
            zero_point=np.int8(-5),
        ),
        [X],
        lambda x: np.array([[-30.75, -0.25, 0, 0.5], [0.75, 1.5, 3.0, 33.0]]),
        "round-trip",
        target=IOS17,
    ),
]
