"""Which versions of their formats runtimes read, from their documentation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OnnxRuntime:
    """A release of ONNX Runtime and the newest opsets and IR version that it reads."""

    version: tuple[int, int]
    opset: int
    opset_ml: int
    ir: int


# onnxruntime.ai/docs/reference/compatibility.html. The table ends with 1.20; later releases read at least as much.
ONNX_RUNTIMES = (
    OnnxRuntime((1, 20), opset=21, opset_ml=4, ir=10),
    OnnxRuntime((1, 19), opset=21, opset_ml=4, ir=10),
    OnnxRuntime((1, 18), opset=21, opset_ml=4, ir=10),
    OnnxRuntime((1, 17), opset=20, opset_ml=4, ir=9),
    OnnxRuntime((1, 16), opset=19, opset_ml=3, ir=9),
    OnnxRuntime((1, 15), opset=19, opset_ml=3, ir=8),
    OnnxRuntime((1, 14), opset=18, opset_ml=3, ir=8),
    OnnxRuntime((1, 13), opset=17, opset_ml=3, ir=8),
    OnnxRuntime((1, 12), opset=17, opset_ml=3, ir=8),
    OnnxRuntime((1, 11), opset=16, opset_ml=2, ir=8),
    OnnxRuntime((1, 10), opset=15, opset_ml=2, ir=8),
)

# apple.github.io/coremltools/mlmodel/Format/Model.html: the newest specification that an iOS reads.
CORE_ML_SPECIFICATIONS = {15: 6, 16: 7, 17: 8, 18: 9, 26: 10}

# Files go on being stamped with TensorFlow's versions; LiteRT 1.0 came out after TensorFlow 2.17 (both 2024).
TFLITE_OF_LITERT = (2, 17)
