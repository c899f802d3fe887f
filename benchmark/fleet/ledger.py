"""Jobs in the store: which head has claimed which, and what came of it.

Each change is one transaction that can be carried out twice: after a database that went away in the middle, the same
call again does what is missing. A head that is not heard of for a while loses its claims to the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from pocketclip.benchmark.errors import FleetAnswerError, StoreError
from pocketclip.benchmark.fleet.jobs import BenchWork, Job, JobState, make_jobs
from pocketclip.benchmark.fleet.tables import (
    HEADS,
    JOBS,
    RUNS,
    MicrosecondsSince1970,
    make_tables,
    now_us,
    read_rows,
    read_version,
)
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.store.batches import batched
from pocketclip.benchmark.store.location import make_engine, parse_location, store_errors, writer
from pocketclip.models import documents
from pocketclip.models.untrusted.numbers import Count
from pocketclip.models.untrusted.printable import printable_line

# A head says this often that it is there; unheard of for so long, it has ended.
BEAT_SECONDS = 10.0
LOST_SECONDS = 60.0
_LONGEST_REASON = 4000


@dataclass(frozen=True)
class Run:
    """A plan on its way. `number` counts the runs of the same plan."""

    run_id: str
    name: str
    number: int
    jobs: int
    resumed: bool = False


@dataclass(frozen=True)
class BookedHead:
    """A head, and when it was heard of by the database's clock."""

    head_id: str
    machine: str
    words: str
    seen_us: MicrosecondsSince1970


@dataclass(frozen=True)
class _BegunRun:
    run_id: str
    number: Count
    ended_us: MicrosecondsSince1970 | None


@dataclass(frozen=True)
class _WaitingJob:
    job_id: str
    sequence: Count
    priority: int
    attempts: Count
    work: str


@dataclass(frozen=True)
class Ending:
    """What became of a job: `done` with a record in the store, or `failed` with a reason."""

    job_id: str
    state: JobState
    device_key: str | None
    reason: str | None = None


class Ledger:
    """The fleet's tables of one store. Use `open_ledger`."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._writer = writer(engine)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection; its errors are `StoreError`."""
        with store_errors(self.engine.url, "read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction; its errors are `StoreError`."""
        with store_errors(self.engine.url, "write"), self._writer.begin() as connection:
            yield connection

    def begin(self, plan_key: str, name: str, works: Sequence[tuple[int, BenchWork]]) -> Run:
        """The run of a plan that has not ended yet, as it was begun, or a new one of the works.

        Raises:
            StoreError: the store cannot be written.
        """
        with store_errors(self.engine.url, "write"):
            for attempt in range(3):
                try:
                    return self._begin(plan_key, name, works)
                except IntegrityError:
                    # Another head began it just now.
                    if attempt == 2:
                        raise
        raise AssertionError("the last attempt returns or raises")

    def _begin(self, plan_key: str, name: str, works: Sequence[tuple[int, BenchWork]]) -> Run:
        with self._writer.begin() as connection:
            query = (
                sa.select(RUNS.c.run_id, RUNS.c.number, RUNS.c.ended_us)
                .where(RUNS.c.plan_key == plan_key)
                .order_by(RUNS.c.number.desc())
                .limit(1)
            )
            found = read_rows(_BegunRun, connection.execute(query).mappings().all(), RUNS)
            if found and found[0].ended_us is None:
                (begun,) = found
                count = sa.select(sa.func.count()).select_from(JOBS).where(JOBS.c.run_id == begun.run_id)
                return Run(begun.run_id, name, begun.number, connection.execute(count).scalar_one(), resumed=True)
            number = found[0].number + 1 if found else 1
            # Of another run of the same plan, jobs and records are others.
            run_id = f"{plan_key[:56]}{number:08x}"
            jobs = make_jobs(run_id, works)
            connection.execute(
                RUNS.insert().values(
                    run_id=run_id, plan_key=plan_key, number=number, name=name, begun_us=now_us(connection)
                )
            )
            for some in batched(jobs):
                connection.execute(JOBS.insert(), [_row(run_id, job) for job in some])
            return Run(run_id, name, number, len(jobs))

    def waiting(self, run_id: str) -> list[Job]:
        """The jobs of a run that nobody has claimed, in the order of the plan.

        Raises:
            FleetAnswerError: one is damaged.
            StoreError: the store cannot be read.
        """
        query = (
            sa.select(JOBS.c.job_id, JOBS.c.sequence, JOBS.c.priority, JOBS.c.attempts, JOBS.c.work)
            .where(JOBS.c.run_id == run_id, JOBS.c.state == JobState.WAITING)
            .order_by(JOBS.c.sequence)
        )
        with self.reading() as connection:
            rows = read_rows(_WaitingJob, connection.execute(query).mappings().all(), JOBS)
        return [
            Job(
                row.job_id,
                row.sequence,
                row.priority,
                documents.parse(BenchWork, row.work, source=f"job {row.job_id}", error=FleetAnswerError),
                row.attempts,
            )
            for row in rows
        ]

    def claim(self, head_id: str, claims: Sequence[tuple[str, str]]) -> set[str]:
        """Claims jobs for a head, each for a device; the ids of those that are its own now.

        Raises:
            StoreError: the store cannot be written.
        """
        mine: set[str] = set()
        with self.writing() as connection:
            for some in batched(claims):
                at = now_us(connection)
                change = (
                    JOBS.update()
                    .where(JOBS.c.job_id == sa.bindparam("job"), JOBS.c.state == JobState.WAITING)
                    .values(
                        state=JobState.RUNNING,
                        head_id=head_id,
                        device_key=sa.bindparam("device"),
                        begun_us=at,
                        ended_us=None,
                        reason=None,
                    )
                )
                connection.execute(change, [{"job": job_id, "device": device} for job_id, device in some])
                held = sa.select(JOBS.c.job_id).where(
                    JOBS.c.job_id.in_([job_id for job_id, _ in some]),
                    JOBS.c.state == JobState.RUNNING,
                    JOBS.c.head_id == head_id,
                )
                mine.update(connection.execute(held).scalars())
        return mine

    def release(self, head_id: str, released: Iterable[tuple[str, str, bool]]) -> None:
        """Puts a head's jobs back among those that wait: ids, why, and whether that counts as an attempt.

        Raises:
            StoreError: the store cannot be written.
        """
        change = (
            JOBS.update()
            .where(JOBS.c.job_id == sa.bindparam("job"), JOBS.c.state == JobState.RUNNING, JOBS.c.head_id == head_id)
            .values(
                state=JobState.WAITING,
                head_id=None,
                device_key=None,
                begun_us=None,
                attempts=JOBS.c.attempts + sa.bindparam("more"),
                reason=sa.bindparam("why"),
            )
        )
        rows = [{"job": job_id, "why": storable(reason), "more": int(counts)} for job_id, reason, counts in released]
        if rows:
            with self.writing() as connection:
                connection.execute(change, rows)

    def finish(self, endings: Iterable[Ending]) -> None:
        """Ends jobs, whoever has them: what has a record is done, even where its head was thought lost.

        Raises:
            StoreError: the store cannot be written.
        """
        rows = [
            {
                "job": each.job_id,
                "how": each.state,
                "device": each.device_key,
                "why": None if each.reason is None else storable(each.reason),
            }
            for each in endings
        ]
        if not rows:
            return
        with self.writing() as connection:
            change = (
                JOBS.update()
                .where(JOBS.c.job_id == sa.bindparam("job"), JOBS.c.state != JobState.DONE)
                .values(
                    state=sa.bindparam("how"),
                    device_key=sa.bindparam("device"),
                    reason=sa.bindparam("why"),
                    ended_us=now_us(connection),
                    head_id=None,
                )
            )
            connection.execute(change, rows)

    def end_run(self, run_id: str) -> None:
        """Ends a run none of whose jobs waits or runs. Raises `StoreError`."""
        with self.writing() as connection:
            open_jobs = sa.select(JOBS.c.job_id).where(
                JOBS.c.run_id == run_id, JOBS.c.state.in_((JobState.WAITING, JobState.RUNNING))
            )
            connection.execute(
                RUNS.update()
                .where(RUNS.c.run_id == run_id, RUNS.c.ended_us.is_(None), ~open_jobs.exists())
                .values(ended_us=now_us(connection))
            )

    def counts(self, run_id: str) -> dict[JobState, int]:
        """How many jobs of a run are in each state. Raises `StoreError`."""
        query = (
            sa.select(JOBS.c.state, sa.func.count().label("jobs")).where(JOBS.c.run_id == run_id).group_by(JOBS.c.state)
        )
        with self.reading() as connection:
            rows = {row.state: row.jobs for row in connection.execute(query)}
        found = documents.from_values(
            dict[JobState, int], rows, source=f"the store's table {JOBS.name}", error=StoreError
        )
        return {state: found.get(state, 0) for state in JobState}

    def failures(self, run_id: str, most: int = 20) -> list[tuple[str, str]]:
        """Labels and reasons of failed jobs. Raises `StoreError`."""
        query = (
            sa.select(JOBS.c.label, JOBS.c.reason)
            .where(JOBS.c.run_id == run_id, JOBS.c.state == JobState.FAILED)
            .order_by(JOBS.c.sequence)
            .limit(most)
        )
        with self.reading() as connection:
            return [(label, reason or "") for label, reason in connection.execute(query)]

    def running(self, run_id: str) -> list[str]:
        """The ids of jobs that some head has claimed. Raises `StoreError`."""
        query = sa.select(JOBS.c.job_id).where(JOBS.c.run_id == run_id, JOBS.c.state == JobState.RUNNING)
        with self.reading() as connection:
            return list(connection.execute(query).scalars())

    def beat(self, head_id: str, machine: str, words: str) -> None:
        """Says that a head is there. Raises `StoreError`."""
        with self.writing() as connection:
            seen = now_us(connection)
            known = connection.execute(HEADS.update().where(HEADS.c.head_id == head_id).values(seen_us=seen)).rowcount
            if not known:
                connection.execute(HEADS.insert().values(head_id=head_id, machine=machine, words=words, seen_us=seen))

    def heads(self) -> list[tuple[BookedHead, float]]:
        """Heads, and the seconds since each was heard of. Raises `StoreError`."""
        with self.reading() as connection:
            at = now_us(connection)
            rows = connection.execute(sa.select(HEADS)).mappings().all()
        return [(each, (at - each.seen_us) / 1e6) for each in read_rows(BookedHead, rows, HEADS)]

    def bury(self, head_ids: Iterable[str], reason: str) -> int:
        """Takes heads out that have ended; their jobs wait again. How many these are.

        A job that its dead head had stored a record of is ended by the next head, which finds the record there.

        Raises:
            StoreError: the store cannot be written.
        """
        found = 0
        with self.writing() as connection:
            for head_id in head_ids:
                found += connection.execute(
                    JOBS.update()
                    .where(JOBS.c.head_id == head_id, JOBS.c.state == JobState.RUNNING)
                    .values(state=JobState.WAITING, head_id=None, device_key=None, begun_us=None, reason=reason)
                ).rowcount
                connection.execute(HEADS.delete().where(HEADS.c.head_id == head_id))
        return found


@contextmanager
def open_ledger(location: str, *, create: bool = True) -> Iterator[Ledger]:
    """The fleet's tables of a store; `create` makes them where there are none.

    Raises:
        StoreError: they cannot be opened, there are none, or a newer version of PocketCLIP made them.
    """
    # The store of records first: it makes the file, and sets how its journal is written.
    with open_store(location, create=create):
        pass
    url = parse_location(location)
    engine = make_engine(url)
    try:
        with store_errors(url, "open"):
            if create:
                with writer(engine).begin() as connection:
                    make_tables(connection)
            else:
                with engine.connect() as connection:
                    if read_version(connection) is None:
                        raise StoreError(
                            "no fleet has worked with this store yet", fix="measure a plan with `bench --fleet` first"
                        )
        yield Ledger(engine)
    finally:
        engine.dispose()


def storable(reason: str) -> str:
    """A reason as every database keeps it, and every page may show it: hosts and devices may say anything."""
    return printable_line(reason)[:_LONGEST_REASON]


def _row(run_id: str, job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "run_id": run_id,
        "sequence": job.sequence,
        "priority": job.priority,
        "target": job.target,
        "label": job.work.label[:200],
        "work": json.dumps(documents.to_builtin(job.work)),
        "state": JobState.WAITING,
        "attempts": 0,
    }
