"""The `report` command: a store's latest records as a page, as Markdown or as JSON."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import DEFAULT_STORE, StoreOption
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.report.comparison import Baseline
    from pocketclip.benchmark.report.material import Material

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
    chosen = command_line.parse_choice(ReportFormat, "--format", form)
    from pocketclip.benchmark.commands.results import read_store
    from pocketclip.benchmark.report.ladder_table import read_ladders
    from pocketclip.benchmark.report.material import Material, probe_targets
    from pocketclip.models import atomic

    ladders = [found for path in ladder or () for found in read_ladders(path)]
    found = read_store(store)
    material = Material(
        benchmarks=found.benchmarks,
        accuracies=found.accuracies,
        retrievals=found.retrievals,
        unavailable=probe_targets(),
        baseline=_baseline(baseline),
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
            from pocketclip.benchmark.report.render import render

            return render(material)
        case ReportFormat.MARKDOWN:
            from pocketclip.benchmark.report.markdown import render_markdown

            return render_markdown(material)
        case ReportFormat.JSON:
            from pocketclip.benchmark.report.structured import render_json

            return render_json(material)


def _baseline(option: str | None) -> Baseline:
    """What the option names, with what compares with it: imported here, since it brings scipy with it.

    Raises:
        OptionError: it names nothing.
    """
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.benchmark.report.comparison import Baseline, BaselineKind
    from pocketclip.benchmark.statistics.verdicts import compare_records, judge_family

    if option is None:
        return Baseline("", compare_records, judge_family, BaselineKind.FLOAT)
    prefix, colon, name = option.partition(":")
    named = (BaselineKind.TAG, BaselineKind.MODEL, BaselineKind.PRECISION)
    kind = next((kind for kind in named if colon and prefix == kind), None)
    # A tag may hold a colon of its own.
    name = option if kind is None else name
    if not name:
        raise OptionError(f"--baseline {option!r} names nothing; give a tag, model:NAME or precision:NAME")
    return Baseline(name, compare_records, judge_family, kind or BaselineKind.TAG)
