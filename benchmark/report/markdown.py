"""The report as Markdown: only the tables, for a README or a review comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.page import ComparisonSection, DeviceSection, ModelSection
from pocketclip.benchmark.report.table import Cell, Figure, Row, Table
from pocketclip.models.terminal.version import tool_version
from pocketclip.models.untrusted.printable import printable, printable_line

# What means something to Markdown in the middle of a line, or to the HTML that it becomes.
_SPECIAL = {character: f"\\{character}" for character in "\\`*_[]|~"} | {"<": "&lt;", "&": "&amp;", "\n": " "}


def render_markdown(material: Material) -> str:
    """GitHub-flavoured Markdown.

    Raises:
        ReportError: there are no records, or none of the baseline.
    """
    report = build_report(material)
    lines = ["# PocketCLIP report", "", f"Newest record: {report.newest}."]
    lines += _comparison(report.comparison)
    lines += ["", "## Environment"]
    for environment in report.environments:
        facts = "; ".join(f"{name.lower()}: {value}" for name, value in environment.facts[1:])
        lines += ["", f"**{escape(environment.device)}**: {escape(facts)}", "", *code_block([environment.command])]
    if report.unavailable:
        lines += ["", *(f"- {escape(words)}" for words in report.unavailable)]
    for model in report.models:
        lines += _model(model)
    if report.fleet is not None:
        lines += ["", "## Fleet", *(line for table in report.fleet.tables for line in _titled(table))]
    return "\n".join([*lines, "", f"Written by PocketCLIP {tool_version()} from a store of raw records."]) + "\n"


def _model(model: ModelSection) -> Iterator[str]:
    yield from ("", f"## {escape(model.name)}")
    if model.tiles:
        yield ""
    for tile in model.tiles:
        yield f"- **{escape(tile.title)}: {escape(tile.value)}** ({escape(tile.detail)})"
    if model.alarms:
        yield from ("", "**Needs attention**", "")
    for alarm in model.alarms:
        yield f"- {escape(alarm.words)}"
    tables = [*model.accuracy_tables, *model.retrieval_tables, *([model.ladder] if model.ladder else [])]
    for table in tables:
        yield from _titled(table)
    for device in model.devices:
        yield from _device(device)
    if model.farms is not None:
        yield from _titled(model.farms)


def _comparison(comparison: ComparisonSection) -> Iterator[str]:
    if not (comparison.words or comparison.figures):
        return
    yield from ("", "## Comparison")
    if comparison.words:
        yield from ("", escape(comparison.words))
    if comparison.table is not None:
        yield from _content(comparison.table)
    for figure in comparison.figures:
        yield from _figure(figure, "###")


def _device(device: DeviceSection) -> Iterator[str]:
    yield from ("", f"### On {escape(device.device)}", "", escape(device.caption))
    for caution in device.cautions:
        yield from ("", f"> {escape(caution)}")
    for table in device.tables:
        yield from _titled(table)
    for figure in device.figures:
        if figure.words:
            yield from _figure(figure, "####")


def _figure(figure: Figure, level: str) -> Iterator[str]:
    yield from ("", f"{level} {escape(figure.title)}", "", escape(figure.caption), "")
    yield from (f"- {escape(words)}" for words in figure.words)


def _titled(table: Table) -> Iterator[str]:
    title = f"{table.kind}: {table.title}" if table.kind != table.title else table.title
    yield from ("", f"#### {escape(title)}")
    if not table.quiet:
        yield from ("", escape(table.caption))
    yield from _content(table)


def _content(table: Table) -> Iterator[str]:
    headings = tuple(column.heading for column in table.columns)
    yield ""
    yield from table_lines(
        headings, [column.numeric for column in table.columns], (_cells(row, table) for row in table.rows)
    )
    if table.remark:
        yield from ("", escape(table.remark))


def _cells(row: Row, table: Table) -> tuple[str, ...]:
    cells = [_worded(cell) for cell in row.cells]
    if row.instead is not None:
        cells.append(_worded(row.instead))
    return (*cells, *[""] * (len(table.columns) - len(cells)))


def _worded(cell: Cell) -> str:
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text


def table_lines(headings: Sequence[str], numeric: Sequence[bool], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a table; columns of numbers are set to the right."""
    yield f"| {' | '.join(escape(heading) for heading in headings)} |"
    yield "|" + "".join("---:|" if right else "---|" for right in numeric)
    for row in rows:
        yield f"| {' | '.join(escape(cell) for cell in row)} |"


def code_block(lines: Sequence[str]) -> list[str]:
    """A block that shows the lines as they are, whatever they hold."""
    longest = max((len(found) for line in lines for found in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, *map(printable_line, lines), fence]


def escape(text: str) -> str:
    """Escapes text so that Markdown shows it unchanged; what steers a terminal becomes visible."""
    return "".join(_SPECIAL.get(character, character) for character in printable(text))
