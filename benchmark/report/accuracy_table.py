"""The accuracy tables: each pair's zero-shot figure, its drop against PyTorch, and the judgement."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark import formatting
from benchmark.accuracy_records import AccuracyRecord
from benchmark.report.page import TARGET_NAMES, AccuracyRow, AccuracyTable
from benchmark.report.selection import ALARMING_DROP_POINTS, is_alarming


def accuracy_tables(records: Sequence[AccuracyRecord]) -> tuple[AccuracyTable, ...]:
    """A table for each data set and split, its rows in the order of the records."""
    sets: dict[tuple[str, str], list[AccuracyRecord]] = {}
    for record in records:
        sets.setdefault((record.dataset, record.split), []).append(record)
    return tuple(
        AccuracyTable(
            f"Zero-shot classification on {dataset}, split {split}: {found[0].samples:,} images, "
            f"{found[0].classes} classes",
            tuple(_accuracy_row(record) for record in found),
        )
        for (dataset, split), found in sets.items()
    )


def _accuracy_row(record: AccuracyRecord) -> AccuracyRow:
    alarm = is_alarming(record)
    low, high = record.drop_low_points, record.drop_high_points
    exported = record.target is not None
    if not exported:
        judgement = "reference"
    elif alarm:
        judgement = f"loses more than {ALARMING_DROP_POINTS:g} point"
    elif low is not None and low > 0:
        judgement = "loses a little"
    else:
        judgement = "no loss seen"
    return AccuracyRow(
        target=TARGET_NAMES[record.target] if record.target is not None else "PyTorch",
        precision=record.precision,
        accuracy=formatting.percent(record.accuracy),
        interval=f"{100 * record.accuracy_low:.1f} to {100 * record.accuracy_high:.1f}",
        chance=formatting.percent(record.chance),
        baseline=(
            formatting.percent(record.baseline_correct / record.samples)
            if record.baseline_correct is not None
            else formatting.UNKNOWN
        ),
        drop=_points(record.drop_points),
        drop_interval=f"{_points(low)} to {_points(high)}" if exported else formatting.UNKNOWN,
        judgement=judgement,
        alarm=alarm,
    )


def _points(value: float | None) -> str:
    if value is None:
        return formatting.UNKNOWN
    worded = f"{value:+.2f}"
    # A true minus sign; and no sign on what rounds to nothing.
    return "0.00" if worded in ("+0.00", "-0.00") else worded.replace("-", "\N{MINUS SIGN}")
