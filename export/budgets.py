"""How far an artefact may be from PyTorch, by target and precision, and why."""

from __future__ import annotations

from dataclasses import dataclass

from export.precision import Precision, TargetName


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

BUDGETS: dict[tuple[TargetName, Precision], Budget] = {
    (TargetName.ONNX, Precision.FP32): _FP32,
    (TargetName.ONNX, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.COREML, Precision.FP32): _FP32,
    (TargetName.COREML, Precision.FP16): _FP16,
    (TargetName.COREML, Precision.INT8_WEIGHTS): _INT8_WEIGHTS,
    (TargetName.EXECUTORCH, Precision.FP32): _FP32,
    (TargetName.EXECUTORCH, Precision.INT8_STATIC): _INT8_STATIC,
    (TargetName.TFLITE, Precision.FP32): _FP32,
    (TargetName.TFLITE, Precision.INT8_STATIC): _INT8_STATIC,
}
