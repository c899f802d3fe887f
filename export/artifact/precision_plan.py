"""The plan of a mixed-precision export: which modules keep a finer precision than the rest of a tower.

One format for all targets, a JSON document:

    {"schema_version": 1, "model": "pocketclip_nano", "tower": "image", "base": "int8-static",
     "modules": [{"path": "encoder.model.head", "precision": "float", "granularity": "none"}]}

A path is that of a module of the exported tower (`export.passes.tower_module`) and means all that is below it; the
empty path is the whole tower. With a slash behind it, it means only what the module computes itself, beside its parts:
the sums of a residual layer, or (`/` alone) the end-of-text product and projection of a text tower. What the
base precision spares by itself (`export.targets.schemes`) stays as it is. `search`, if present, says
how the plan was found.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from pocketclip.export.artifact.drop_budget import Metric
from pocketclip.export.errors import PlanError
from pocketclip.export.precision import NPU_TARGETS, InstructionSet, Precision, TargetName, Tower
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.numbers import NotNegative

SCHEMA_VERSION = 1
PLAN_NAME = "plan.json"
OWN = "/"
_MOST_NAMED = 5


class KeptPrecision(StrEnum):
    """What a module keeps: `float` is the floating-point type that the target has beside the base precision.

    `int16` is what `w8a16-static` computes: 8-bit weights and 16-bit activations.
    """

    FLOAT = "float"
    INT16 = "int16"
    INT8 = "int8"


class Granularity(StrEnum):
    """What shares a scale: nothing is rounded, or each output channel (of an embedding: each row) has its own."""

    NONE = "none"
    PER_CHANNEL = "per_channel"


_GRANULARITIES = {
    KeptPrecision.FLOAT: Granularity.NONE,
    KeptPrecision.INT16: Granularity.PER_CHANNEL,
    KeptPrecision.INT8: Granularity.PER_CHANNEL,
}


@document
class PlannedModule:
    """A module, by its path in the tower, and what it keeps."""

    path: str
    precision: KeptPrecision
    granularity: Granularity


@document
class PredictedCost:
    """What the artefact costs on a processor (`export.mixed.cost`): shares of the tower in fp32 and at the base.

    `cheaper` has those of these two that cost less there than the artefact.
    """

    processor: InstructionSet
    of_fp32: NotNegative
    of_base: NotNegative
    cheaper: tuple[Precision, ...] = ()


@document
class Trial:
    """One conversion of the search: how many units were kept, and what was measured.

    `value` is the mean cosine or the points of accuracy lost; `safe` is the value that was held against the budget: the
    mean cosine less twice its standard error, or the same points. `cost` is what the search makes small, of fp32; None
    where that is the number of units.
    """

    kept: int
    value: float
    safe: float
    met: bool
    cost: NotNegative | None = None


@document
class Search:
    """How a plan was found: the budget, the target it was measured on, the samples, and every conversion.

    `skipped` counts samples of the user's that cannot be used, `first_skipped` names the first with reasons; `left_out`
    says what of the set is no sample; `ignored_profiles` counts images read as sRGB because their colour profile cannot
    be used.
    `processor` is the one on which the predicted cost was made small; None where the number of units was.
    """

    metric: Metric
    limit: float
    target: TargetName
    samples: int
    samples_sha256: str
    units: int
    kept: int
    trials: tuple[Trial, ...]
    skipped: int = 0
    first_skipped: tuple[str, ...] = ()
    processor: InstructionSet | None = None
    left_out: tuple[str, ...] = ()
    ignored_profiles: int = 0
    first_ignored_profile: str | None = None


@document
class PrecisionPlan:
    """See the head of this file. `weights_sha256` is of the weights it was found for, None where written by hand.

    `costs` are predictions for the artefact that the plan lies in, none where no factors are known.
    """

    schema_version: int
    model: str
    tower: Tower
    base: Precision
    modules: tuple[PlannedModule, ...]
    weights_sha256: str | None = None
    search: Search | None = None
    costs: tuple[PredictedCost, ...] = ()

    def kept(self, precision: KeptPrecision) -> tuple[str, ...]:
        """Paths of the modules that keep a precision."""
        return tuple(entry.path for entry in self.modules if entry.precision is precision)


def kept_modules(plan: PrecisionPlan | None, precision: KeptPrecision) -> tuple[str, ...]:
    """Paths of the modules that a plan, if there is one, keeps at a precision."""
    return () if plan is None else plan.kept(precision)


def covers(paths: Iterable[str], module: str) -> bool:
    """Whether what a module computes itself is meant by one of the paths of a plan.

    Args:
        paths: of a plan's entries.
        module: the innermost module that an op comes from; for the path of a parameter, those of its module count.
    """
    return any(path in ("", module, f"{module}{OWN}") or module.startswith(f"{path}.") for path in paths)


def finer_than(base: Precision, target: TargetName | None = None) -> KeptPrecision:
    """What modules keep where the search spares them: 8 bits beside 4, floating point beside more.

    On a target for NPUs, what lies between 8-bit activations and floating point: 16-bit ones.

    Raises:
        PlanError: the precision is floating point already.
    """
    if not base.quantized:
        raise PlanError(
            f"{base} keeps every module in floating point; mixed precision needs a quantised base, such as "
            f"{Precision.INT8_STATIC}"
        )
    if target in NPU_TARGETS and base is Precision.INT8_STATIC:
        return KeptPrecision.INT16
    return KeptPrecision.INT8 if base.traits.weight_bits == 4 else KeptPrecision.FLOAT


def planned(paths: Iterable[str], precision: KeptPrecision) -> tuple[PlannedModule, ...]:
    """Entries of a plan that keeps these modules."""
    return tuple(PlannedModule(path, precision, _GRANULARITIES[precision]) for path in paths)


def read_plan(path: Path) -> PrecisionPlan:
    """Reads a plan and checks all that does not depend on the model.

    Raises:
        PlanError: it cannot be read, is of a newer schema, or contradicts itself.
    """
    version = documents.read_schema_version(path, error=PlanError)
    if version > SCHEMA_VERSION:
        raise PlanError(
            f"{path} has schema version {version}; this version reads up to {SCHEMA_VERSION}: update PocketCLIP"
        )
    plan = documents.read(PrecisionPlan, path, error=PlanError)
    try:
        _check(plan)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
    return plan


def _check(plan: PrecisionPlan) -> None:
    finer_than(plan.base)
    seen: list[str] = []
    for entry in plan.modules:
        wanted = _GRANULARITIES[entry.precision]
        if entry.granularity is not wanted:
            raise PlanError(
                f"module {entry.path!r} has granularity {entry.granularity}; precision {entry.precision} has {wanted}"
            )
        if entry.precision is KeptPrecision.INT8 and plan.base.traits.weight_bits != 4:
            raise PlanError(
                f"module {entry.path!r} keeps int8, which is not a higher precision than {plan.base}", fix="write float"
            )
        if entry.precision is KeptPrecision.INT16 and plan.base is not Precision.INT8_STATIC:
            raise PlanError(
                f"module {entry.path!r} keeps int16, which is for {Precision.INT8_STATIC} alone, not for {plan.base}",
                fix="write float",
            )
        for other in seen:
            if covers([other], entry.path.removesuffix(OWN)) or covers([entry.path], other.removesuffix(OWN)):
                raise PlanError(f"modules {other!r} and {entry.path!r} overlap", fix="give one of them")
        seen.append(entry.path)


def require_model(plan: PrecisionPlan, model: str) -> None:
    """Raises `PlanError` where a plan was made for a model of another name."""
    if plan.model != model:
        raise PlanError(
            f"the plan is for {plan.model}, not for {model}", fix="export that model, or create a plan for this one"
        )


def require_paths(plan: PrecisionPlan, known: Sequence[str]) -> None:
    """Checks that every module of a plan exists.

    Args:
        plan: whose modules are checked.
        known: paths of all modules of the tower.

    Raises:
        PlanError: a module does not exist; the message has the nearest names.
    """
    names = set(known)
    unknown = [entry.path for entry in plan.modules if entry.path.removesuffix(OWN) not in {*names, ""}]
    if unknown:
        near = difflib.get_close_matches(unknown[0], sorted(names), n=3, cutoff=0.5)
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise PlanError(
            f"the {plan.tower} tower of {plan.model} has no module {unknown[0]!r}{more}; "
            f"similar names: {choices(near or sorted(names - {''})[:_MOST_NAMED])}"
        )
