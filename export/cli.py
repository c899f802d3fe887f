"""The `export` program, and `classify` on what it writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.precision import TargetName, Tower
from models import command_line
from models.errors import PocketClipError

if TYPE_CHECKING:
    from export.job import ExportJob
    from export.workers import Outcome

app = command_line.new_app("export", "Export a model's towers to mobile runtimes, each checked against PyTorch.")


@app.command(no_args_is_help=True)
def export_command(
    target: Annotated[
        str,
        typer.Option("--target", help="onnx, coreml, executorch, tflite, a comma-separated list, or all."),
    ] = "",
    model: command_line.ModelOption = "pocketclip_nano",
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    quantize: Annotated[
        str,
        typer.Option("--quantize", help="Precisions with commas: base, int8, all, or names such as fp16."),
    ] = "base",
    tower: Annotated[str, typer.Option("--tower", help="image, text or both.")] = "both",
    out: Annotated[Path, typer.Option("--out", help="Folder for the artefacts.")] = Path("artifacts"),
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Artefacts converted at a time.")] = min(
        2, os.cpu_count() or 1
    ),
    list_matrix: Annotated[
        bool, typer.Option("--list", help="Show targets and precisions, and what is unavailable.")
    ] = False,
) -> None:
    """Converts, proves and writes one artefact per target, precision and tower."""
    if list_matrix:
        _print_matrix()
        return
    plan, skipped = _plan(model, changes or [], weights, target, quantize, tower, out)

    from export.workers import LOG_NAME, run_jobs
    from models import atomic

    with atomic.storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / LOG_NAME).write_bytes(b"")
    outcomes: list[Outcome] = []
    with command_line.progress() as progress:
        task = progress.add_task("exporting", total=len(plan))
        for outcome in run_jobs(plan, workers=jobs, log=out / LOG_NAME):
            outcomes.append(outcome)
            progress.advance(task)
            progress.console.print(_one_line(outcome), highlight=False, soft_wrap=True)
    _print_outcomes(sorted(outcomes, key=lambda item: plan.index(item[0])), skipped)
    failures = sum(_failed(outcome) for outcome in outcomes)
    if failures:
        command_line.note(f"error: {failures} of {len(plan)} artefacts failed; details are in {out / LOG_NAME}")
        raise typer.Exit(_exit_code(outcomes))


def classify_command(
    image: Annotated[Path, typer.Argument(help="A photograph: JPEG, PNG, WebP.")],
    artifact: Annotated[
        list[Path], typer.Option("--artifact", help="Folder that holds both towers, or one folder for each.")
    ],
    labels: Annotated[str | None, typer.Option("--labels", help='"a red circle,a blue square"')] = None,
    labels_file: Annotated[Path | None, typer.Option("--labels-file", help="One label a line.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many labels to show.")] = 5,
) -> None:
    """Ranks labels for a photograph with exported artefacts (zero-shot)."""
    from models.zero_shot import parse_labels

    names = parse_labels(labels, labels_file)

    import numpy as np
    from rich.table import Table

    from export.artifact import find_artifacts, select_pair
    from export.encoders import open_pair
    from models.preprocess import load_image, preprocess
    from models.zero_shot import rank_labels

    photograph = load_image(image)
    image_artifact, text_artifact = select_pair(find_artifacts(artifact))
    with open_pair(image_artifact, text_artifact) as encoders:
        embedding = encoders.encode_image(preprocess(photograph, encoders.preprocess)[None])
        candidates = np.concatenate([encoders.encode_text(name) for name in names])
        ranked = rank_labels(embedding, candidates, encoders.logit_scale)
    table = Table(title=f"{image.name}, {image_artifact.manifest.model.name} {image_artifact.manifest.scheme}")
    table.add_column("label")
    table.add_column("probability", justify="right")
    for place, probability in ranked[:top]:
        table.add_row(names[place], f"{probability:.1%}")
    command_line.console().print(table)


def main() -> None:
    """Entry point of the console script `export`."""
    command_line.run(app)


def _plan(
    model: str, changes: list[str], weights: str | None, target: str, quantize: str, tower: str, out: Path
) -> tuple[list[ExportJob], list[TargetName]]:
    """The jobs asked for, and the targets of `all` that are unavailable here."""
    from export.errors import TargetUnavailableError, UnknownTargetError
    from export.job import ExportJob
    from export.targets import parse_precisions, parse_targets, probe
    from models.errors import choices
    from models.registry import build_model, checkpoint_of, resolve_config

    config = resolve_config(model, changes, weights)
    if not target:
        raise UnknownTargetError(f"name a --target: {choices(TargetName)}, or all")
    if tower not in (*Tower, "both"):
        raise UnknownTargetError(f"there is no tower {tower!r}; choose among: {choices(Tower)}, both")
    towers = list(Tower) if tower == "both" else [Tower(tower)]
    found = checkpoint_of(config, weights)
    checkpoint = None if found is None else str(found)
    plan: list[ExportJob] = []
    skipped: list[TargetName] = []
    for name in parse_targets(target):
        precisions = parse_precisions(quantize, name)
        availability = probe(name)
        if availability.available:
            plan += [
                ExportJob(config, checkpoint, name, precision, each, out) for precision in precisions for each in towers
            ]
        elif target == "all":
            skipped.append(name)
        else:
            raise TargetUnavailableError(
                f"target {name} is unavailable: {availability.reason}; add it with: {availability.install}"
            )
    if not plan:
        raise TargetUnavailableError(
            "no target can be used here; see `pocketclip export --list` for what each one needs"
        )
    if weights is not None:
        # Read once here: a checkpoint that does not fit is one error, not one for every artefact.
        build_model(config, checkpoint)
    return plan, skipped


def _print_matrix() -> None:
    from rich.table import Table

    from export.targets import TARGETS, probe

    table = Table(title="Export matrix")
    for heading in ("target", "precisions", "base", "int8", "status"):
        table.add_column(heading)
    for name, entry in TARGETS.items():
        availability = probe(name)
        status = (
            f"available ({availability.version})"
            if availability.available
            else f"unavailable: {availability.reason}; {availability.install}"
        )
        table.add_row(name, ", ".join(entry.precisions), entry.base, entry.int8, status)
    command_line.console().print(table)


def _failed(outcome: Outcome) -> bool:
    _, result = outcome
    return isinstance(result, Exception) or result.manifest.parity is None or not result.manifest.parity.passed


def _exit_code(outcomes: list[Outcome]) -> int:
    """2 where every failure is one that the user can put right (a full disk), else 1."""
    failures = [result for job, result in outcomes if _failed((job, result))]
    return 2 if all(isinstance(result, PocketClipError) and result.exit_code == 2 for result in failures) else 1


def _one_line(outcome: Outcome) -> str:
    job, result = outcome
    if isinstance(result, Exception):
        return f"failed   {job.label}: {result}"
    parity = result.manifest.parity
    if parity is None or not parity.passed:
        return f"failed   {job.label}: {'; '.join(parity.failures) if parity else 'no parity'}"
    return f"exported {job.label}: cosine {parity.cosine_min:.6f} or more, {result.seconds:.0f} s"


def _print_outcomes(outcomes: list[Outcome], skipped: list[TargetName]) -> None:
    from rich.table import Table

    from export.targets import probe

    table = Table(title="Artefacts")
    for heading in ("target", "precision", "tower", "size", "cosine mean", "cosine min", "top-1", "parity"):
        numeric = heading in ("size", "cosine mean", "cosine min", "top-1")
        table.add_column(heading, justify="right" if numeric else "left")
    for job, result in outcomes:
        identity = (job.target, job.precision, job.tower)
        if isinstance(result, Exception):
            table.add_row(*identity, "", "", "", "", "[red]not written[/red]")
            continue
        parity = result.manifest.parity
        assert parity is not None
        table.add_row(
            *identity,
            f"{result.manifest.model_size_bytes / 1e6:.2f} MB",
            f"{parity.cosine_mean:.6f}",
            f"{parity.cosine_min:.6f}",
            f"{parity.top1_agreement:.1%}",
            "[green]passed[/green]" if parity.passed else "[red]failed[/red]",
        )
    for name in skipped:
        availability = probe(name)
        table.add_row(name, "", "", "", "", "", "", f"unavailable: {availability.install}")
    command_line.console().print(table)
