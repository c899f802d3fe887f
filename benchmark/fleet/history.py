"""What the fleet's tables tell of runs: which there were, how far they are, and how long their jobs took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from annotated_types import Ge, Le

from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.fleet.jobs import JobState
from pocketclip.benchmark.fleet.ledger import Ledger
from pocketclip.benchmark.fleet.tables import JOBS, RUNS, MicrosecondsSince1970, read_rows, read_version
from pocketclip.benchmark.store.location import make_engine, parse_location, store_errors
from pocketclip.models import documents
from pocketclip.models.untrusted.numbers import Count


@dataclass(frozen=True)
class RunStatus:
    """A run as `fleet status` shows it; times are microseconds by the database's clock."""

    run_id: str
    name: str
    number: int
    begun_us: int
    ended_us: int | None
    counts: dict[JobState, int]
    # Targets, labels and counts of what waits or runs.
    waiting: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class _Run:
    run_id: str
    name: str
    number: Count
    begun_us: MicrosecondsSince1970
    ended_us: MicrosecondsSince1970 | None


@dataclass(frozen=True)
class Duration:
    """How long ended jobs of a label took on a target, in seconds: the mean and how many there were."""

    target: str
    label: str
    seconds: Annotated[float, Ge(0.0), Le(1e15)]
    count: int


def durations(ledger: Ledger, run_id: str) -> list[Duration]:
    """How long the ended jobs of a run took, by target and label. Raises `StoreError`."""
    took_us = JOBS.c.ended_us - JOBS.c.begun_us
    query = (
        sa.select(
            JOBS.c.target,
            JOBS.c.label,
            # The database's clock may have been set back.
            sa.func.avg(sa.case((took_us < 0, 0), else_=took_us) / 1e6).label("seconds"),
            sa.func.count().label("count"),
        )
        .where(JOBS.c.run_id == run_id, JOBS.c.state == JobState.DONE, JOBS.c.begun_us.is_not(None))
        .group_by(JOBS.c.target, JOBS.c.label)
    )
    with ledger.reading() as connection:
        return read_rows(Duration, connection.execute(query).mappings().all(), JOBS)


def done_by_device(ledger: Ledger) -> dict[str, int]:
    """How many jobs ended with a record on each device. Raises `StoreError`."""
    query = (
        sa.select(JOBS.c.device_key, sa.func.count())
        .where(JOBS.c.state == JobState.DONE, JOBS.c.device_key.is_not(None))
        .group_by(JOBS.c.device_key)
    )
    with ledger.reading() as connection:
        return {row.device_key: row[1] for row in connection.execute(query)}


def latest_runs(ledger: Ledger, most: int = 20) -> list[RunStatus]:
    """The latest runs, the newest first. Raises `StoreError`."""
    query = sa.select(RUNS).order_by(RUNS.c.begun_us.desc()).limit(most)
    with ledger.reading() as connection:
        runs = read_rows(_Run, connection.execute(query).mappings().all(), RUNS)
        waiting = {each.run_id: _waiting(connection, each.run_id) for each in runs if each.ended_us is None}
    return [
        RunStatus(
            each.run_id,
            each.name,
            each.number,
            each.begun_us,
            each.ended_us,
            ledger.counts(each.run_id),
            waiting.get(each.run_id, ()),
        )
        for each in runs
    ]


def _waiting(connection: sa.Connection, run_id: str) -> tuple[tuple[str, str, int], ...]:
    query = (
        sa.select(JOBS.c.target, JOBS.c.label, sa.func.count())
        .where(JOBS.c.run_id == run_id, JOBS.c.state.in_((JobState.WAITING, JobState.RUNNING)))
        .group_by(JOBS.c.target, JOBS.c.label)
        .order_by(JOBS.c.target, JOBS.c.label)
    )
    return documents.from_values(
        tuple[tuple[str, str, int], ...],
        [tuple(row) for row in connection.execute(query)],
        source=f"the store's table {JOBS.name}",
        error=StoreError,
    )


def has_fleet(location: str) -> bool:
    """Whether a fleet has worked with a store, which is left as it is.

    Raises:
        StoreError: it cannot be read, or a newer version of PocketCLIP worked with it.
    """
    url = parse_location(location)
    engine = make_engine(url, read_only=True)
    try:
        with store_errors(url, "read"), engine.connect() as connection:
            return read_version(connection) is not None
    finally:
        engine.dispose()
