"""How far a rung may be from eager PyTorch and from the rung before."""

from __future__ import annotations

from collections.abc import Collection

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.ladder.report import RungName
from pocketclip.export.parity.budgets import Budget, budget_for
from pocketclip.export.precision import Precision, TargetName


def budget_of(rung: RungName, target: TargetName, precision: Precision, passes: Collection[PassName] = ()) -> Budget:
    """The budget of a rung of an artefact's ladder: fp32 rounding, and for the artefact that of its precision.

    From the rung of the passes on, approximations among them count too.
    """
    # What fp32 artefacts must reach in the end, the forms before them must reach as well, whatever the target, since it
    # may have no fp32: folding measured 128 dB (nano) and 125 dB (S0 with fresh weights).
    if rung is RungName.REPARAMETERISED:
        return budget_for(TargetName.ONNX, Precision.FP32)
    if rung in (RungName.PASSES, RungName.PROGRAM):
        return budget_for(TargetName.ONNX, Precision.FP32, passes)
    return budget_for(target, Precision.FP32 if rung is RungName.CONVERTED else precision, passes)
