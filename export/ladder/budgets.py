"""How far a rung may be from eager PyTorch and from the rung before."""

from __future__ import annotations

from export.budgets import BUDGETS, Budget
from export.ladder.report import RungName
from export.precision import Precision, TargetName

# What fp32 artefacts must reach in the end, the forms before them must reach as well.
_FLOAT = Budget(
    cosine_mean=0.999999,
    cosine_p1=0.999999,
    cosine_min=0.999999,
    max_abs=1e-4,
    snr_db=80.0,
    top1_agreement=1.0,
    reason="fp32 rounding only; folding measured 128 dB (nano) and 125 dB (S0 with fresh weights)",
)

_FLOAT_RUNGS: dict[RungName, Budget] = {
    RungName.REPARAMETERISED: _FLOAT,
    RungName.PASSES: _FLOAT,
    RungName.PROGRAM: _FLOAT,
}


def budget_of(rung: RungName, target: TargetName, precision: Precision) -> Budget:
    """The budget of a rung of an artefact's ladder: fp32 rounding, and for the artefact that of its precision."""
    if rung is RungName.CONVERTED:
        return BUDGETS[target, Precision.FP32]
    return _FLOAT_RUNGS.get(rung) or BUDGETS[target, precision]
