"""The section about a fleet: devices and queues as its store knows them, health over time, units of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pocketclip.benchmark.report.page import FleetSection
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column, without_empty_columns
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.benchmark.statistics.units import ModelVariation, UnitLevel, UnitVerdict

_MOST_CHANGES, _MOST_DEVICES = 40, 500


@dataclass(frozen=True)
class ToldDevice:
    """A device of a fleet. `state` is `in use`, `drained` or `not seen lately`; times are in seconds since 1970."""

    name: str
    key: str
    host: str
    state: str
    reason: str
    since: float
    jobs: int


@dataclass(frozen=True)
class ToldQueue:
    """A run of a plan; `left` says in words about how long it takes yet."""

    name: str
    number: int
    begun: float
    ended: float | None
    waiting: int
    running: int
    done: int
    failed: int
    left: str


@dataclass(frozen=True)
class ToldHealth:
    """A device fell ill or was found well."""

    at: float
    device: str
    healthy: bool
    reason: str


@dataclass(frozen=True)
class ToldFleet:
    """What a store says of a fleet, the latest changes of health last."""

    devices: Sequence[ToldDevice] = ()
    queues: Sequence[ToldQueue] = ()
    health: Sequence[ToldHealth] = ()


def fleet_section(told: ToldFleet | None, variation: Sequence[ModelVariation]) -> FleetSection | None:
    """The section; None where no fleet has worked with the store and no two units of a model were measured."""
    fleet = told or ToldFleet()
    tables = (
        _devices(fleet.devices),
        _queues(fleet.queues),
        _health(fleet.health),
        *(_variation(each) for each in variation),
    )
    found = tuple(table for table in tables if table.rows)
    return FleetSection(found) if found else None


def _devices(devices: Sequence[ToldDevice]) -> Table:
    # Of many, those that somebody has to look at come first.
    listed = sorted(devices, key=lambda each: each.state == "in use")[:_MOST_DEVICES]
    more = len(devices) - len(listed)
    table = Table(
        "fleet-devices",
        "Devices of the fleet",
        "All devices that hosts announced",
        (
            text_column("Device"),
            text_column("Unit"),
            text_column("Host"),
            text_column("State"),
            text_column("Since"),
            Column("Jobs done", "jobs done"),
            text_column("Why", short="why", wide=True),
        ),
        tuple(
            make_row(
                each.name,
                each.key[:8],
                each.host,
                Cell(each.state, style="" if each.state == "in use" else "bad" if each.state == "drained" else "soft"),
                _moment(each.since),
                f"{each.jobs:,}",
                each.reason or UNKNOWN,
                alarm=each.state == "drained",
            )
            for each in listed
        ),
        "A drained device gets no jobs. One that the fleet drained comes back when the doctor finds it well; one that "
        "you drained, with `pocketclip fleet resume`. A unit is a hash of its serial.",
        remark=f"{more} more devices in use are not shown." if more else "",
    )
    return without_empty_columns(table)


def _queues(queues: Sequence[ToldQueue]) -> Table:
    return Table(
        "fleet-queues",
        "Plans of the fleet",
        "The latest runs of plans, the newest first",
        (
            text_column("Plan"),
            text_column("Begun"),
            text_column("Ended"),
            Column("Waiting", "waiting"),
            Column("Running", "running"),
            Column("Done", "done"),
            Column("Failed", "failed"),
            text_column("Time left", short="time left"),
        ),
        tuple(
            make_row(
                Cell(each.name, f"run {each.number}"),
                _moment(each.begun),
                UNKNOWN if each.ended is None else _moment(each.ended),
                f"{each.waiting:,}",
                f"{each.running:,}",
                f"{each.done:,}",
                Cell(f"{each.failed:,}", style="bad" if each.failed else ""),
                each.left,
            )
            for each in queues
        ),
        "Time left: from how long jobs of the same artefact and device took so far, for the longest queue.",
    )


def _health(changes: Sequence[ToldHealth]) -> Table:
    rows = [
        make_row(
            _moment(each.at),
            each.device,
            Cell("well", style="good") if each.healthy else Cell("ill", style="bad"),
            each.reason,
        )
        for each in changes[-_MOST_CHANGES:]
    ]
    more = len(changes) - len(rows)
    return Table(
        "fleet-health",
        "Health over time",
        "When devices fell ill and were found well",
        (text_column("When"), text_column("Device"), text_column("State"), text_column("Why", short="why", wide=True)),
        tuple(rows),
        "A device falls ill when a job meets it dead, hot, full or locked, when its host announces it so, or when you "
        "drain it. While it is ill, the doctor looks at it more and more seldom.",
        remark=f"{more} earlier changes are not shown." if more else "",
    )


def _variation(found: ModelVariation) -> Table:
    spread = "" if found.spread is None else f" Spread between units: {_percent(found.spread)}"
    if found.spread_interval is not None:
        low, high = found.spread_interval
        spread += f" (95 %: {_percent(low)} to {_percent(high)})"
    table = Table(
        "fleet-units",
        f"Units of {found.model}",
        f"Units of {found.model} against each other, over {found.cells} artefacts and settings that they share",
        (
            text_column("Unit"),
            Column("Against the model", "against the model"),
            Column("95 % interval", "95 % interval"),
            Column("Launches", "launches"),
            text_column("Verdict", short="verdict"),
        ),
        tuple(_unit(each) for each in found.units),
        "A unit's level is the median of its times, each as a share of the median of all units' times for the same "
        "artefact and settings. An outlier is told by Rosner's test at 5 % for all units of a model together (Grubbs' "
        "test below fifteen units), and only where the unit's own interval lies beyond 2 %. Fewer than six units with "
        "five launches each tell nothing.",
        remark=f"{found.words[:1].upper()}{found.words[1:]}.{spread}{'.' if spread else ''}",
        kind_title="Units of one model",
    )
    return table


def _unit(each: UnitLevel) -> Row:
    odd = each.verdict in (UnitVerdict.SLOWER, UnitVerdict.FASTER)
    low_high = each.interval
    return make_row(
        each.unit[:8],
        _signed(each.level),
        UNKNOWN if low_high is None else f"{_signed(low_high[0])} to {_signed(low_high[1])}",
        str(each.launches),
        Cell(str(each.verdict), style="bad" if odd else "soft" if each.verdict is UnitVerdict.UNKNOWN else ""),
        alarm=odd,
    )


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f} %"
