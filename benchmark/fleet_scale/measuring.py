"""One run of a head against simulated phones, and what it cost."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any

from pocketclip.benchmark.agent.memory import peak_bytes
from pocketclip.benchmark.errors import BenchmarkError
from pocketclip.benchmark.fleet.heads import Head
from pocketclip.benchmark.fleet.jobs import JobState
from pocketclip.benchmark.fleet.ledger import open_ledger
from pocketclip.benchmark.fleet.running import FleetRun
from pocketclip.benchmark.fleet.simulated import SimulatedClock, SimulatedCluster
from pocketclip.benchmark.fleet_scale.phones import Phones, phones, works
from pocketclip.benchmark.records.benchmark import new_record_id
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.store import open_store
from pocketclip.models.documents import document


@document
class ScaleFigures:
    """What a head took for a run.

    `simulated_seconds` is how long the run took on the phones' clock, on which the head's own time passes too; `ideal`
    is what only the phones would take. `head_seconds` are the head's own, without the simulation, `store_seconds` and
    `ledger_seconds` those of records' and jobs' transactions in it, waits for the disk included; `processor_seconds`
    are what of it this process computed. Memory is resident, before and at the peak.
    """

    phones: int
    jobs: int
    job_seconds: float
    database: str
    simulated_seconds: float
    ideal_seconds: float
    head_seconds: float
    processor_seconds: float
    store_seconds: float
    ledger_seconds: float
    begin_seconds: float
    before_bytes: int
    peak_bytes: int

    @property
    def head_ms_per_job(self) -> float:
        """What one job costs the head."""
        return 1e3 * self.head_seconds / self.jobs

    @property
    def processor_ms_per_job(self) -> float:
        """What one job costs the head's processor."""
        return 1e3 * self.processor_seconds / self.jobs

    @property
    def jobs_per_hour(self) -> float:
        """Throughput."""
        return 3600 * self.jobs / self.simulated_seconds


def measure_scale(count: int, jobs: int, job_seconds: float, store: str) -> ScaleFigures:
    """Carries out `jobs` jobs of `job_seconds` on `count` phones against an empty store.

    Raises:
        BenchmarkError: not every job has its one record.
        StoreError: the store cannot be written.
    """
    clock = SimulatedClock()
    cluster = SimulatedCluster(phones(count), Phones(job_seconds), clock)
    spent: defaultdict[str, float] = defaultdict(float)
    with open_store(store) as records, open_ledger(store) as ledger:
        started = time.perf_counter()
        run = ledger.begin("f" * 64, "scale", works(jobs, count))
        begin_seconds = time.perf_counter() - started
        _time(records, ("add", "present"), spent, "store")
        _time(ledger, ("claim", "finish", "release", "beat", "waiting", "counts", "heads"), spent, "ledger")
        before = _resident_bytes()
        head = Head(new_record_id(), "scale", "scale")
        fleet = FleetRun(run, head, cluster, ledger, records, lambda _: None, clock=clock, sleep=clock.skip)
        began, skipped = clock(), clock.skipped
        processor = time.process_time()
        ended = fleet.carry_on()
        took = clock() - began
        processor = time.process_time() - processor - clock.own_processor
        if ended.counts[JobState.DONE] != jobs or records.count() != jobs:
            raise BenchmarkError(
                f"of {jobs} jobs, {ended.counts[JobState.DONE]} are done with {records.count()} records"
            )
        database = ledger.engine.dialect.name
    return ScaleFigures(
        phones=count,
        jobs=jobs,
        job_seconds=job_seconds,
        database=database,
        simulated_seconds=took,
        ideal_seconds=-(-jobs // count) * job_seconds,
        head_seconds=took - (clock.skipped - skipped),
        processor_seconds=processor,
        store_seconds=spent["store"],
        ledger_seconds=spent["ledger"],
        begin_seconds=begin_seconds,
        before_bytes=before,
        peak_bytes=peak_bytes() or 0,
    )


def measure_in(store: str | None, count: int, jobs: int, job_seconds: float) -> ScaleFigures:
    """`measure_scale` against a store, or a fresh one of SQLite."""
    with scratch_folder("pocketclip-fleet-scale-") as folder:
        return measure_scale(count, jobs, job_seconds, store or str(folder / "scale.sqlite"))


def _time(owner: Any, names: tuple[str, ...], spent: defaultdict[str, float], what: str) -> None:
    """Adds up what an object's methods take."""

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*values: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*values)
            finally:
                spent[what] += time.perf_counter() - started

        return call

    for name in names:
        setattr(owner, name, timed(getattr(owner, name)))


def _resident_bytes() -> int:
    import psutil

    return psutil.Process().memory_info().rss
