"""Runs export jobs in worker processes, within a bound on their memory.

Converters are noisy, hungry and may crash: a process that dies costs its own job alone, and that only when it dies
again without neighbours.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing import connection
from pathlib import Path

from pocketclip.export.errors import MemoryLimitError, WorkerDiedError
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs import memory
from pocketclip.export.jobs.worker_process import Worker, converters
from pocketclip.models.errors import PocketClipError

# Between two looks at how much memory the workers use.
_INTERVAL_S = 0.2

Outcome = tuple[ExportJob, ExportResult | PocketClipError]
Need = Callable[[ExportJob], int]


def run_jobs(
    jobs: Sequence[ExportJob],
    *,
    workers: int,
    log: Path,
    limit: int | None = None,
    need: Need | None = None,
    on_retry: Callable[[str], object] = lambda message: None,
) -> Iterator[Outcome]:
    """Yields each job with its result or error as it ends; what the converters print goes to `log`.

    A job starts when what the running ones need and what it needs itself are within the limit together. A job whose
    process dies, or that has to be ended because memory runs out, runs again with no other beside it; if that fails
    too, its error says so. Closing the iterator, or Ctrl-C, ends the workers.

    Args:
        jobs: what to export.
        workers: most processes at a time.
        log: file for the converters' output.
        limit: bytes that all workers may use together; None sets no bound.
        need: what a job is expected to use at its peak, in bytes; None expects nothing.
        on_retry: told in words when a job has to run again.
    """
    pool = _Pool(jobs, workers, log, limit, need or (lambda job: 0), on_retry)
    try:
        while pool.unfinished:
            yield from pool.step()
    finally:
        pool.close()


class _Pool:
    """The workers, the jobs that wait, and those that must run alone because they failed beside others."""

    def __init__(
        self,
        jobs: Sequence[ExportJob],
        workers: int,
        log: Path,
        limit: int | None,
        need: Need,
        on_retry: Callable[[str], object],
    ) -> None:
        self._waiting = deque(jobs)
        self._alone: deque[ExportJob] = deque()
        self._retried: set[ExportJob] = set()
        self._most = workers
        self._log = log
        self._limit = limit
        self._need = need
        self._on_retry = on_retry
        self._workers: list[Worker] = []

    @property
    def unfinished(self) -> bool:
        return bool(self._waiting or self._alone or self._busy())

    def step(self) -> Iterator[Outcome]:
        """Starts what may start, waits a moment, and yields what has ended."""
        yield from self._start()
        busy = self._busy()
        ready = connection.wait([worker.connection for worker in busy], _INTERVAL_S)
        for worker in busy:
            if worker.connection in ready:
                yield from self._finish(worker)
        yield from self._hold_limit()

    def close(self) -> None:
        # All at once: each takes seconds to put its converters away.
        for worker in self._workers:
            worker.ask_to_stop()
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _start(self) -> Iterator[Outcome]:
        while self._waiting and len(self._busy()) < self._most:
            job = self._suited()
            needed = self._need(job)
            if self._limit is not None and needed > self._limit:
                self._waiting.remove(job)
                yield (
                    job,
                    MemoryLimitError(
                        f"{job.label} needs about {memory.words(needed)}, the limit is {memory.words(self._limit)}; "
                        "raise it with --memory"
                    ),
                )
                continue
            if not self._fits(needed):
                return
            self._waiting.remove(job)
            self._worker().start(job)
        if self._alone and not self._waiting and not self._busy():
            self._worker().start(self._alone.popleft())

    def _suited(self) -> ExportJob:
        """The first job whose converter the next worker has imported, or else one that no other worker has.

        Each import takes seconds.
        """
        idle = self._idle()
        own = set[str]() if idle is None else idle.imported
        elsewhere = set[str]().union(*(worker.imported for worker in self._workers if worker is not idle))

        def imports(job: ExportJob) -> int:
            needed = converters(job)
            return 0 if needed <= own else 1 if not needed & elsewhere else 2

        return min(self._waiting, key=imports)

    def _idle(self) -> Worker | None:
        return next((worker for worker in self._workers if worker.job is None), None)

    def _fits(self, needed: int) -> bool:
        if self._limit is None:
            return True
        taken = sum(max(self._need(worker.job), worker.memory_bytes()) for worker in self._busy() if worker.job)
        if taken and taken + needed > self._limit:
            return False
        # An idle worker keeps its model and its converter; one that is in the way makes room.
        for worker in [worker for worker in self._workers if worker.job is None][1:]:
            if taken + needed + worker.memory_bytes() > self._limit:
                self._drop(worker)
        return True

    def _worker(self) -> Worker:
        idle = self._idle()
        if idle is not None and idle.process.is_alive():
            return idle
        if idle is not None:
            self._drop(idle)
        worker = Worker(self._log, threads=max(1, (os.cpu_count() or 1) // self._most))
        self._workers.append(worker)
        return worker

    def _drop(self, worker: Worker) -> None:
        worker.stop()
        self._workers.remove(worker)

    def _finish(self, worker: Worker) -> Iterator[Outcome]:
        job = worker.job
        assert job is not None
        answer = worker.answer()
        worker.job = None
        if answer is not None:
            yield job, replace(answer, peak_bytes=worker.peak_bytes) if isinstance(answer, ExportResult) else answer
            return
        cause = worker.cause_of_death()
        self._drop(worker)
        yield from self._again_or(
            job,
            f"the process {cause}",
            WorkerDiedError(
                f"the process that exported {job.label} {cause}, probably because memory ran out",
                fix=(f"see {self._log}, close other programs or use --jobs 1"),
            ),
        )

    def _hold_limit(self) -> Iterator[Outcome]:
        """Ends the job that uses most while all of them together use more than they may."""
        # Looked at without a limit too: a job's peak is part of what is reported of it.
        used = {worker: worker.memory_bytes() for worker in self._workers}
        if self._limit is None:
            return
        for worker in [worker for worker in self._workers if worker.job is None]:
            if sum(used.values()) > self._limit:
                self._drop(worker)
                del used[worker]
        busy = self._busy()
        if not busy or sum(used.values()) <= self._limit:
            return
        worker = max(busy, key=lambda each: used[each])
        job = worker.job
        assert job is not None
        self._drop(worker)
        reached = (
            f"was stopped at {memory.words(used[worker])}: the limit is {memory.words(self._limit)} for all workers"
        )
        error = MemoryLimitError(f"{job.label} {reached}; raise it with --memory, or close other programs")
        if len(busy) == 1:
            yield job, error
        else:
            yield from self._again_or(job, reached, error)

    def _again_or(self, job: ExportJob, what: str, error: PocketClipError) -> Iterator[Outcome]:
        if job in self._retried:
            yield job, error
            return
        self._retried.add(job)
        self._alone.append(job)
        self._on_retry(f"{job.label}: {what}; running it again by itself")
