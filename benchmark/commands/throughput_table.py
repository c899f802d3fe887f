"""The table that `bench --throughput` prints."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.records.launch import MachineState
    from pocketclip.benchmark.records.throughput import ThroughputRecord
    from pocketclip.models.terminal.table import TerminalTable

# Of photographs a second: three digits are as many as repeat.
_DIGITS = 3


def throughput_table(records: Sequence[ThroughputRecord]) -> TerminalTable:
    """A row for each artefact and number of threads; the fastest that may be ranked is in bold.

    What the device tells of battery and heat stands as it was before the first launch and after the last one.
    """
    from rich.text import Text

    from pocketclip.benchmark.statistics.summaries import launch_interval
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    several = len({record.artifact.model for record in records}) > 1
    fastest = max((_rate(record) for record in records if record.launches and not record.invalid), default=None)
    rows: list[list[str | Text]] = []
    for record in records:
        identity = record.artifact
        if record.launches:
            rate = _rate(record)
            interval = launch_interval([launch.photos_per_second for launch in record.launches])
            shown = Text(_worded(rate), "bold" if rate == fastest and not record.invalid else "")
            if record.invalid:
                shown.append("*", "yellow")
            cells = [
                shown,
                "" if interval is None else f"{_worded(interval[0])} to {_worded(interval[1])}",
                *(
                    f"{median(getattr(launch, step) for launch in record.launches) / 1e6:.2f}"
                    for step in ("decode_ns", "resize_ns", "inference_ns")
                ),
            ]
        else:
            cells = [Text("failed", "red"), *[""] * 4]
        rows.append(
            [
                *((identity.model,) if several else ()),
                identity.target,
                identity.scheme.removeprefix(f"{identity.target}-") or identity.precision,
                str(record.threads),
                str(record.decoders),
                *cells,
                *(_course(record, kind) for kind in _STATES),
            ]
        )
    marked = any(record.invalid and record.launches for record in records)
    return TerminalTable(
        columns=(
            *((name_column("model", group=True),) if several else ()),
            name_column("target"),
            name_column("precision"),
            *figure_columns("threads", "decoders", "photos\n/ s", "95 %\ninterval"),
            *figure_columns("decode\nms", "resize\nms", "encode\nms", spare=1),
            *figure_columns(*_STATES, spare=2),
        ),
        rows=rows,
        title="Photographs a second",
        caption="* not ranked" if marked else "",
    )


# Headings -> what of a state is shown below, None where the device does not tell it.
_STATES: dict[str, Callable[[MachineState], str | None]] = {
    "battery\n%": lambda state: _known(state.battery_percent, "d"),
    "heat\n°C": lambda state: _known(state.temperature_celsius, ".0f"),
    "thermal\nstatus": lambda state: _known(state.thermal_status, "d"),
}


def _known(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _course(record: ThroughputRecord, kind: str) -> str:
    """A state before the first launch and after the last, e.g. `88 to 86`; empty where neither is known."""
    if not record.launches:
        return ""
    first, last = record.launches[0].before, record.launches[-1].after
    found = [told for state in (first, last) if state is not None and (told := _STATES[kind](state)) is not None]
    return " to ".join(dict.fromkeys(found))


def _rate(record: ThroughputRecord) -> float:
    return median(launch.photos_per_second for launch in record.launches)


def _worded(rate: float) -> str:
    return f"{rate:.{_DIGITS}g}" if rate < 10**_DIGITS else f"{rate:.0f}"
