"""Which ops stay in float in static precisions, by target and instruction set: integers only where they are faster.

A literal table with its evidence. Ratios on x86 are times against the same tower in fp32 (MobileCLIP-S0, image tower,
one thread) on a processor with AVX-512 VNNI and AMX: all ops in int8 first, then with the entry's ops in float. On Arm
they are instructions of an emulated Cortex-A76.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pocketclip.export.precision import InstructionSet, Precision, TargetName


class OpKind(StrEnum):
    """Ops that a quantiser may be told to leave alone."""

    DEPTHWISE = "depthwise convolutions"
    ADD = "additions"
    GELU = "GELU"
    PRODUCT = "products of activations"
    SOFTMAX = "softmax"
    FIRST_CONVOLUTION = "the first convolution"
    PAD = "padding"


@dataclass(frozen=True)
class FloatOps:
    """The ops, and why, for one static precision."""

    kinds: frozenset[OpKind]
    evidence: str
    only: Precision = Precision.INT8_STATIC


_NONE = FloatOps(frozenset(), "no op is known to be faster in float")
_EXECUTORCH = FloatOps(
    frozenset({OpKind.DEPTHWISE, OpKind.ADD}),
    "XNNPACK's int8 depthwise kernels widen to 32 bits, its float ones use FMA: on x86 0.65 becomes 0.52; on Arm 0.55 "
    "of the instructions of fp32 (nano)",
)
_TFLITE = FloatOps(
    frozenset({OpKind.DEPTHWISE, OpKind.ADD, OpKind.GELU, OpKind.PRODUCT, OpKind.SOFTMAX}),
    "as ExecuTorch; and of int8, XNNPACK's delegate takes no GELU, no product of activations and no softmax: on x86 "
    "0.55 becomes 0.35; on Arm 0.53 of the instructions of fp32 (nano)",
)

_TFLITE_QNN = FloatOps(
    frozenset({OpKind.DEPTHWISE, OpKind.PAD}),
    "with 16-bit activations, LiteRT 2.3.0's compiler leaves these to the CPU: 14 pieces instead of one (nano, image)",
    only=Precision.W8A16_STATIC,
)

_TFLITE_MAKER = FloatOps(
    frozenset(),
    "the plug-ins of MediaTek and Samsung take all of these with 16-bit activations: a tower is one graph of 141 ops "
    "instead of 176 (nano, image); what Google's takes is not known",
    only=Precision.W8A16_STATIC,
)

FLOAT_OPS: dict[tuple[TargetName, InstructionSet], FloatOps] = {
    (TargetName.ONNX, InstructionSet.X86_64): FloatOps(
        frozenset({OpKind.FIRST_CONVOLUTION}),
        "of three channels ONNX Runtime makes no wide product: 1.8 of 28.6 ms, against 0.7 ms in float",
    ),
    (TargetName.EXECUTORCH, InstructionSet.ARM64): _EXECUTORCH,
    (TargetName.EXECUTORCH, InstructionSet.APPLE): _EXECUTORCH,
    (TargetName.EXECUTORCH, InstructionSet.X86_64): _EXECUTORCH,
    (TargetName.TFLITE, InstructionSet.ARM64): _TFLITE,
    (TargetName.TFLITE, InstructionSet.APPLE): _TFLITE,
    (TargetName.TFLITE, InstructionSet.X86_64): _TFLITE,
    (TargetName.TFLITE_QNN, InstructionSet.ARM64): _TFLITE_QNN,
    (TargetName.TFLITE_MEDIATEK, InstructionSet.ARM64): _TFLITE_MAKER,
    (TargetName.TFLITE_GOOGLE, InstructionSet.ARM64): _TFLITE_MAKER,
    (TargetName.TFLITE_SAMSUNG, InstructionSet.ARM64): _TFLITE_MAKER,
}


def float_ops(
    target: TargetName, isa: InstructionSet, precision: Precision = Precision.INT8_STATIC
) -> frozenset[OpKind]:
    """The kinds of op that a static precision leaves in float."""
    found = FLOAT_OPS.get((target, isa), _NONE)
    return found.kinds if found.only is precision else frozenset()
