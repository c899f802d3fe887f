"""The `report` command: a store's latest records as a page, as Markdown or as JSON."""

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
        typer.Option("--out", help="File to write; by default report.html, and md and json are printed."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    form: Annotated[
        str, typer.Option("--format", help="html: one self-contained page; md: its tables; json: its figures.")
    ] = "html",
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            help="Compare with a tag's records, with model:NAME or with precision:NAME; by default each artefact with "
            "floating point of the same model and runtime.",
        ),
    ] = None,
    ladder: Annotated[
        list[Path] | None, typer.Option("--ladder", help="What `verify --json` wrote, shown beside; repeatable.")
    ] = None,
) -> None:
    """Writes the latest records of a store as one self-contained HTML page, as Markdown or as JSON."""
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
