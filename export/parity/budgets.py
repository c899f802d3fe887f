"""How far an artefact may be from PyTorch, by target and precision, and why.

Bounds come from what pocketclip_nano (trained, both towers) and MobileCLIP-S0 (its shapes with fresh weights) give,
with a margin of a quarter to a half of the error. Each reason names the worst of them as it was measured.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.precision import Precision, TargetName


@dataclass(frozen=True)
class Budget:
    """The least agreement that passes. `max_abs` bounds the error of a normalised embedding's components."""

    cosine_mean: float
    cosine_p1: float
    cosine_min: float
    max_abs: float
    snr_db: float
    top1_agreement: float
    reason: str


_FP32 = Budget(
    cosine_mean=0.999999,
    cosine_p1=0.999999,
    cosine_min=0.999999,
    max_abs=1e-4,
    snr_db=80.0,
    top1_agreement=1.0,
    reason="the same arithmetic in another order: fp32 rounding only",
)
_FP16 = Budget(
    cosine_mean=0.9999,
    cosine_p1=0.9999,
    cosine_min=0.9999,
    max_abs=5e-3,
    snr_db=40.0,
    top1_agreement=0.97,
    reason="every intermediate result is rounded to 11 bits; a label may flip where two are within that",
)
_FP16_NPU = Budget(
    cosine_mean=0.9999,
    cosine_p1=0.9997,
    cosine_min=0.9994,
    max_abs=0.01,
    snr_db=38.0,
    top1_agreement=0.96,
    reason="sums are half floats too; measured 42.3 dB, minimum 0.9996 (nano's image)",
)
_W8A16 = Budget(
    cosine_mean=0.998,
    cosine_p1=0.996,
    cosine_min=0.994,
    max_abs=0.05,
    snr_db=25.0,
    top1_agreement=0.92,
    reason="8-bit weights; 16-bit activations add nothing that shows; measured 27.9 dB, minimum 0.9962 (nano's image)",
)
_INT8_WEIGHTS = Budget(
    cosine_mean=0.998,
    cosine_p1=0.99,
    cosine_min=0.99,
    max_abs=0.05,
    snr_db=25.0,
    top1_agreement=0.9,
    reason="8-bit weights per output channel, about 40 dB each, summed over the depth of the network",
)
_INT8_STATIC = Budget(
    cosine_mean=0.98,
    cosine_p1=0.93,
    cosine_min=0.92,
    max_abs=0.15,
    snr_db=13.0,
    top1_agreement=0.85,
    reason="8-bit activations between all ops as well; photographs lie outside the calibrated scenes",
)

_INT8_DYNAMIC = Budget(
    cosine_mean=0.998,
    cosine_p1=0.995,
    cosine_min=0.99,
    max_abs=0.04,
    snr_db=26.0,
    top1_agreement=0.92,
    reason="activations fit the range of each input; measured 30.3 dB, mean cosine 0.9995",
)
_INT8_DYNAMIC_ONNX = Budget(
    cosine_mean=0.995,
    cosine_p1=0.985,
    cosine_min=0.91,
    max_abs=0.12,
    snr_db=19.0,
    top1_agreement=0.88,
    reason="ONNX Runtime quantises activations of depthwise convolutions too, by tensor: one outlier costs all of them;"
    " measured 21.4 dB, mean 0.9964, minimum 0.936 (nano)",
)
_INT4_WEIGHTS = Budget(
    cosine_mean=0.965,
    cosine_p1=0.96,
    cosine_min=0.955,
    max_abs=0.09,
    snr_db=11.5,
    top1_agreement=0.88,
    reason="15 or 16 steps a weight; measured 19.7 dB and 0.9947 (nano's text), 12.3 dB and 0.9703 (S0's text)",
)
_INT4_WEIGHTS_COREML = Budget(
    cosine_mean=0.97,
    cosine_p1=0.94,
    cosine_min=0.89,
    max_abs=0.12,
    snr_db=12.5,
    top1_agreement=0.72,
    reason="scales fit the largest weight of a block; measured 14.8 dB, 0.9833 (nano), 13 dB, 0.9749 (S0's text)",
)
_PALETTE6 = Budget(
    cosine_mean=0.998,
    cosine_p1=0.9965,
    cosine_min=0.996,
    max_abs=0.025,
    snr_db=24.0,
    top1_agreement=0.92,
    reason="64 values for every 16 channels; measured 31.3 dB, mean cosine 0.9996 (nano), 25.8 dB, 0.9987 (S0's text)",
)
_PALETTE4 = Budget(
    cosine_mean=0.97,
    cosine_p1=0.965,
    cosine_min=0.96,
    max_abs=0.11,
    snr_db=12.5,
    top1_agreement=0.81,
    reason="16 values for every 16 channels; measured 18.3 dB, mean cosine 0.9926 (nano), 13.7 dB, 0.9784 (S0's text)",
)
_SPARSE = Budget(
    cosine_mean=0.986,
    cosine_p1=0.965,
    cosine_min=0.91,
    max_abs=0.11,
    snr_db=15.5,
    top1_agreement=0.83,
    reason="30 % of weights dropped, none trained again; measured 17.9 dB, mean 0.9919, minimum 0.932 (nano's text);"
    " S0's fresh weights lose more",
)

BUDGETS: dict[tuple[TargetName, Precision], Budget] = {
    (TargetName.ONNX, Precision.FP32): _FP32,
    (TargetName.ONNX, Precision.FP16): _FP16,
    (TargetName.ONNX, Precision.INT8_DYNAMIC): _INT8_DYNAMIC_ONNX,
    (TargetName.ONNX, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.ONNX, Precision.INT8_WEIGHTS): _INT8_WEIGHTS,
    (TargetName.ONNX, Precision.INT4_WEIGHTS): _INT4_WEIGHTS,
    (TargetName.COREML, Precision.FP32): _FP32,
    (TargetName.COREML, Precision.FP16): _FP16,
    (TargetName.COREML, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.COREML, Precision.INT8_WEIGHTS): _INT8_WEIGHTS,
    (TargetName.COREML, Precision.INT4_WEIGHTS): _INT4_WEIGHTS_COREML,
    (TargetName.COREML, Precision.PALETTE6): _PALETTE6,
    (TargetName.COREML, Precision.PALETTE4): _PALETTE4,
    (TargetName.COREML, Precision.SPARSE_INT8): _SPARSE,
    (TargetName.COREML, Precision.SPARSE_PALETTE6): _SPARSE,
    (TargetName.COREAI, Precision.FP32): _FP32,
    (TargetName.COREAI, Precision.FP16): _FP16,
    (TargetName.COREAI, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.COREAI, Precision.INT8_WEIGHTS): _INT8_WEIGHTS,
    (TargetName.COREAI, Precision.INT4_WEIGHTS): _INT4_WEIGHTS,
    (TargetName.COREAI, Precision.PALETTE6): _PALETTE6,
    (TargetName.COREAI, Precision.PALETTE4): _PALETTE4,
    (TargetName.COREAI, Precision.SPARSE_INT8): _SPARSE,
    (TargetName.COREAI, Precision.SPARSE_PALETTE6): _SPARSE,
    (TargetName.EXECUTORCH, Precision.FP32): _FP32,
    (TargetName.EXECUTORCH, Precision.FP16): _FP16,
    (TargetName.EXECUTORCH, Precision.INT8_DYNAMIC): _INT8_DYNAMIC,
    (TargetName.EXECUTORCH, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.EXECUTORCH, Precision.INT4_DYNAMIC): _INT4_WEIGHTS,
    (TargetName.EXECUTORCH_COREML, Precision.FP32): _FP32,
    (TargetName.EXECUTORCH_COREML, Precision.FP16): _FP16,
    (TargetName.EXECUTORCH_COREML, Precision.INT8_WEIGHTS): _INT8_WEIGHTS,
    (TargetName.EXECUTORCH_VULKAN, Precision.FP32): _FP32,
    (TargetName.EXECUTORCH_VULKAN, Precision.FP16): _FP16,
    (TargetName.EXECUTORCH_QNN, Precision.FP16): _FP16_NPU,
    (TargetName.EXECUTORCH_QNN, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.EXECUTORCH_QNN, Precision.W8A16_STATIC): _W8A16,
    (TargetName.ONNX_QNN, Precision.FP16): _FP16_NPU,
    (TargetName.ONNX_QNN, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.ONNX_QNN, Precision.W8A16_STATIC): _W8A16,
    (TargetName.TFLITE_QNN, Precision.FP16): _FP16_NPU,
    (TargetName.TFLITE_QNN, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.TFLITE_QNN, Precision.W8A16_STATIC): _W8A16,
    (TargetName.TFLITE_MEDIATEK, Precision.FP16): _FP16,
    (TargetName.TFLITE_MEDIATEK, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.TFLITE_MEDIATEK, Precision.W8A16_STATIC): _W8A16,
    (TargetName.TFLITE_GOOGLE, Precision.FP16): _FP16,
    (TargetName.TFLITE_GOOGLE, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.TFLITE_GOOGLE, Precision.W8A16_STATIC): _W8A16,
    (TargetName.TFLITE_SAMSUNG, Precision.FP16): _FP16,
    (TargetName.TFLITE_SAMSUNG, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.TFLITE_SAMSUNG, Precision.W8A16_STATIC): _W8A16,
    (TargetName.TFLITE, Precision.FP32): _FP32,
    (TargetName.TFLITE, Precision.FP16): _FP16,
    (TargetName.TFLITE, Precision.INT8_DYNAMIC): _INT8_DYNAMIC,
    (TargetName.TFLITE, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.TFLITE, Precision.INT8_WEIGHTS): _INT8_WEIGHTS,
    (TargetName.TFLITE, Precision.INT4_WEIGHTS): _INT4_WEIGHTS,
    (TargetName.TFLITE, Precision.INT4_DYNAMIC): _INT4_WEIGHTS,
}


_TANH_GELU = Budget(
    cosine_mean=0.9999,
    cosine_p1=0.9999,
    cosine_min=0.9999,
    max_abs=5e-3,
    snr_db=40.0,
    top1_agreement=0.97,
    reason="GELU by tanh is off by at most 0.0005",
)
_SIGMOID_GELU = Budget(
    cosine_mean=0.9,
    cosine_p1=0.85,
    cosine_min=0.8,
    max_abs=0.2,
    snr_db=8.0,
    top1_agreement=0.7,
    reason="GELU by a sigmoid is off by at most 0.02 in every layer; weights trained with it would lose nothing",
)
# What a model may lose by a pass that changes what is computed: one that was asked for, or GELU's form in fp16.
APPROXIMATIONS: dict[PassName, Budget] = {
    PassName.HALF_GELU: _TANH_GELU,
    PassName.TANH_GELU: _TANH_GELU,
    PassName.SIGMOID_GELU: _SIGMOID_GELU,
}


def budget_for(target: TargetName, precision: Precision, passes: Collection[PassName] = ()) -> Budget:
    """The budget of a cell of the matrix, where approximations were asked for the wider of both in every bound."""
    budget = BUDGETS[target, precision]
    for name, other in APPROXIMATIONS.items():
        if name in passes:
            budget = _wider(budget, other)
    return budget


def _wider(first: Budget, second: Budget) -> Budget:
    return Budget(
        cosine_mean=min(first.cosine_mean, second.cosine_mean),
        cosine_p1=min(first.cosine_p1, second.cosine_p1),
        cosine_min=min(first.cosine_min, second.cosine_min),
        max_abs=max(first.max_abs, second.max_abs),
        snr_db=min(first.snr_db, second.snr_db),
        top1_agreement=min(first.top1_agreement, second.top1_agreement),
        reason=f"{first.reason}; {second.reason}",
    )
