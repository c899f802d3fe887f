"""The table that `bench --throughput` prints."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.records.throughput import ThroughputRecord
    from pocketclip.models.terminal.table import TerminalTable

# Of photographs a second: three digits are as many as repeat.
_DIGITS = 3


def throughput_table(records: Sequence[ThroughputRecord]) -> TerminalTable:
    """A row for each artefact and number of threads; the fastest is in bold."""
    from rich.text import Text

    from pocketclip.benchmark.statistics.summaries import launch_interval
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    several = len({record.artifact.model for record in records}) > 1
    fastest = max(_rate(record) for record in records)
    rows: list[list[str | Text]] = []
    for record in records:
        rate = _rate(record)
        interval = launch_interval([launch.photos_per_second for launch in record.launches])
        identity = record.artifact
        rows.append(
            [
                *((identity.model,) if several else ()),
                identity.target,
                identity.scheme.removeprefix(f"{identity.target}-") or identity.precision,
                str(record.threads),
                str(record.decoders),
                Text(_worded(rate), "bold" if rate == fastest else ""),
                "" if interval is None else f"{_worded(interval[0])} to {_worded(interval[1])}",
                *(
                    f"{median(getattr(launch, step) for launch in record.launches) / 1e6:.2f}"
                    for step in ("decode_ns", "resize_ns", "inference_ns")
                ),
            ]
        )
    return TerminalTable(
        columns=(
            *((name_column("model", group=True),) if several else ()),
            name_column("target"),
            name_column("precision"),
            *figure_columns("threads", "decoders", "photos\n/ s", "95 %\ninterval"),
            *figure_columns("decode\nms", "resize\nms", "encode\nms", spare=1),
        ),
        rows=rows,
        title="Photographs a second",
    )


def _rate(record: ThroughputRecord) -> float:
    return median(launch.photos_per_second for launch in record.launches)


def _worded(rate: float) -> str:
    return f"{rate:.{_DIGITS}g}" if rate < 10**_DIGITS else f"{rate:.0f}"
