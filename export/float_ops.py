"""Which ops stay in float in static int8, by target and instruction set: integers only where they are faster.

A literal table with its evidence. Ratios are times against the same tower in fp32 (MobileCLIP-S0, image tower, one
thread) on an x86 processor with AVX-512 VNNI and AMX, all ops in int8 first, then with the entry's ops in float.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from export.precision import InstructionSet, TargetName


class OpKind(StrEnum):
    """Ops that a quantiser may be told to leave alone."""

    DEPTHWISE = "depthwise convolutions"
    ADD = "additions"
    GELU = "GELU"
    PRODUCT = "products of activations"
    SOFTMAX = "softmax"


@dataclass(frozen=True)
class FloatOps:
    """The ops, and why."""

    kinds: frozenset[OpKind]
    evidence: str


_NONE = FloatOps(frozenset(), "no op is known to be faster in float")

FLOAT_OPS: dict[tuple[TargetName, InstructionSet], FloatOps] = {
    (TargetName.EXECUTORCH, InstructionSet.X86_64): FloatOps(
        frozenset({OpKind.DEPTHWISE, OpKind.ADD}),
        "XNNPACK's int8 depthwise kernels widen to 32 bits, its float ones use FMA: 0.65 becomes 0.52",
    ),
    (TargetName.TFLITE, InstructionSet.X86_64): FloatOps(
        frozenset(OpKind),
        "as ExecuTorch; and of int8, XNNPACK's delegate takes no GELU, no product of activations and no softmax: "
        "0.55 becomes 0.35",
    ),
}


def float_ops(target: TargetName, isa: InstructionSet) -> frozenset[OpKind]:
    """The kinds of op that static int8 leaves in float."""
    return FLOAT_OPS.get((target, isa), _NONE).kinds
