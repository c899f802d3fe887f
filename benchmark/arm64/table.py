"""The table of a comparison in instructions, and what in it falls short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.benchmark.arm64.count_records import CountRecord, ratio
from pocketclip.benchmark.perf.candidates import PLAIN
from pocketclip.benchmark.statistics import formatting
from pocketclip.benchmark.statistics.summaries import REPEATABLE_SHARE
from pocketclip.export.precision import Precision

if TYPE_CHECKING:
    from rich.text import Text

    from pocketclip.models.terminal.table import TerminalTable


@dataclass(frozen=True)
class Goal:
    """What a file shall take of its sibling's instructions, at most."""

    label: str
    of: str
    at_most: float


GOALS: tuple[Goal, ...] = (
    Goal(str(Precision.FP32), PLAIN, 1.0),
    Goal(str(Precision.INT8_STATIC), str(Precision.FP32), 0.60),
)


def count_table(records: Sequence[CountRecord]) -> TerminalTable:
    """One row per file, in the order given; ratios are to files of the same model, tower and runtime."""
    from rich.text import Text

    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    rows: list[tuple[str | Text, ...]] = []
    for record in records:
        cells = [Text("failed", "red"), *[Text("")] * 5] if record.failure is not None else _cells(record, records)
        size = formatting.without_unit(formatting.megabytes(record.size_bytes))
        rows.append((record.subject, record.runtime, record.label, size, *cells))
    return TerminalTable(
        columns=(
            name_column("model"),
            name_column("runtime"),
            name_column("file"),
            *figure_columns("size\nMB", spare=1),
            *figure_columns("million\ninstr.", "of\nplain", "of\nfp32"),
            *figure_columns("spread\n%", spare=1),
            *figure_columns("max abs\nerror", spare=2),
            *figure_columns("cosine\nmin"),
        ),
        rows=rows,
        caption="instructions per inference on one thread; spread between processes; error against PyTorch in fp32",
    )


def shortfalls(records: Sequence[CountRecord]) -> Iterator[str]:
    """Goals that are missed, in words: no failure, but to be explained."""
    for record in records:
        for goal in GOALS:
            reached = ratio(record, goal.of, records) if record.label == goal.label else None
            if reached is not None and reached > goal.at_most:
                yield f"{record.name}: {reached:.3f} of {goal.of}, the goal is {goal.at_most:.2f} at most"


def faults(records: Sequence[CountRecord]) -> Iterator[str]:
    """What makes a record worthless, in words: it failed, is wrong, or does not repeat."""
    for record in records:
        if record.failure is not None:
            yield f"{record.name}: {record.failure}"
        for missed in record.misses:
            yield f"{record.name}: {missed}"
        if record.spread is not None and record.spread > REPEATABLE_SHARE:
            yield (
                f"{record.name}: counts differ by {100 * record.spread:.2f} % between processes, "
                f"at most {100 * REPEATABLE_SHARE:g} % allowed; count more inferences with --counted"
            )


def _cells(record: CountRecord, records: Sequence[CountRecord]) -> list[str | Text]:
    from rich.text import Text

    return [
        _millions(record.instructions),
        _share(ratio(record, PLAIN, records)),
        _share(ratio(record, str(Precision.FP32), records)),
        formatting.UNKNOWN if record.spread is None else f"{100 * record.spread:.4f}",
        Text(formatting.UNKNOWN if record.max_abs is None else f"{record.max_abs:.1e}", "red" if record.misses else ""),
        formatting.UNKNOWN if record.cosine_min is None else formatting.cosine(record.cosine_min),
    ]


def _millions(instructions: float | None) -> str:
    return formatting.UNKNOWN if instructions is None else f"{instructions / 1e6:.2f}"


def _share(value: float | None) -> str:
    return formatting.UNKNOWN if value is None else f"{value:.3f}"
