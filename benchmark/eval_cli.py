"""The `eval` command: zero-shot accuracy of a PyTorch model or of exported artefacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import DEFAULT_STORE, StoreOption
from models import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.records import AccuracyRecord


def eval_command(
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", help="A folder of artefacts; pairs of towers are found in it. Repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="A registered model or a configuration file, run in PyTorch.")
    ] = None,
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Held-out scenes to classify.")] = 960,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Classifies scenes of colour-shape pairs that training never showed, and says how sure the figures are."""
    if (model is None) == (not artifact):
        raise typer.BadParameter("name either --artifact (one or more) or --model")

    from benchmark.accuracy import evaluate_artifacts, evaluate_model, model_record, pair_artifacts
    from benchmark.store import open_store
    from export.artifact import find_artifacts
    from models import create_model

    pairs = pair_artifacts(find_artifacts(artifact)) if artifact else []
    finished: list[AccuracyRecord] = []
    with open_store(store) as records, command_line.progress() as progress:
        models = len({image.manifest.model.name for image, _ in pairs}) if pairs else 1
        task = progress.add_task("classifying", total=count * (len(pairs) + models))

        def advance() -> None:
            progress.advance(task)

        if model is not None:
            loaded = create_model(model, weights, changes=changes or [])
            results = iter([model_record(loaded, evaluate_model(loaded, count, advance))])
        else:
            results = evaluate_artifacts(pairs, weights, count, advance)
        for record in results:
            records.append(record)
            finished.append(record)
    _print(finished)


def _print(records: Sequence[AccuracyRecord]) -> None:
    from rich.table import Table

    first = records[0]
    table = Table(
        title=f"Zero-shot on {first.samples} held-out scenes, {first.classes} classes (chance {first.chance:.1%})"
    )
    for heading in ("model", "runs in", "precision"):
        table.add_column(heading)
    for heading in ("accuracy", "95 % interval", "drop, points", "its interval"):
        table.add_column(heading, justify="right")
    for record in records:
        row = [
            record.model,
            record.target or "PyTorch",
            record.precision,
            f"{record.accuracy:.1%}",
            f"{record.accuracy_low:.1%} to {record.accuracy_high:.1%}",
        ]
        if record.drop_points is not None:
            colour = "red" if record.drop_points > 1 else "default"
            row += [
                f"[{colour}]{record.drop_points:+.2f}[/{colour}]",
                f"{record.drop_low_points:+.2f} to {record.drop_high_points:+.2f}",
            ]
        table.add_row(*row)
    command_line.console().print(table)
