"""From the words of a command line to jobs of mixed precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pocketclip.export.artifact.drop_budget import parse_max_drop
from pocketclip.export.artifact.precision_plan import PrecisionPlan, finer_than, read_plan, require_model, require_paths
from pocketclip.export.errors import BatchError, PlanError
from pocketclip.export.job import ExportJob
from pocketclip.export.mixed.offers import require_mixing, require_offer
from pocketclip.export.precision import Precision, Tower

Progress = Callable[[str, int, int], object]


def with_mixed(
    jobs: Sequence[ExportJob],
    max_drop: str | None,
    labelled: str | None,
    files: Sequence[Path],
    max_skipped: float = 0.0,
) -> tuple[ExportJob, ...]:
    """The jobs with the budget or the plans that a user gives.

    Args:
        jobs: of one model.
        max_drop: words of `--max-drop`.
        labelled: words of `--labelled`.
        files: plans, each for the jobs of its tower and base precision.
        max_skipped: share of the labelled samples that may be left out as unusable.

    Raises:
        PlanError: a budget or a plan is malformed, or is not for what is exported.
        UnsupportedPrecisionError: a target cannot mix precisions.
        BatchError: a search was asked for with several photographs at once.
        DatasetError: the labelled folder cannot be read.
    """
    if max_drop is None and not files:
        if labelled is not None:
            raise PlanError("--labelled gives the data for --max-drop accuracy=POINTS", fix="give that too")
        return tuple(jobs)
    if max_drop is not None and files:
        raise PlanError("--max-drop searches for a plan, but --plan already gives one", fix="omit one of them")
    for job in jobs:
        finer_than(job.precision)
        require_mixing(job)
    if max_drop is None:
        return _replayed(jobs, files)
    for job in jobs:
        require_offer(job, finer_than(job.precision, job.target))
        if job.batch > 1:
            raise BatchError(
                f"--max-drop searches with one photograph at once, got --batch {job.batch}",
                fix="leave --batch out, then replay the plan that it finds with --plan and --batch",
            )
    from pocketclip.export.mixed.judge import labelled_sha256

    budget = parse_max_drop(max_drop, labelled)
    sha256 = labelled_sha256(budget)
    return tuple(replace(job, budget=budget, labelled_sha256=sha256, labelled_max_skipped=max_skipped) for job in jobs)


def _replayed(jobs: Sequence[ExportJob], files: Sequence[Path]) -> tuple[ExportJob, ...]:
    plans: dict[tuple[Tower, Precision], PrecisionPlan] = {}
    for file in files:
        # What it cost where it was found says nothing of this artefact.
        plan = replace(read_plan(file), costs=())
        try:
            require_model(plan, jobs[0].config.name)
        except PlanError as error:
            raise PlanError(f"{file}: {error}") from error
        if (plan.tower, plan.base) in plans:
            raise PlanError(
                f"{file} is a second plan for the {plan.tower} tower at {plan.base}", fix="give one of them"
            )
        plans[plan.tower, plan.base] = plan
    wanted = {(job.tower, job.precision) for job in jobs}
    for tower, base in plans:
        if (tower, base) not in wanted:
            exported = ", ".join(f"{precision} of the {each} tower" for each, precision in sorted(wanted))
            raise PlanError(
                f"the plan for {base} of the {tower} tower does not apply: this exports {exported}",
                fix="give its --quantize and --tower",
            )
    lacking = next((job for job in jobs if (job.tower, job.precision) not in plans), None)
    if lacking is not None:
        raise PlanError(
            f"there is no plan for the {lacking.tower} tower at {lacking.precision}",
            fix="give another --plan, or exclude it with --tower and --quantize",
        )
    for job in jobs:
        for kept_as in dict.fromkeys(module.precision for module in plans[job.tower, job.precision].modules):
            require_offer(job, kept_as)
    _require_modules(jobs[0], list(plans.values()))
    return tuple(replace(job, plan=plans[job.tower, job.precision]) for job in jobs)


def _require_modules(job: ExportJob, plans: Sequence[PrecisionPlan]) -> None:
    from pocketclip.export.passes.tower_module import tower_module
    from pocketclip.models.registry import build_model

    model = build_model(job.config, job.weights)
    for plan in plans:
        require_paths(plan, [name for name, _ in tower_module(model, plan.tower).named_modules()])


def measure_all(jobs: Sequence[ExportJob], progress: Progress) -> None:
    """Measures what the searches of these jobs rank by, once for all of them, before they start side by side.

    Args:
        jobs: of one model; those without a budget need nothing.
        progress: told what is measured, how many modules are done, and how many there are.

    Raises:
        PlanError, CalibrationError, NonFiniteError, StorageError: as `export.mixed.lowering.sensitivities`.
    """
    from pocketclip.export.mixed.lowering import sensitivities
    from pocketclip.export.mixed.rounding import rounding_of
    from pocketclip.models.registry import build_model

    needed = {(job.tower, rounding_of(job.precision), job.calibration): job for job in jobs if job.budget is not None}
    if not needed:
        return
    model = build_model(jobs[0].config, jobs[0].weights)
    for (tower, rounding, _), job in needed.items():
        what = f"sensitivity of the {tower} tower at {rounding.name}"
        sensitivities(job, model, advance=lambda done, total, what=what: progress(what, done, total))
