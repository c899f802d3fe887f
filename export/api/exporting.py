"""Export: from a model to artefacts with checked parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.export.api.artifacts import Artifact, load_artifact
from pocketclip.export.errors import FailedExportError, PlanError, UnknownTargetError
from pocketclip.models.api import Model, load_model
from pocketclip.models.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    from pocketclip.export.artifact.pass_report import PassName
    from pocketclip.export.jobs.planning import Gelu, Plan
    from pocketclip.export.jobs.workers import Outcome
    from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower

    # Names with commas between them, one name, or several.
    Names = str | Sequence[str]


@dataclass(frozen=True)
class ExportOptions:
    """How towers are converted. Each field is the `pocketclip export` option of the same name; `isa` is `--for`.

    Enums may be given by their names. `soc` takes one chip or phone, or several; `max_drop` takes `{"cosine": 0.995}`
    or the command line's `cosine=0.995`; `keep_float` and `keep_int16` take one module or several.
    """

    calibration: str | Path = "scenes"
    calibration_samples: int | None = None
    parity_data: str | Path = "scenes"
    parity_samples: int | None = None
    max_skipped: float | None = None
    raw: bool = False
    ios: int | None = None
    isa: InstructionSet | str | None = None
    soc: str | Sequence[str] | None = None
    byte_input: bool = False
    channels_last: bool = False
    gelu: Gelu | str = "erf"
    without: Sequence[PassName | str] = ()
    max_drop: str | Mapping[str, float] | None = None
    labelled: str | Path | None = None
    plans: Sequence[str | Path] = ()
    keep_float: str | Sequence[str] | None = None
    keep_int16: str | Sequence[str] | None = None
    batch: int = 1


def export(
    model: Model | str | Path,
    *,
    target: TargetName | str,
    precision: Precision | str = "base",
    tower: Tower | str,
    out: str | Path = "artifacts",
    calibration: str | None = None,
    options: ExportOptions | None = None,
    force: bool = False,
) -> Artifact:
    """Converts one tower, checks it against PyTorch and writes the artefact.

    Args:
        model: what `load_model` gave, or a name or path that it takes.
        target: `onnx`, `coreml`, `coreai`, `executorch`, `executorch-coreml`, `executorch-vulkan`,
            `executorch-qnn`, `onnx-qnn`, `tflite`, `tflite-qnn`, `tflite-mediatek`, `tflite-google` or
            `tflite-samsung`.
        precision: one precision of the target, e.g. `fp32` or `int8-static`; `base` is its floating-point one.
        tower: `image` or `text`.
        out: the artefact is written to `out/MODEL/TARGET-PRECISION/TOWER`.
        calibration: samples for static int8: `scenes`, a folder, `csv:FILE` or `webdataset:PATTERN`; None takes that
            of `options`.
        options: all other settings.
        force: convert again even if nothing has changed.

    Raises:
        FailedExportError: the artefact misses its parity budget, or a lint rule finds an error; it stays on disk.
        TargetUnavailableError, UnsupportedPrecisionError, CalibrationError, ConversionError: nothing was written.
    """
    if tower not in ("image", "text"):
        raise UnknownTargetError(f"tower must be image or text, got {tower!r}", fix="export_all exports both")
    chosen = options or ExportOptions()
    if calibration is not None:
        chosen = replace(chosen, calibration=calibration)
    plan = plan_export(model, target=str(target), precision=str(precision), tower=str(tower), out=out, options=chosen)
    if len(plan.jobs) != 1:
        raise UnknownTargetError(
            f"export writes one artefact, {target!r} and {precision!r} name {len(plan.jobs)}",
            fix="give one target and one precision, or call export_all",
        )
    ((job, result),) = run_export(plan, force=force)
    if isinstance(result, Exception):
        raise result
    failures = result.failures
    if failures:
        raise FailedExportError(f"{job.label} is in {result.folder} and failed: {'; '.join(failures)}")
    return load_artifact(result.folder)


def export_all(
    model: Model | str | Path,
    *,
    target: Names = "all",
    precision: Names = "base",
    tower: Names = "both",
    out: str | Path = "artifacts",
    options: ExportOptions | None = None,
    processes: int = 1,
    memory: str | int | None = None,
    force: bool = False,
    on_progress: OnProgress = silent,
    on_outcome: Callable[[Outcome], object] = silent,
) -> list[Outcome]:
    """Converts towers for several targets and precisions. A failure does not stop the others.

    Args:
        model: what `load_model` gave, or a name or path that it takes.
        target: names of targets (several, or one string with commas), or `all` for those available here.
        precision: names of precisions likewise, `base`, `int8` or `all`.
        tower: `image`, `text` or `both`.
        out: the folder for the artefacts.
        options: how towers are converted.
        processes: artefacts to convert at the same time.
        memory: total memory limit across conversions, in bytes or as `16GB`; None means 75 % of free memory.
        force: convert unchanged artefacts again.
        on_progress: called as the work advances.
        on_outcome: called with each job and its result or error when it ends.

    Returns:
        Each job with its result or its error, in the order of the plan.

    Raises:
        PocketClipError: nothing could start; the error gives the reason.
    """
    plan = plan_export(model, target=target, precision=precision, tower=tower, out=out, options=options)
    return run_export(
        plan, processes=processes, memory=memory, force=force, on_progress=on_progress, on_outcome=on_outcome
    )


def plan_export(
    model: Model | str | Path,
    *,
    target: Names,
    precision: Names,
    tower: Names,
    out: str | Path,
    options: ExportOptions | None = None,
) -> Plan:
    """The jobs that `export_all` would run, without running them; the arguments are the same."""
    from pocketclip.export.artifact.precision_plan import KeptPrecision
    from pocketclip.export.inputs.calibration import parse_calibration
    from pocketclip.export.inputs.parity_data import parse_parity_data
    from pocketclip.export.jobs.planning import make_plan, pass_options

    chosen = options or ExportOptions()
    opened = model if isinstance(model, Model) else load_model(model)
    plan = make_plan(
        opened.choice,
        _with_commas(target),
        _with_commas(precision),
        _tower(tower),
        Path(out),
        calibration=parse_calibration(
            str(chosen.calibration), chosen.calibration_samples, max_skipped=chosen.max_skipped
        ),
        parity_data=parse_parity_data(str(chosen.parity_data), chosen.parity_samples, max_skipped=chosen.max_skipped),
        raw=chosen.raw,
        ios=chosen.ios,
        isa=chosen.isa,
        soc=None if chosen.soc is None else _with_commas(chosen.soc),
        passes=pass_options(byte_input=chosen.byte_input, channels_last=chosen.channels_last, gelu=chosen.gelu),
        without=chosen.without,
        batch=chosen.batch,
    )
    if chosen.max_drop is not None or chosen.labelled is not None or chosen.plans:
        from pocketclip.export.mixed.command import with_mixed

        plan = replace(
            plan,
            jobs=with_mixed(
                plan.jobs,
                _max_drop(chosen.max_drop),
                None if chosen.labelled is None else str(chosen.labelled),
                [Path(each) for each in chosen.plans],
                chosen.max_skipped or 0.0,
            ),
        )
    kept = {KeptPrecision.FLOAT: chosen.keep_float, KeptPrecision.INT16: chosen.keep_int16}
    named = {kept_as: words for kept_as, words in kept.items() if words is not None}
    if len(named) > 1 or (named and (chosen.max_drop is not None or chosen.plans)):
        raise PlanError(
            "--keep-float, --keep-int16, --max-drop and --plan each select modules for higher precision",
            fix="give one of them",
        )
    for kept_as, words in named.items():
        from pocketclip.export.mixed.keep import with_kept

        plan = replace(plan, jobs=with_kept(plan.jobs, _with_commas(words), kept_as))
    return plan


def run_export(
    plan: Plan,
    *,
    processes: int = 1,
    memory: str | int | None = None,
    force: bool = False,
    cluster: str | None = None,
    cores: int = 1,
    on_progress: OnProgress = silent,
    on_outcome: Callable[[Outcome], object] = silent,
) -> list[Outcome]:
    """Runs the jobs of a plan. Takes the arguments of `export_all`. Converters write to `export.log` in `out`.

    With `cluster`, the address of a fleet (docs/fleet.md), jobs run on its nodes, each on `cores` cores; the artefacts
    come here all the same. `processes` and `memory` are then the nodes' business.
    """
    from pocketclip.export.jobs import memory as memory_bound
    from pocketclip.export.jobs.elsewhere import carried
    from pocketclip.export.jobs.log import ExportLog
    from pocketclip.export.jobs.unchanged import prepare
    from pocketclip.export.jobs.workers import run_jobs
    from pocketclip.export.mixed.command import measure_all

    limit = memory_bound.default_limit() if memory is None else memory_bound.parse_memory(str(memory))
    log = ExportLog(plan.jobs[0].out)
    prepared = prepare(plan.jobs, force=force)
    log.begin()
    measure_all(prepared.jobs, lambda what, done, total: on_progress(Progress(what, done, total)))
    outcomes: list[Outcome] = []

    def take(outcome: Outcome) -> None:
        outcomes.append(outcome)
        log.keep(outcome)
        on_progress(Progress("exporting", len(outcomes), len(plan.jobs)))
        on_outcome(outcome)

    for finished in prepared.unchanged:
        take(finished)
    running = (
        carried(cluster, prepared.jobs, cores)
        if cluster is not None
        else run_jobs(
            prepared.jobs,
            workers=processes,
            log=log.path,
            limit=limit,
            need=lambda job: memory_bound.estimate(job, prepared.weights_bytes),
            on_retry=log.again,
        )
    )
    for outcome in running:
        take(outcome)
    return sorted(outcomes, key=lambda item: plan.jobs.index(item[0]))


def _with_commas(names: Names) -> str:
    return str(names) if isinstance(names, str) else ",".join(str(name) for name in names)


def _tower(names: Names) -> str:
    words = _with_commas(names)
    return "both" if sorted(words.split(",")) == ["image", "text"] else words


def _max_drop(given: str | Mapping[str, float] | None) -> str | None:
    if not isinstance(given, Mapping):
        return given
    if len(given) != 1:
        raise PlanError(
            f"max_drop takes one limit, got {len(given)}", fix='give {"cosine": 0.995} or {"accuracy": 1.0}'
        )
    ((metric, limit),) = given.items()
    return f"{metric}={limit}"
