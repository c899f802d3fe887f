"""How far a rung in floating point may be from eager PyTorch and from the rung before; precisions: `export.budgets`."""

from __future__ import annotations

from export.budgets import BUDGETS, Budget
from export.ladder.report import RungName
from export.precision import Precision, TargetName

_FOLDING = Budget(
    cosine_mean=0.99999,
    cosine_p1=0.99999,
    cosine_min=0.99999,
    max_abs=1e-3,
    snr_db=60.0,
    top1_agreement=0.99,
    reason="folded weights are rounded once more, and a BatchNorm of tiny variance multiplies that",
)
_SAME_OPS = Budget(
    cosine_mean=0.999999,
    cosine_p1=0.999999,
    cosine_min=0.999999,
    max_abs=1e-4,
    snr_db=80.0,
    top1_agreement=1.0,
    reason="the same operations on the same weights: fp32 rounding only",
)

_FLOAT_RUNGS: dict[RungName, Budget] = {
    RungName.EAGER: _SAME_OPS,
    RungName.REPARAMETERISED: _FOLDING,
    RungName.PASSES: _FOLDING,
    # Against eager they inherit what folding lost.
    RungName.PROGRAM: _FOLDING,
}


def budget_of(rung: RungName, target: TargetName, precision: Precision) -> Budget:
    """The budget of a rung of an artefact's ladder."""
    if rung is RungName.CONVERTED:
        return BUDGETS[target, Precision.FP32]
    return _FLOAT_RUNGS.get(rung) or BUDGETS[target, precision]
