"""The `eval` command: evaluates a PyTorch model or artefacts on a data set and compares them with a baseline.

Heavy imports live inside the functions: `--help` must not wait for torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.evaluation.evaluation import AnyRecord

_DATASETS = (
    "scenes, pictures-design, pictures-concepts, pictures-hard, pictures-photographs, "
    "imagenet, imagenet-v2, imagenet-a, imagenet-o, imagenet-r, objectnet, folder:PATH, csv:FILE, "
    "webdataset:PATTERN or retrieval:CSV."
)


def eval_command(
    artifact: Annotated[
        list[Path] | None,
        typer.Option(
            "--artifact", help="A folder of artefacts, searched for pairs of towers, or a bundle. Repeatable."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="A PyTorch model: a registered model, a training run's folder or a configuration."
        ),
    ] = None,
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    dataset: Annotated[str, typer.Option("--dataset", help=_DATASETS)] = "scenes",
    data_root: Annotated[
        Path, typer.Option("--data-root", help="Folder of the published data sets, or of one of them.")
    ] = Path("data"),
    templates: Annotated[
        str | None,
        typer.Option(
            "--templates",
            help="openai (80), simple (7), scenes, pictures, or a file: lines, JSON or Python; {} for the class.",
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes", help="File of class names: for folder: by folder name, for webdataset: one per line."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            help="pytorch (default with --artifact), MODEL, MODEL=CHECKPOINT, or a folder with one exported pair.",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images per PyTorch batch.")] = 64,
    device: Annotated[str, typer.Option("--device", help="Where PyTorch runs: cpu, cuda, cuda:1, mps.")] = "cpu",
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Samples to evaluate (default: all; for scenes 960).")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed for the samples that --count draws, or for scenes.")
    ] = 0,
    max_skipped: Annotated[
        float | None,
        typer.Option(
            "--max-skipped",
            min=0,
            max=1,
            help="Maximum share of unusable samples; the record names them (default: 0; for shards 0.05).",
        ),
    ] = None,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Short for --max-skipped 0.05.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted evaluation.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accept a set of pictures that lacks some; the record says so.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache", help="Folder for text embeddings and unfinished evaluations (default: beside the store)."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Evaluates zero-shot classification or retrieval, with confidence intervals and significance of differences."""
    if (model is None) == (not artifact):
        raise typer.BadParameter("give either --artifact (one or more) or --model")

    from pocketclip.benchmark import api
    from pocketclip.benchmark.commands.eval_table import print_records
    from pocketclip.benchmark.commands.progress import evaluation_progress
    from pocketclip.models.api import Model
    from pocketclip.models.errors import PocketClipError
    from pocketclip.models.registry import choose_model

    options = api.EvaluateOptions(
        data_root=data_root,
        templates=templates,
        classes=classes,
        baseline=baseline,
        weights=weights,
        batch_size=batch_size,
        device=device,
        seed=seed,
        max_skipped=max_skipped,
        skip_corrupt=skip_corrupt,
        resume=resume,
        partial=partial,
        cache=cache,
    )
    subject = artifact or [] if model is None else Model(choose_model(model, changes or [], weights))
    finished: list[AnyRecord] = []
    try:
        with evaluation_progress() as progress:
            api.evaluate(
                subject,
                dataset,
                count=count,
                options=options,
                store=store,
                on_progress=progress.show,
                on_record=finished.append,
            )
    except PocketClipError:
        # Show what was evaluated even so.
        if finished:
            print_records(finished)
        raise
    print_records(finished)
