"""What older chips cannot compute: refused by this table, before anything is prepared.

Tried with the nano's towers, which a target prepares for each chip or not (QNN 2.49 and 2.50).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pocketclip.export.errors import UnsupportedPrecisionError
from pocketclip.export.npu.socs import SOCS, Soc
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.errors import choices


@dataclass(frozen=True)
class Limit:
    """The oldest Hexagon that computes what a target makes of a precision, why older ones do not, and which towers."""

    hexagon: int
    reason: str
    towers: tuple[Tower, ...] = tuple(Tower)


_PRODUCTS = Limit(73, "it gives attention products of two 16-bit values, which Hexagon takes from v73 on")

LIMITS: dict[tuple[TargetName, Precision], Limit] = {
    # Its quantiser's own rule (backends/qualcomm/quantizer/annotators/htp_rules.py); the compiler then fails.
    (TargetName.EXECUTORCH_QNN, Precision.W8A16_STATIC): _PRODUCTS,
    # By the emulator, mean cosine 0 instead of 0.999 (nano); those of ONNX Runtime and ExecuTorch are right there, and
    # so is the image tower. An end of text by clamping changes nothing.
    (TargetName.TFLITE_QNN, Precision.INT8_STATIC): Limit(
        73,
        "for Hexagon before v73, LiteRT's compiler prepares a text tower that computes something else",
        (Tower.TEXT,),
    ),
    # LiteRT 2.3.0's compiler leaves the products to the CPU.
    (TargetName.TFLITE_QNN, Precision.W8A16_STATIC): _PRODUCTS,
}


def check_chips(
    target: TargetName, precision: Precision, tower: Tower, chips: Sequence[str], *, what: str, fix: str
) -> None:
    """Refuses chips that a target cannot prepare a tower for at a precision.

    Args:
        target: for an NPU.
        precision: what values between ops are rounded to.
        tower: the encoder.
        chips: their names.
        what: was asked for, for the message.
        fix: what to do other than leave the chips out.

    Raises:
        UnsupportedPrecisionError: one of the chips is too old; the message has the chips that are not.
    """
    limit = LIMITS.get((target, precision))
    if limit is None or tower not in limit.towers:
        return
    old = [soc for name in chips if (soc := SOCS.get(name)) is not None and soc.hexagon_version < limit.hexagon]
    if old:
        fitting = [soc.name for soc in SOCS.values() if soc.hexagon_version >= limit.hexagon]
        named = ", ".join(map(_named, old))
        raise UnsupportedPrecisionError(
            f"target {target} cannot prepare {what} of the {tower} tower for {named}: {limit.reason}",
            fix=f"choose among the chips {choices(fitting)}, or {fix}",
        )


def _named(soc: Soc) -> str:
    return f"{soc.name} ({soc.title}, Hexagon {soc.hexagon})"
