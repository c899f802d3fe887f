"""The `report` command: a store's latest records as a page, as Markdown or as JSON."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import DEFAULT_STORE, StoreOption
from models import command_line

if TYPE_CHECKING:
    from benchmark.report.comparison import Baseline
    from benchmark.report.material import Material

DEFAULT_PAGE = Path("report.html")


class ReportFormat(StrEnum):
    """The forms of a report."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def report_command(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; by default report.html, and md and json are printed."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    form: Annotated[
        str, typer.Option("--format", help="html: one self-contained page; md: its tables; json: its figures.")
    ] = ReportFormat.HTML,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Compare latencies with the records of this tag.")
    ] = None,
    ladder: Annotated[
        list[Path] | None, typer.Option("--ladder", help="What `verify --json` wrote, shown beside; repeatable.")
    ] = None,
) -> None:
    """Writes the latest records of a store as one self-contained HTML page, as Markdown or as JSON."""
    chosen = command_line.parse_choice(ReportFormat, "--format", form)
    from benchmark.report.ladder_table import read_ladders
    from benchmark.report.material import Material, probe_targets
    from benchmark.results_cli import read_store
    from models import atomic

    ladders = [found for path in ladder or () for found in read_ladders(path)]
    found = read_store(store)
    material = Material(
        benchmarks=found.benchmarks,
        accuracies=found.accuracies,
        retrievals=found.retrievals,
        unavailable=probe_targets(),
        baseline=None if baseline is None else _baseline(baseline),
        ladders=ladders,
    )
    text = _render(chosen, material)
    goal = DEFAULT_PAGE if out is None and chosen is ReportFormat.HTML else out
    if goal is None:
        print(text, end="")
        return
    atomic.write_text(goal, text)
    command_line.note(f"wrote {goal}")


def _render(form: ReportFormat, material: Material) -> str:
    match form:
        case ReportFormat.HTML:
            from benchmark.report.render import render

            return render(material)
        case ReportFormat.MARKDOWN:
            from benchmark.report.markdown import render_markdown

            return render_markdown(material)
        case ReportFormat.JSON:
            from benchmark.report.structured import render_json

            return render_json(material)


def _baseline(tag: str) -> Baseline:
    """The records of a tag, with what compares with them: imported here, since it brings scipy with it."""
    from benchmark.compare import compare_records, judge_family
    from benchmark.report.comparison import Baseline

    return Baseline(tag, compare_records, judge_family)
