"""What computed a bundle's golden outputs, and how far outputs elsewhere may be from them."""

from __future__ import annotations

import platform
from collections.abc import Collection

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.bundle.manifest import Execution, Tolerance, TowerTolerances
from pocketclip.export.parity.budgets import BUDGETS, Budget, budget_for
from pocketclip.export.precision import APPLE_TARGETS, QNN_TARGETS, Precision, TargetName
from pocketclip.export.targets import load_runner

# Programs whose values between ops are half floats: there, a sum in another order shows.
_HALF = (*APPLE_TARGETS, TargetName.EXECUTORCH_VULKAN, *QNN_TARGETS)

# The machine of what an emulator computed: its values do not depend on the computer.
EMULATED = "emulated"


def execution_here(target: TargetName) -> Execution:
    """What runs the target's files on this computer.

    Raises:
        TargetUnavailableError: the runtime is not installed.
    """
    import torch

    found = torch.cpu.get_capabilities()
    features = tuple(sorted(name for name, value in found.items() if value is True))
    return Execution(load_runner(target).executed_by(), platform.machine() or "unknown", features)


def tower_tolerances(
    target: TargetName, precision: Precision, passes: Collection[PassName], *, passed: bool
) -> TowerTolerances:
    """The tolerances of a tower that `passes` changed; `passed` says whether it met its parity budget.

    On the same runtime and processor only the order of sums can differ, by the number of threads: within the budget of
    the arithmetic. Elsewhere kernels differ. Two runs that are each within the angle that the budget allows from
    PyTorch are within twice that angle from each other.
    """
    budget = budget_for(target, precision, passes)
    half = target in _HALF and precision is not Precision.FP32
    return TowerTolerances(
        same=_tolerance(BUDGETS[target, Precision.FP16 if half else Precision.FP32]),
        other=Tolerance(cosine_min=2 * budget.cosine_min**2 - 1, max_abs=2 * budget.max_abs),
        reference=_tolerance(budget) if passed else None,
    )


def _tolerance(budget: Budget) -> Tolerance:
    return Tolerance(budget.cosine_min, budget.max_abs)
