"""What the fleet's tables tell of runs: which there were, how far they are, and how long their jobs took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pocketclip.benchmark.fleet.jobs import JobState
from pocketclip.benchmark.fleet.ledger import Ledger
from pocketclip.benchmark.fleet.tables import JOBS, RUNS, read_version
from pocketclip.benchmark.store.location import make_engine, parse_location, store_errors


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
class Duration:
    """How long ended jobs of a label took on a target, in seconds: the mean and how many there were."""

    target: str
    label: str
    seconds: float
    count: int


def durations(ledger: Ledger, run_id: str) -> list[Duration]:
    """How long the ended jobs of a run took, by target and label. Raises `StoreError`."""
    query = (
        sa.select(
            JOBS.c.target,
            JOBS.c.label,
            sa.func.avg((JOBS.c.ended_us - JOBS.c.begun_us) / 1e6),
            sa.func.count(),
        )
        .where(JOBS.c.run_id == run_id, JOBS.c.state == JobState.DONE, JOBS.c.begun_us.is_not(None))
        .group_by(JOBS.c.target, JOBS.c.label)
    )
    with ledger.reading() as connection:
        return [
            Duration(target, label, max(float(mean), 0.0), count)
            for target, label, mean, count in connection.execute(query)
        ]


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
        rows = connection.execute(query).all()
        waiting: dict[str, Any] = {
            row.run_id: connection.execute(
                sa.select(JOBS.c.target, JOBS.c.label, sa.func.count())
                .where(JOBS.c.run_id == row.run_id, JOBS.c.state.in_((JobState.WAITING, JobState.RUNNING)))
                .group_by(JOBS.c.target, JOBS.c.label)
                .order_by(JOBS.c.target, JOBS.c.label)
            ).all()
            for row in rows
            if row.ended_us is None
        }
    return [
        RunStatus(
            row.run_id,
            row.name,
            row.number,
            row.begun_us,
            row.ended_us,
            ledger.counts(row.run_id),
            tuple((target, label, count) for target, label, count in waiting.get(row.run_id, ())),
        )
        for row in rows
    ]


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
