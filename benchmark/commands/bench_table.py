"""The table that bench prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.models.terminal.table import TerminalTable


def results_table(records: Sequence[BenchmarkRecord]) -> TerminalTable:
    """One row per record. A record without timings says so instead of showing numbers."""
    from rich.text import Text

    from pocketclip.benchmark.records.benchmark import Status
    from pocketclip.benchmark.statistics import formatting
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    several = len({record.artifact.model for record in records}) > 1
    counted = any(record.status is Status.COUNTED for record in records)
    rows: list[list[str | Text]] = []
    for record in sorted(records, key=lambda item: (item.artifact.model, item.artifact.rank)):
        if record.timed:
            cells = [Text(formatting.without_unit(cell)) for cell in formatting.timings(record)]
            if record.invalid:
                cells[0].append("*", "yellow")
        else:
            worded = {Status.FAILED: "failed", Status.COUNTED: "counted", Status.MEASURED: "emulated"}
            said = worded.get(record.status, "untimed")
            cells = [Text(said, "red" if record.status is Status.FAILED else "dim"), *[Text("")] * 4]
        identity = record.artifact
        rows.append(
            [
                *((identity.model,) if several else ()),
                identity.target,
                identity.scheme.removeprefix(f"{identity.target}-") if identity.scheme else identity.precision,
                identity.tower,
                formatting.without_unit(formatting.megabytes(identity.model_size_bytes)),
                _parity_cell(record),
                *cells,
                *((_millions(record),) if counted else ()),
            ]
        )
    return TerminalTable(
        columns=(
            *((name_column("model", group=True),) if several else ()),
            name_column("target"),
            name_column("precision"),
            name_column("tower"),
            *figure_columns("size\nMB", spare=1),
            *figure_columns("parity", "p50\nms"),
            *figure_columns("p90\nms", spare=1),
            *figure_columns("load\nms", spare=2),
            *figure_columns("first\nms", spare=3),
            *figure_columns("peak\nMB", spare=2),
            *(figure_columns("million\ninstr.") if counted else ()),
        ),
        rows=rows,
        caption="p50 and p90 of all launches' samples together; else medians over launches; memory is the peak beyond "
        "what imports use"
        + ("; * not ranked" if any(record.invalid and record.timed for record in records) else "")
        + (
            "; emulated: only parity is meaningful, not times"
            if any(record.status is Status.MEASURED and not record.timed for record in records)
            else ""
        ),
    )


def _millions(record: BenchmarkRecord) -> str:
    from pocketclip.benchmark.statistics.summaries import summarize_counts

    if record.instructions is None:
        return ""
    return f"{summarize_counts(record.instructions.per_inference).per_inference / 1e6:.2f}"


def _parity_cell(record: BenchmarkRecord) -> str:
    from pocketclip.benchmark.statistics.formatting import UNKNOWN, cosine

    if record.golden_check is None:
        return UNKNOWN
    worst = cosine(record.golden_check.cosine_min)
    if record.parity is None:
        return f"{worst} unproved"
    return f"{worst} {'pass' if record.parity.passed else 'FAIL'}"
