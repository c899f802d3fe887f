"""How far a rung may be from eager PyTorch and from the rung before."""

from __future__ import annotations

from collections.abc import Collection

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.ladder.report import RungName
from pocketclip.export.parity.budgets import APPROXIMATIONS, BUDGETS, Budget, budget_for
from pocketclip.export.precision import Precision, TargetName

# What fp32 artefacts must reach in the end, the forms before them must reach as well: folding measured 128 dB (nano)
# and 125 dB (S0 with fresh weights).
_FLOAT = BUDGETS[TargetName.ONNX, Precision.FP32]


def budget_of(rung: RungName, target: TargetName, precision: Precision, passes: Collection[PassName] = ()) -> Budget:
    """The budget of a rung of an artefact's ladder: fp32 rounding, and for the artefact that of its precision.

    From the rung of the passes on, approximations among them count too.
    """
    if rung is RungName.REPARAMETERISED:
        return _FLOAT
    if rung in (RungName.PASSES, RungName.PROGRAM):
        return budget_for(target, Precision.FP32, passes) if APPROXIMATIONS.keys() & set(passes) else _FLOAT
    return budget_for(target, Precision.FP32 if rung is RungName.CONVERTED else precision, passes)
