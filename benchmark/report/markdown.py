"""The report as Markdown: the tables alone, for a README or a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.records import tool_version
from benchmark.report.content import build_report
from benchmark.report.material import Material
from benchmark.report.page import DeviceSection, ModelSection
from benchmark.report.table import Cell, Table

_FORMAT_HEADINGS = ("Target", "Precision", "Tower", "Size", "Cosine mean", "Cosine min", "Parity")
_TIME_HEADINGS = ("p50", "p90", "Load", "First", "Peak memory")
# What means something to Markdown in the middle of a line, or to the HTML that it becomes.
_SPECIAL = {character: f"\\{character}" for character in "\\`*_[]|~"} | {"<": "&lt;", "&": "&amp;", "\n": " "}


def render_markdown(material: Material) -> str:
    """GitHub-flavoured Markdown.

    Raises:
        ReportError: there are no records, or none with the baseline's tag.
    """
    report = build_report(material)
    lines = ["# PocketCLIP report", "", f"Newest record: {report.newest}."]
    for model in report.models:
        lines += _model(model)
    lines += ["", "## Environment"]
    for environment in report.environments:
        facts = "; ".join(f"{name.lower()}: {value}" for name, value in environment.facts[1:])
        lines += ["", f"**{escape(environment.device)}**: {escape(facts)}", "", "```", environment.command, "```"]
    return "\n".join([*lines, "", f"Written by PocketCLIP {tool_version()} from its store of raw records."]) + "\n"


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


def _device(device: DeviceSection) -> Iterator[str]:
    yield from ("", f"### On {escape(device.device)}", "", escape(device.caption), "")
    timed = any(row.timings for group in device.groups for row in group.rows)
    times = _TIME_HEADINGS if timed else ("Time",)
    headings = (*_FORMAT_HEADINGS, *times)
    numeric = [index > 2 and heading not in ("Parity", "Time") for index, heading in enumerate(headings)]
    yield from _table(headings, numeric, _format_rows(device, len(times)))
    for caution in device.cautions:
        yield from ("", f"> {escape(caution)}")
    if device.uncompared:
        yield from ("", escape(device.uncompared))
    for table in device.tables:
        yield from _titled(table)
    for figure in device.sustained:
        yield from ("", f"#### {escape(figure.title)}", "", escape(figure.caption), "")
        yield from (f"- {escape(words)}" for words in figure.words)


def _format_rows(device: DeviceSection, times: int) -> Iterator[tuple[str, ...]]:
    for group in device.groups:
        if group.unavailable:
            yield (group.name, *[""] * (len(_FORMAT_HEADINGS) - 1), group.unavailable, *[""] * (times - 1))
        for row in group.rows:
            verdict = f"{row.verdict}: {row.misses}" if row.misses else row.verdict
            cells = (row.precision, row.tower, row.size, row.cosine_mean, row.cosine_min, verdict)
            yield (group.name, *cells, *(row.timings or (row.instead, *[""] * (times - 1))))


def _titled(table: Table) -> Iterator[str]:
    title = f"Time by op: {table.title}" if table.name == "ops" else table.title
    yield from ("", f"#### {escape(title)}", "", escape(table.caption), "")
    headings = tuple(column.heading for column in table.columns)
    numeric = [column.numeric for column in table.columns]
    yield from _table(headings, numeric, (tuple(_worded(cell) for cell in row.cells) for row in table.rows))


def _worded(cell: Cell) -> str:
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text


def _table(headings: Sequence[str], numeric: Sequence[bool], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a table; columns of numbers are set to the right."""
    yield f"| {' | '.join(escape(heading) for heading in headings)} |"
    yield "|" + "".join("---:|" if right else "---|" for right in numeric)
    for row in rows:
        yield f"| {' | '.join(escape(cell) for cell in row)} |"


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(_SPECIAL.get(character, character) for character in text)
