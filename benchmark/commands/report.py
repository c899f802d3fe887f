"""The `report` command: writes a store's latest records as an HTML page, Markdown or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line

DEFAULT_PAGE = Path("report.html")


def report_command(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write (default: report.html; md and json go to stdout)."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    form: Annotated[
        str, typer.Option("--format", help="html (one self-contained page), md (its tables) or json (its figures).")
    ] = "html",
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            help="Compare with a TAG, model:NAME or precision:NAME (default: each artefact with the floating-point "
            "one of its model and runtime).",
        ),
    ] = None,
    ladder: Annotated[
        list[Path] | None, typer.Option("--ladder", help="A file from `verify --json` to include. Repeatable.")
    ] = None,
) -> None:
    """Writes a store's latest records as one self-contained HTML page, as Markdown or as JSON."""
    from pocketclip.benchmark import api
    from pocketclip.benchmark.report.writing import ReportFormat
    from pocketclip.models import atomic

    chosen = command_line.parse_choice(ReportFormat, "--format", form)
    text = api.report(store, form=chosen, baseline=baseline, ladders=ladder or ())
    goal = DEFAULT_PAGE if out is None and chosen is ReportFormat.HTML else out
    if goal is None:
        print(text, end="")
        return
    atomic.write_text(goal, text)
    command_line.note(f"wrote {goal}")
