"""A report in one of its forms."""

from __future__ import annotations

from enum import StrEnum

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.report.comparison import Baseline, BaselineKind
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.statistics.verdicts import compare_records, judge_family


class ReportFormat(StrEnum):
    """The forms of a report."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def render_as(form: ReportFormat, material: Material) -> str:
    """The report as text."""
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


def parse_baseline(option: str | None) -> Baseline:
    """What `--baseline` names, with what compares with it.

    Raises:
        OptionError: it names nothing.
    """
    if option is None:
        return Baseline("", compare_records, judge_family, BaselineKind.FLOAT)
    prefix, colon, name = option.partition(":")
    named = (BaselineKind.TAG, BaselineKind.MODEL, BaselineKind.PRECISION)
    kind = next((kind for kind in named if colon and prefix == kind), None)
    # A tag may hold a colon of its own.
    name = option if kind is None else name
    if not name:
        raise OptionError(f"--baseline {option!r} names nothing", fix="give a tag, model:NAME or precision:NAME")
    return Baseline(name, compare_records, judge_family, kind or BaselineKind.TAG)
