"""The table that `pocketclip results` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from benchmark.records import BenchmarkRecord, Status, is_future
from benchmark.results.figures import headline, standing
from benchmark.store import Record
from models.untrusted.printable import printable

SHORT_ID = 8


def results_table(records: Sequence[Record]) -> Table:
    """One row a record, in the order given; columns that no row fills are left out."""
    rows = [_cells(record) for record in records]
    table = Table(
        caption="times in UTC; latency is the median of all steady samples; more figures: --format csv or json",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    shown = [heading for heading in rows[0] if any(row[heading].plain for row in rows)] if rows else []
    for heading in shown:
        # Of what is long, the rest goes to the next line; figures and ids are never cut.
        cut = heading in ("id", "tower", "status", "result")
        table.add_column(heading, justify="right" if heading == "result" else "left", no_wrap=cut, overflow="fold")
    for row in rows:
        table.add_row(*(row[heading] for heading in shown))
    return table


def _cells(record: Record) -> dict[str, Text]:
    cells = {
        "id": record.record_id[:SHORT_ID],
        "when": datetime.fromisoformat(record.created_at).strftime("%Y-%m-%d %H:%M")
        + (" (future)" if is_future(record.created_at) else ""),
        "model": record.model if not isinstance(record, BenchmarkRecord) else record.artifact.model,
        "form": _form(record),
        "tower": "both",
        "device": "",
        "tag": "",
        "status": standing(record),
        "result": headline(record),
    }
    if not isinstance(record, BenchmarkRecord):
        return {heading: Text(printable(cell)) for heading, cell in cells.items()}
    cells |= {"tower": record.artifact.tower, "device": record.device.name, "tag": record.tag or ""}
    styles = {"status": "yellow" if record.invalid else "", "result": "dim" if record.invalid else ""}
    if record.status is Status.FAILED:
        styles["status"] = "red"
    return {heading: Text(printable(cell), styles.get(heading, "")) for heading, cell in cells.items()}


def _form(record: Record) -> str:
    if isinstance(record, BenchmarkRecord):
        return record.artifact.scheme or f"{record.artifact.target}-{record.artifact.precision}"
    return f"{record.target}-{record.precision}" if record.target else f"PyTorch {record.precision}"
