"""The vocabulary of the export matrix: targets, towers and precisions."""

from __future__ import annotations

from enum import StrEnum


class TargetName(StrEnum):
    """A converter and the file format that it writes."""

    ONNX = "onnx"
    COREML = "coreml"
    EXECUTORCH = "executorch"
    TFLITE = "tflite"


class Tower(StrEnum):
    """One of the two encoders of a CLIP model."""

    IMAGE = "image"
    TEXT = "text"


class Precision(StrEnum):
    """How weights and activations are stored and computed.

    `int8-dynamic`: int8 weights, activations quantised at run time; `int8-static`: int8 weights and
    activations, ranges from calibration; `int8-weights`: int8 weights, floating-point arithmetic.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    INT8_DYNAMIC = "int8-dynamic"
    INT8_STATIC = "int8-static"
    INT8_WEIGHTS = "int8-weights"

    @property
    def quantized(self) -> bool:
        """Whether weights are stored as integers."""
        return self.value.startswith("int")

    @property
    def needs_calibration(self) -> bool:
        """Whether activation ranges must be observed on real inputs first."""
        return self is Precision.INT8_STATIC
