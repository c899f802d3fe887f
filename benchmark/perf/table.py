"""The table of a comparison in time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocketclip.benchmark.perf.comparison_records import PerfRecord, Ratio
from pocketclip.benchmark.perf.goals import FP32, INT8, PLAIN, judge

if TYPE_CHECKING:
    from pocketclip.models.terminal.table import TerminalTable

HEADINGS = ("model", "tower", "runtime", "file", "p50 ms", "of plain", "of fp32", "goal", "GEMM share")


def rows(records: Sequence[PerfRecord]) -> list[tuple[str, ...]]:
    """One row per file, under `HEADINGS`; ratios with their 95 % intervals over processes."""
    found: list[tuple[str, ...]] = []
    for record in records:
        judged = {(each.goal.label, each.goal.base): each for each in judge(record)}
        for label in record.labels:
            cells = [f"{statistics.median(record.medians_ns(label)) / 1e6:.2f}"]
            goals = []
            for base in (PLAIN, FP32):
                comparable = base in record.labels and label != base and label != PLAIN
                cells.append(ratio_words(record.ratio(label, base)) if comparable else "")
                outcome = judged.get((label, base))
                if outcome is not None:
                    goals.append(f"{outcome.goal.at_most:.2f} {'met' if outcome.met else 'MISSED'}")
            # A product of 8-bit values is none of single precision: its share of that rate would say nothing.
            share = "" if label == INT8 else f"{record.gemm_share(label):.0%}"
            found.append((record.model, record.tower, record.runtime, label, *cells, ", ".join(goals), share))
    return found


def ratio_words(ratio: Ratio) -> str:
    """The median with its interval, if there is one."""
    interval = ratio.interval
    return f"{ratio.median:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def perf_table(records: Sequence[PerfRecord]) -> TerminalTable:
    """The rows for a terminal."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    return TerminalTable(
        columns=[*map(name_column, HEADINGS[:4]), *figure_columns(*HEADINGS[4:])],
        rows=rows(records),
        caption="one thread; each process runs a runtime's files in turn; ratios: median of processes (95 % interval)",
    )


def markdown(records: Sequence[PerfRecord]) -> str:
    """The rows as a Markdown table."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows(records))])
