"""The `models` command: lists models with their sizes and compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.models.complexity import TowerComplexity


def models_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models or configuration files (default: all models).", show_default=False),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Add ratios to the first model; for one model with --set, to the unchanged model.",
        ),
    ] = False,
    changes: command_line.ChangesOption = None,
) -> None:
    """Lists models with the parameters, GFLOPs, activation memory, size and input size of each tower."""
    from pocketclip.models.api import list_models
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

    listed = list_models(*names or [], changes=changes or [], with_unchanged=compare)
    rows: list[tuple[str, ...]] = []
    first = listed[0].complexity
    for model in listed:
        complexity = model.complexity
        for tower, counted, base in (
            ("image", complexity.image, first.image),
            ("text", complexity.text, first.text),
        ):
            figures = zip(_figures(counted), _figures(base), ("2f", "3f", "2f", "1f"), strict=True)
            rows.append(
                (
                    model.name,
                    tower,
                    f"{counted.input_shape[-1]} {'px' if tower == 'image' else 'tokens'}",
                    *(
                        f"{value:.{digits}}" + (f" x{value / other:.2f}" if compare and complexity is not first else "")
                        for value, other, digits in figures
                    ),
                    "shipped" if model.weights_shipped else "yours",
                )
            )
    command_line.console().print(
        TerminalTable(
            columns=(
                name_column("model", group=True),
                name_column("tower"),
                *figure_columns("input", "params\nM", "GFLOPs"),
                *figure_columns("activations\nMB", spare=1),
                *figure_columns("fp32\nMB"),
                word_column("weights"),
            ),
            rows=rows,
            title="Models (with folded branches; a multiply-add counts as two operations)",
        )
    )


def _figures(tower: TowerComplexity) -> tuple[float, ...]:
    return tower.parameters / 1e6, tower.flops / 1e9, tower.activation_bytes / 1e6, tower.fp32_bytes / 1e6
