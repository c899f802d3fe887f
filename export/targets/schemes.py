"""The cells of the export matrix: what each target does at each precision, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.export.precision import Precision


@dataclass(frozen=True)
class Scheme:
    """How a target carries out a precision.

    `how` says what is stored and computed how, and what stays in float. `needs` is the oldest runtime or system that
    reads the file; `minimum_ios` is that system where it is iOS, and `oldest_ios` one still older that a simpler form
    of the scheme can be made for (`--ios`).
    """

    how: str
    needs: str
    minimum_ios: int | None = None
    oldest_ios: int | None = None


def _ios(version: int, how: str, oldest: int | None = None) -> Scheme:
    return Scheme(how, f"iOS {version}", version, oldest)


# Session option session.qdq_matmulnbits_accuracy_level: 1 keeps activations in float.
_MATMUL_NBITS = "newer ONNX Runtime fuses matrix products and rounds their activations to 8 bits by default"

ONNX_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: Scheme("as trained", "ONNX Runtime 1.17"),
    Precision.FP16: Scheme(
        "convolutions, products, GELU and weights; on Arm the rest in float, which has the faster kernels; elsewhere "
        "all but the L2 norm, and ONNX Runtime computes in float where a processor has no half kernels",
        "ONNX Runtime 1.17",
    ),
    Precision.INT8_DYNAMIC: Scheme("ConvInteger and MatMulInteger; embedding in bytes", "ONNX Runtime 1.17"),
    Precision.INT8_STATIC: Scheme("QDQ, per channel, uint8 activations by percentile", "ONNX Runtime 1.17"),
    Precision.INT8_WEIGHTS: Scheme(
        f"DequantizeLinear per channel, embedding per row; {_MATMUL_NBITS}",
        "ONNX Runtime 1.17",
    ),
    Precision.INT4_WEIGHTS: Scheme(
        "blocks of 32 in matrix products, 1x1 convolutions, embedding; stem, down-samplers, projection and spatial "
        f"convolutions int8; {_MATMUL_NBITS}",
        "ONNX Runtime 1.20",
    ),
}

COREML_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: _ios(16, "as trained; does not run on the Neural Engine"),
    Precision.FP16: _ios(16, "all float values and weights"),
    Precision.INT8_WEIGHTS: _ios(16, "per channel, arithmetic in half precision"),
    Precision.INT8_STATIC: _ios(17, "W8A8 around convolutions, linear layers, pools and sums; the rest half precision"),
    Precision.INT4_WEIGHTS: _ios(18, "blocks of 32; stem, down-samplers, projection and spatial kernels int8"),
    Precision.PALETTE6: _ios(18, "a table for 16 channels; with --ios 16 or 17, one for each weight", oldest=16),
    Precision.PALETTE4: _ios(
        18, "as palette6; stem, down-samplers, projection and spatial convolutions 8 bits", oldest=16
    ),
    Precision.SPARSE_INT8: _ios(18, "30 % zeros outside spatial kernels and sensitive layers; int8 per channel"),
    Precision.SPARSE_PALETTE6: _ios(
        18, "30 % zeros outside spatial kernels and sensitive layers; tables for 16 channels"
    ),
}

COREAI_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: Scheme("as trained; does not run on the Neural Engine", "iOS 27"),
    Precision.FP16: Scheme("all float values and weights; the L2 norm in float", "iOS 27"),
    Precision.INT8_STATIC: Scheme(
        "W8A8 into convolutions and linear layers, weights per channel; the rest half precision", "iOS 27"
    ),
    Precision.INT8_WEIGHTS: Scheme("per channel, arithmetic in half precision", "iOS 27"),
    Precision.INT4_WEIGHTS: Scheme("blocks of 32; stem, down-samplers, projection and spatial kernels int8", "iOS 27"),
    Precision.PALETTE6: Scheme("a table for 16 channels; stem, down-samplers and projection int8", "iOS 27"),
    Precision.PALETTE4: Scheme("as palette6; spatial kernels int8 too", "iOS 27"),
    Precision.SPARSE_INT8: Scheme(
        "30 % zeros outside spatial kernels and sensitive layers; int8 per channel", "iOS 27"
    ),
    Precision.SPARSE_PALETTE6: Scheme(
        "30 % zeros outside spatial kernels and sensitive layers; a table for each weight", "iOS 27"
    ),
}

_QNN = "ONNX Runtime with QNN 2.49, Hexagon v69"

EXECUTORCH_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: Scheme("XNNPACK", "ExecuTorch 1.0"),
    Precision.FP16: Scheme("XNNPACK, GELU by tanh; weights of convolutions in single precision", "ExecuTorch 1.0"),
    Precision.INT8_DYNAMIC: Scheme(
        "XNNPACK: linear layers, dense convolutions, embedding; depthwise single precision", "ExecuTorch 1.0"
    ),
    Precision.INT8_STATIC: Scheme("XNNPACK, PT2E, per channel; embedding int8 per row", "ExecuTorch 1.0"),
    Precision.INT4_DYNAMIC: Scheme(
        "XNNPACK: linear layers in groups of 32; embedding int8, convolutions single precision", "ExecuTorch 1.0"
    ),
}

EXECUTORCH_COREML_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: _ios(16, "the whole graph in one Core ML delegate call"),
    Precision.FP16: _ios(16, "the whole graph in one Core ML delegate call"),
    Precision.INT8_WEIGHTS: _ios(16, "as fp16, with weights int8 per channel, but for the embedding"),
}

EXECUTORCH_VULKAN_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: Scheme("the whole graph in one Vulkan delegate call; GELU by tanh", "ExecuTorch 1.5"),
    Precision.FP16: Scheme("as fp32, with all float values and weights in half precision", "ExecuTorch 1.5"),
}

TFLITE_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP32: Scheme("as trained", "LiteRT 1.0"),
    Precision.FP16: Scheme(
        "weights in half precision; on Arm XNNPACK computes in half where the processor can", "LiteRT 1.0"
    ),
    Precision.INT8_DYNAMIC: Scheme("per channel", "LiteRT 1.0"),
    Precision.INT8_STATIC: Scheme("per channel, ranges of 96 % of samples; layer norms in float", "LiteRT 1.0"),
    Precision.INT8_WEIGHTS: Scheme("per channel, DEQUANTIZE in front of each reader", "LiteRT 1.0"),
    Precision.INT4_WEIGHTS: Scheme(
        "per channel in fully connected layers, convolutions, embedding; stem, down-samplers, projection and "
        "depthwise convolutions int8",
        "LiteRT 1.0",
    ),
    Precision.INT4_DYNAMIC: Scheme(
        "per channel in fully connected layers and embedding; projection and convolutions int8-dynamic", "LiteRT 1.0"
    ),
}

_QNN_PROGRAM = "ExecuTorch 1.5 with QNN 2.49, Hexagon v69"
_QNN_PROGRAM_WIDE = "ExecuTorch 1.5 with QNN 2.49, Hexagon v73"
EXECUTORCH_QNN_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP16: Scheme("the whole graph on the NPU in half floats, sums too", _QNN_PROGRAM),
    Precision.INT8_STATIC: Scheme(
        "the whole graph on the NPU: PT2E, uint8, weights per channel; the L2 norm is one op", _QNN_PROGRAM
    ),
    Precision.W8A16_STATIC: Scheme(
        "the whole graph on the NPU: as int8-static with 16-bit activations over their whole range", _QNN_PROGRAM_WIDE
    ),
}

ONNX_QNN_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP16: Scheme("the whole graph on the NPU in half floats, sums too", _QNN),
    Precision.INT8_STATIC: Scheme(
        "the whole graph on the NPU: QDQ, uint8, convolutions per channel; an image tower's stem, down-samplers and "
        "projection give 16-bit values; the L2 norm in half floats",
        _QNN,
    ),
    Precision.W8A16_STATIC: Scheme(
        "the whole graph on the NPU: as int8-static with 16-bit activations and embedding over their whole range", _QNN
    ),
}

_QNN_FILE = "LiteRT 2.3 with QNN 2.50, Hexagon v69"
_QNN_FILE_WIDE = "LiteRT 2.3 with QNN 2.50, Hexagon v73"
TFLITE_QNN_SCHEMES: dict[Precision, Scheme] = {
    Precision.FP16: Scheme("the whole graph on the NPU in half floats, sums too", _QNN_FILE),
    Precision.INT8_STATIC: Scheme(
        "the whole graph on the NPU: int8, weights per channel; norms and the embedding in half floats", _QNN_FILE
    ),
    Precision.W8A16_STATIC: Scheme(
        "the whole graph on the NPU: as int8-static with 16-bit activations; depthwise convolutions in half floats too",
        _QNN_FILE_WIDE,
    ),
}


def _for_maker(needs: str, half_rows: str, byte_rows: str) -> dict[Precision, Scheme]:
    """What LiteRT's compiler is given for the NPUs of other makers, and what the rows of the token embedding are."""
    return {
        Precision.FP16: Scheme(
            f"half-float weights, embedding in {half_rows}; its compiler decides which floats the NPU computes in",
            needs,
        ),
        Precision.INT8_STATIC: Scheme(f"int8, weights per channel; norms in floats, embedding in {byte_rows}", needs),
        Precision.W8A16_STATIC: Scheme("as int8-static with 16-bit activations over their whole range", needs),
    }


TFLITE_MEDIATEK_SCHEMES = _for_maker(
    "LiteRT 2.3 with NeuroPilot 8 (MT6993: 9)", "single precision on the CPU", "int8 on the CPU"
)
TFLITE_GOOGLE_SCHEMES = _for_maker("LiteRT 2.3 with Google's Tensor SDK", "half floats", "half floats")
TFLITE_SAMSUNG_SCHEMES = _for_maker("LiteRT 2.3 with Exynos AI LiteCore", "half floats", "half floats")

_CORE_ML_ONLY = "tables of values and sparse weights are Core ML's and Core AI's"
_NO_WIDE_VALUES = "Core ML's integer values have 8 bits"
_NO_RANGES_AT_RUN_TIME = "Core ML has no op that finds an activation's range at run time"
_AS_PACKAGE = "target coreml has it, as .mlpackage"

_NO_WIDE_KERNELS = (
    "its kernels for processors have no 16-bit integer activations: targets onnx-qnn, executorch-qnn, tflite-qnn"
)

ONNX_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: f"ONNX Runtime would compute it in float; {_NO_WIDE_KERNELS}",
    Precision.INT4_DYNAMIC: "ONNX Runtime itself decides how products with 4-bit weights are computed: int4-weights",
    Precision.PALETTE6: _CORE_ML_ONLY,
    Precision.PALETTE4: _CORE_ML_ONLY,
    Precision.SPARSE_INT8: _CORE_ML_ONLY,
    Precision.SPARSE_PALETTE6: _CORE_ML_ONLY,
}
COREML_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: _NO_WIDE_VALUES,
    Precision.INT8_DYNAMIC: _NO_RANGES_AT_RUN_TIME,
    Precision.INT4_DYNAMIC: _NO_RANGES_AT_RUN_TIME,
}
_NO_RANGES_IN_CORE_AI = "Apple's converter 0.4.3 writes no ranges that are found at run time"
COREAI_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: "Core AI's integer activations have 8 bits",
    Precision.INT8_DYNAMIC: _NO_RANGES_IN_CORE_AI,
    Precision.INT4_DYNAMIC: _NO_RANGES_IN_CORE_AI,
}
_ONLY_WITH_ACTIVATIONS = "ExecuTorch's XNNPACK partitioner takes integer weights only with quantised activations"
EXECUTORCH_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: f"XNNPACK: {_NO_WIDE_KERNELS}",
    Precision.INT8_WEIGHTS: f"{_ONLY_WITH_ACTIVATIONS}: int8-dynamic",
    Precision.INT4_WEIGHTS: f"{_ONLY_WITH_ACTIVATIONS}: 8da4w",
    Precision.PALETTE6: _CORE_ML_ONLY,
    Precision.PALETTE4: _CORE_ML_ONLY,
    Precision.SPARSE_INT8: _CORE_ML_ONLY,
    Precision.SPARSE_PALETTE6: _CORE_ML_ONLY,
}
EXECUTORCH_COREML_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: _NO_WIDE_VALUES,
    Precision.INT8_DYNAMIC: _NO_RANGES_AT_RUN_TIME,
    Precision.INT8_STATIC: _AS_PACKAGE,
    Precision.INT4_WEIGHTS: _AS_PACKAGE,
    Precision.INT4_DYNAMIC: _NO_RANGES_AT_RUN_TIME,
    Precision.PALETTE6: _AS_PACKAGE,
    Precision.PALETTE4: _AS_PACKAGE,
    Precision.SPARSE_INT8: _AS_PACKAGE,
    Precision.SPARSE_PALETTE6: _AS_PACKAGE,
}
_LINEAR_ONLY = "of 8 and 4 bits, ExecuTorch's quantiser for Vulkan knows linear layers only"
EXECUTORCH_VULKAN_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: _LINEAR_ONLY,
    Precision.INT8_DYNAMIC: _LINEAR_ONLY,
    Precision.INT8_STATIC: _LINEAR_ONLY,
    Precision.INT8_WEIGHTS: _LINEAR_ONLY,
    Precision.INT4_WEIGHTS: _LINEAR_ONLY,
    Precision.INT4_DYNAMIC: _LINEAR_ONLY,
    Precision.PALETTE6: _CORE_ML_ONLY,
    Precision.PALETTE4: _CORE_ML_ONLY,
    Precision.SPARSE_INT8: _CORE_ML_ONLY,
    Precision.SPARSE_PALETTE6: _CORE_ML_ONLY,
}
TFLITE_LACKING: dict[Precision, str] = {
    Precision.W8A16_STATIC: f"XNNPACK: {_NO_WIDE_KERNELS}",
    Precision.PALETTE6: _CORE_ML_ONLY,
    Precision.PALETTE4: _CORE_ML_ONLY,
    Precision.SPARSE_INT8: _CORE_ML_ONLY,
    Precision.SPARSE_PALETTE6: _CORE_ML_ONLY,
}
_NPU_IN_FLOAT = "Hexagon's fastest forms have integer activations: int8-static or w8a16-static"
QNN_LACKING: dict[Precision, str] = {
    Precision.FP32: "the NPU computes in half floats at most: fp16",
    Precision.INT8_DYNAMIC: "the NPU has no op that finds an activation's range at run time: int8-static",
    Precision.INT8_WEIGHTS: _NPU_IN_FLOAT,
    Precision.INT4_WEIGHTS: _NPU_IN_FLOAT,
    Precision.INT4_DYNAMIC: _NPU_IN_FLOAT,
    Precision.PALETTE6: _CORE_ML_ONLY,
    Precision.PALETTE4: _CORE_ML_ONLY,
    Precision.SPARSE_INT8: _CORE_ML_ONLY,
    Precision.SPARSE_PALETTE6: _CORE_ML_ONLY,
}
_NOT_TRIED = "not tried on these NPUs, which are made for integer activations: int8-static or w8a16-static"
MAKER_LACKING: dict[Precision, str] = {
    Precision.FP32: "NPUs of phones compute in 16-bit floats: fp16",
    Precision.INT8_DYNAMIC: _NOT_TRIED,
    Precision.INT8_WEIGHTS: _NOT_TRIED,
    Precision.INT4_WEIGHTS: _NOT_TRIED,
    Precision.INT4_DYNAMIC: _NOT_TRIED,
    Precision.PALETTE6: _CORE_ML_ONLY,
    Precision.PALETTE4: _CORE_ML_ONLY,
    Precision.SPARSE_INT8: _CORE_ML_ONLY,
    Precision.SPARSE_PALETTE6: _CORE_ML_ONLY,
}
