"""What `fleet status` prints: devices, queues, health over time and units that differ from their model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pocketclip.models.terminal import command_line
from pocketclip.models.terminal.table import TerminalTable, figure_columns, label_column, name_column, word_column
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    from pocketclip.benchmark.api import FleetStatus
    from pocketclip.benchmark.statistics.units import ModelVariation

_MOST_CHANGES, _MOST_DEVICES, _MOST_UNITS = 12, 50, 20


def print_status(status: FleetStatus) -> None:
    """Prints a fleet's tables; those without rows are left out."""
    console = command_line.console()
    tables = [_devices(status), _queues(status), _health(status), *map(_units, status.variation)]
    for place, table in enumerate([each for each in tables if each.rows]):
        if place:
            console.print()
        console.print(table)
    for words in status.heads:
        command_line.note(f"at work: {printable_line(words)}")


def _devices(status: FleetStatus) -> TerminalTable:
    # Of many, those that somebody has to look at.
    listed = sorted(status.devices, key=lambda each: status.state_of(each) == "in use")[:_MOST_DEVICES]
    more = len(status.devices) - len(listed)
    return TerminalTable(
        columns=(
            name_column("device"),
            label_column("state"),
            label_column("since"),
            *figure_columns("jobs\ndone"),
            name_column("host", spare=2),
            word_column("why", spare=1),
        ),
        rows=[
            (
                f"{printable_line(each.name)}/{each.key[:8]}",
                status.state_of(each),
                _ago(status.now_us - each.since_us),
                str(status.jobs_done.get(each.key, 0)),
                printable_line(each.host),
                printable_line(each.reason or ""),
            )
            for each in listed
        ],
        title="devices",
        caption=f"and {more} more, which are listed in the report" if more else "",
    )


def _queues(status: FleetStatus) -> TerminalTable:
    from pocketclip.benchmark.fleet.jobs import JobState
    from pocketclip.benchmark.fleet.timing import worded_seconds

    rows: list[tuple[str, ...]] = []
    for each in status.queues:
        run = each.run
        if run.ended_us is not None:
            left = f"ended {_ago(status.now_us - run.ended_us)} ago"
        else:
            left = "unknown" if each.left_seconds is None else f"about {worded_seconds(each.left_seconds)}"
        counts = [str(run.counts[state]) for state in JobState]
        rows.append((f"{printable_line(run.name)}, run {run.number}", *counts, left))
    return TerminalTable(
        columns=(name_column("plan"), *figure_columns("waiting", "running", "done", "failed"), label_column("left")),
        rows=rows,
        title="queues",
    )


def _health(status: FleetStatus) -> TerminalTable:
    names = {each.key: f"{printable_line(each.name)}/{each.key[:8]}" for each in status.devices}
    return TerminalTable(
        columns=(label_column("when, UTC"), name_column("device"), label_column("state"), word_column("why")),
        rows=[
            (
                f"{datetime.fromtimestamp(each.at_us / 1e6, UTC):%m-%d %H:%M}",
                names.get(each.key, each.key[:8]),
                "well" if each.healthy else "ill",
                printable_line(each.reason),
            )
            for each in status.health[-_MOST_CHANGES:]
        ],
        title="health over time",
    )


def _units(found: ModelVariation) -> TerminalTable:
    from pocketclip.benchmark.statistics.units import UnitVerdict

    spread = "" if found.spread is None else f"; spread between units {100 * found.spread:.1f} %"
    # Of many, the outliers, the slowest and the fastest.
    odd = (UnitVerdict.SLOWER, UnitVerdict.FASTER)
    ends = {*found.units[: _MOST_UNITS // 2], *found.units[-_MOST_UNITS // 2 :]}
    units = [each for each in found.units if each in ends or each.verdict in odd]
    left_out = f"; {len(found.units) - len(units)} in between left out" if len(units) < len(found.units) else ""
    return TerminalTable(
        columns=(
            label_column("unit"),
            *figure_columns("against\nthe model", "95 % interval", "launches"),
            label_column("verdict"),
        ),
        rows=[
            (
                each.unit[:8],
                f"{100 * each.level:+.1f} %",
                "" if each.interval is None else f"{100 * each.interval[0]:+.1f} to {100 * each.interval[1]:+.1f} %",
                str(each.launches),
                str(each.verdict),
            )
            for each in units
        ],
        title=f"units of {printable_line(found.model)}",
        caption=f"{found.words}{spread}{left_out}",
    )


def _ago(microseconds: int) -> str:
    from pocketclip.benchmark.fleet.timing import worded_seconds

    return worded_seconds(max(0, microseconds) / 1e6)
