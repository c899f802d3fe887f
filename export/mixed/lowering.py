"""Lowering with a plan: one that is given, or the one that meets a budget at the least predicted cost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pocketclip.export.artifact import precision_plan as plans
from pocketclip.export.artifact.drop_budget import DropBudget, Metric
from pocketclip.export.artifact.feeding import AdaptedSession
from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.artifact.precision_plan import PLAN_NAME, PrecisionPlan, Search, Trial, finer_than, planned
from pocketclip.export.errors import DropBudgetError
from pocketclip.export.inputs.calibration import load_calibration
from pocketclip.export.job import ExportJob
from pocketclip.export.mixed.judge import Judge, Measured, make_judge
from pocketclip.export.mixed.pricing import Pricing
from pocketclip.export.mixed.rounding import rounding_of
from pocketclip.export.mixed.search import Found, Kept, Problem, search
from pocketclip.export.mixed.sensitivity import FOLDER_NAME, Sensitivities, Subject, measure
from pocketclip.export.mixed.units import collapsed, groups, units
from pocketclip.export.own_samples import MOST_NAMED
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import InstructionSet, TargetName
from pocketclip.export.targets.base import LoweringRequest, Target
from pocketclip.models import documents
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.towers.clip import AnyModel

_ATTEMPT = "attempt"
_INSTEAD = {
    plans.KeptPrecision.INT8: "a precision with 8 bits",
    plans.KeptPrecision.INT16: "w8a16-static or fp16",
    plans.KeptPrecision.FLOAT: "fp16 or fp32",
}


def sensitivities(
    job: ExportJob, model: AnyModel, *, advance: Callable[[int, int], object] = lambda done, total: None
) -> Sensitivities:
    """Those of the job's tower at the job's precision, from the output folder where they are known.

    Raises:
        CalibrationError: as `export.inputs.calibration.load_calibration`; and as `export.mixed.sensitivity.measure`.
    """
    subject = Subject(
        model.config.name, job.tower, model.config.sha256, weights_sha256(model), tower_module(model, job.tower)
    )
    inputs = load_calibration(job.calibration, job.config, job.tower, job.parity_data).inputs
    folder = job.out / job.config.name / FOLDER_NAME
    return measure(subject, rounding_of(job.precision), inputs, folder, advance=advance)


def lower(
    target: Target,
    request: LoweringRequest,
    folder: Path,
    job: ExportJob,
    model: AnyModel,
    adapt: Callable[[np.ndarray], np.ndarray] = lambda array: array,
) -> tuple[str, PrecisionPlan | None]:
    """Converts into `folder` as the job's plan or budget asks, and leaves the plan beside the model.

    `adapt` turns an input of the model into one of the request's module, which passes may have given another form.

    Returns:
        The model's name in the folder, and the plan; None where the job asks for neither.

    Raises:
        PlanError: the plan names a module that the tower lacks.
        DropBudgetError: the budget cannot be met.
    """
    plan = job.plan
    if plan is None and job.budget is None:
        return target.lower(request, folder), None
    pricing = Pricing.of(job, request)
    if job.budget is not None:
        entry_point, plan = _within_budget(target, request, folder, job, model, job.budget, adapt, pricing)
    else:
        assert plan is not None
        plans.require_paths(plan, [name for name, _ in tower_module(model, job.tower).named_modules()])
        entry_point = target.lower(replace(request, plan=plan), folder)
    plan = replace(plan, costs=() if pricing is None else pricing.predicted(plan))
    documents.write(plan, folder / PLAN_NAME)
    return entry_point, plan


def judged(report: ParityReport, plan: PrecisionPlan | None, target: TargetName) -> ParityReport:
    """The parity report, with a failure where its own samples are below the cosine that the plan was made for.

    A plan that was found on another target promises nothing for this one.
    """
    search = None if plan is None else plan.search
    if search is None or search.metric is not Metric.COSINE or search.target is not target:
        return report
    if report.cosine_mean >= search.limit:
        return report
    failure = (
        f"cosine_mean {report.cosine_mean:.6g} is below {search.limit:g}, which the plan was made for; the "
        f"{search.samples} samples of the search met it: ask for a little more"
    )
    return replace(report, failures=(*report.failures, failure))


def _within_budget(
    target: Target,
    request: LoweringRequest,
    folder: Path,
    job: ExportJob,
    model: AnyModel,
    budget: DropBudget,
    adapt: Callable[[np.ndarray], np.ndarray],
    pricing: Pricing | None,
) -> tuple[str, PrecisionPlan]:
    measured = sensitivities(job, model)
    paths = [unit.path for unit in measured.units]
    priced = None if pricing is None else pricing.cost(paths)
    if pricing is None or priced is None:
        problem = Problem({unit.path: unit.drop for unit in measured.ranked()}, len)
    else:
        untouched = pricing.graph.never_quantised(paths)
        # What loses nothing is in it too: between modules in float it may be cheaper in float.
        # What the target leaves in float anyway loses nothing, whatever its sensitivity to rounding.
        drops = {unit.path: 0.0 if unit.path in untouched else unit.drop for unit in measured.units}
        problem = Problem(drops, priced, groups(list(drops)))
    attempts = _Attempts(target, request, folder, job, model, _judge(job, budget, model), adapt)
    found = search(problem, attempts.judge.allowed, attempts.convert)
    if found.kept is None:
        raise DropBudgetError(_unreachable(found, job, budget))
    processor = None if priced is None else job.isa
    return attempts.finish(_recorded(attempts, found, job, budget, weights_sha256(model), processor), found.kept)


def _judge(job: ExportJob, budget: DropBudget, model: AnyModel) -> Judge:
    return make_judge(budget, model, job.tower, parity=job.parity_data, max_skipped=job.labelled_max_skipped)


@dataclass
class _Attempts:
    """Converts with one choice of units after the other, and keeps the files of those that meet the budget."""

    target: Target
    request: LoweringRequest
    folder: Path
    job: ExportJob
    model: AnyModel
    judge: Judge
    adapt: Callable[[np.ndarray], np.ndarray]

    def __post_init__(self) -> None:
        self.units = units(tower_module(self.model, self.job.tower))
        self._entry_points: dict[Kept, tuple[Path, str]] = {}

    def plan(self, kept: Kept) -> PrecisionPlan:
        paths = collapsed(kept, self.units)
        return PrecisionPlan(
            plans.SCHEMA_VERSION,
            self.job.config.name,
            self.job.tower,
            self.job.precision,
            planned(paths, finer_than(self.job.precision, self.job.target)),
        )

    def convert(self, kept: Kept) -> Measured:
        scratch = self.folder / f"{_ATTEMPT}-{len(self._entry_points)}"
        scratch.mkdir()
        entry_point = self.target.lower(replace(self.request, plan=self.plan(kept)), scratch)
        session = AdaptedSession(self.target.open(scratch / entry_point, threads=1), self.adapt)
        measured = self.judge.judge(session)
        session.close()
        if measured.met:
            self._entry_points[kept] = (scratch, entry_point)
        else:
            shutil.rmtree(scratch)
        return measured

    def finish(self, plan: PrecisionPlan, kept: Kept) -> tuple[str, PrecisionPlan]:
        best, entry_point = self._entry_points.pop(kept)
        for entry in best.iterdir():
            shutil.move(entry, self.folder / entry.name)
        best.rmdir()
        for folder, _ in self._entry_points.values():
            shutil.rmtree(folder)
        return entry_point, plan


def _recorded(
    attempts: _Attempts,
    found: Found,
    job: ExportJob,
    budget: DropBudget,
    weights: str,
    processor: InstructionSet | None,
) -> PrecisionPlan:
    assert found.kept is not None
    trials = tuple(
        Trial(
            len(each.kept),
            each.measured.value,
            each.measured.safe,
            each.measured.met,
            None if processor is None else round(each.cost, 4),
        )
        for each in found.attempts
    )
    search = Search(
        budget.metric,
        budget.limit,
        job.target,
        attempts.judge.samples,
        attempts.judge.samples_sha256,
        len(attempts.units),
        len(found.kept),
        trials,
        skipped=len(attempts.judge.skipped),
        first_skipped=attempts.judge.skipped[:MOST_NAMED],
        processor=processor,
        left_out=tuple(map(str, attempts.judge.left_out)),
        ignored_profiles=len(attempts.judge.ignored_profiles),
        first_ignored_profile=next(iter(attempts.judge.ignored_profiles), None),
    )
    return replace(attempts.plan(found.kept), weights_sha256=weights, search=search)


def _unreachable(found: Found, job: ExportJob, budget: DropBudget) -> str:
    finest = found.attempts[-1].measured
    reached = f"cosine {finest.safe:.6g}" if budget.metric is Metric.COSINE else f"{finest.lost:.3g} points lost"
    kept = finer_than(job.precision, job.target)
    instead = _INSTEAD[kept]
    return (
        f"{job.label} cannot meet --max-drop {budget}: with every module at {kept} it reaches {reached}; "
        f"ask for less, or export {instead}"
    )
