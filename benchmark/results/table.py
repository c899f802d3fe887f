"""The table that `pocketclip results` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status, is_future
from pocketclip.benchmark.records.farm import FarmRecord, FarmStatus
from pocketclip.benchmark.results.figures import headline, standing
from pocketclip.benchmark.store import Record
from pocketclip.models.terminal.table import TerminalTable, figure_columns, label_column, name_column
from pocketclip.models.untrusted.printable import printable

SHORT_ID = 8


_COLUMNS = (
    label_column("id"),
    label_column("when", spare=2),
    name_column("model"),
    name_column("form"),
    label_column("tower"),
    label_column("device", spare=1),
    name_column("tag", spare=1),
    label_column("status"),
    *figure_columns("result"),
)


def results_table(records: Sequence[Record]) -> TerminalTable:
    """One row a record, in the order given; columns that no row fills are left out."""
    return TerminalTable(
        _COLUMNS,
        [list(_cells(record).values()) for record in records],
        caption="times in UTC; latency: median of all steady samples; for more figures use --format csv or json",
    )


def _cells(record: Record) -> dict[str, Text]:
    cells = {
        "id": record.record_id[:SHORT_ID],
        "when": datetime.fromisoformat(record.created_at).strftime("%Y-%m-%d %H:%M")
        + (" (future)" if is_future(record.created_at) else ""),
        "model": record.artifact.model if isinstance(record, BenchmarkRecord | FarmRecord) else record.model,
        "form": _form(record),
        "tower": "both",
        "device": "",
        "tag": "",
        "status": standing(record),
        "result": headline(record),
    }
    if isinstance(record, FarmRecord):
        # Dim: never ranked with ours.
        cells |= {"tower": record.artifact.tower, "device": record.place, "tag": record.tag or ""}
        styles = {"status": "red" if record.status is FarmStatus.FAILED else "", "result": "dim"}
        return {heading: Text(printable(cell), styles.get(heading, "")) for heading, cell in cells.items()}
    if not isinstance(record, BenchmarkRecord):
        return {heading: Text(printable(cell)) for heading, cell in cells.items()}
    cells |= {"tower": record.artifact.tower, "device": record.device.name, "tag": record.tag or ""}
    styles = {"status": "yellow" if record.invalid else "", "result": "dim" if record.invalid else ""}
    if record.status is Status.FAILED:
        styles["status"] = "red"
    return {heading: Text(printable(cell), styles.get(heading, "")) for heading, cell in cells.items()}


def _form(record: Record) -> str:
    if isinstance(record, BenchmarkRecord | FarmRecord):
        return record.artifact.scheme or f"{record.artifact.target}-{record.artifact.precision}"
    return f"{record.target}-{record.precision}" if record.target else f"PyTorch {record.precision}"
