"""Brings works to a farm and their records back: each is paid for once, whatever ends this process in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

from pocketclip.benchmark.devices.leases import lease
from pocketclip.benchmark.errors import (
    CostNotAcceptedError,
    FarmError,
    FarmNotFoundError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
)
from pocketclip.benchmark.farms.farm import Cost, Farm, JobState, JobStatus, Place, Submitted, WorkT
from pocketclip.benchmark.farms.ledger import Entry, Ledger
from pocketclip.benchmark.store.codec import Record

# Between two looks at a job, in seconds: it begins with the first and grows to the last.
_FIRST_LOOK_S, _LAST_LOOK_S, _GROWTH = 10.0, 120.0, 1.5
# Before something is tried again that a farm did not answer, in seconds.
_RETRIES_S = (2.0, 5.0, 15.0, 30.0, 60.0)

Answer = TypeVar("Answer")


@dataclass
class _Job(Generic[WorkT]):
    """A work on its way."""

    work: WorkT
    entry: Entry
    told: str = ""

    @property
    def submitted(self) -> Submitted:
        return Submitted(self.entry.token, self.entry.submitted_at, self.entry.job_id)


class FarmRun(Generic[WorkT]):
    """One bench on a farm."""

    def __init__(
        self,
        farm: Farm[WorkT],
        place: Place,
        *,
        ledger: Ledger,
        say: Callable[[str], object],
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """`say` is told in words how far jobs are; `sleep` waits, by default as
        `time.sleep`."""
        self._farm = farm
        self._place = place
        self._ledger = ledger
        self._say = say
        self._sleep = sleep or time.sleep
        self._error: FarmError | None = None

    def measure(
        self,
        works: Sequence[WorkT],
        *,
        accept: Callable[[Cost], bool],
        append: Callable[[Record], object],
        wait_seconds: float = 0.0,
    ) -> list[Record]:
        """The records of the works, each given to `append` as soon as its job has ended.

        A job that fails becomes records that say why. Jobs of an earlier bench of the same works are gone on with.

        Args:
            works: what to measure.
            accept: whether the user accepts a cost; asked before anything is submitted.
            append: keeps a record.
            wait_seconds: how long to wait for another process that brings the same work.

        Raises:
            CostNotAcceptedError: the user does not.
            DeviceBusyError: another process brings the same work.
            FarmError: the farm does not let us in, is at its limit, or does not answer. What is there already was
                waited for first; the same call goes on with what is left.
        """
        self._error = None
        records: list[Record] = []
        # The same work twice is one job.
        works = list({work.key: work for work in works}.values())
        with ExitStack() as held:
            for work in works:
                name = f"{work.label} at {self._place}"
                held.enter_context(lease(f"farm-{work.key}", name=name, wait_seconds=wait_seconds))
            self._ask(works, accept)
            waiting = self._bring(works, append, records)
            self._await(waiting, append, records)
        if self._error is not None:
            raise self._error
        return records

    def _ask(self, works: Sequence[WorkT], accept: Callable[[Cost], bool]) -> None:
        entries = {work.key: self._ledger.entry(work.key) for work in works}
        new = [work for work in works if (entry := entries[work.key]) is None or entry.job_id is None]
        if new and not accept(self._farm.cost(new)):
            raise CostNotAcceptedError("nothing was submitted", fix="answer yes, or give --yes in scripts")

    def _bring(
        self, works: Sequence[WorkT], append: Callable[[Record], object], records: list[Record]
    ) -> list[_Job[WorkT]]:
        """The jobs of the works; where the farm does not take one, those before it."""
        jobs: list[_Job[WorkT]] = []
        for work in works:
            entry = self._ledger.entry(work.key)
            known = entry is not None
            job = _Job(work, entry or self._ledger.begin(work.key, work.label))
            try:
                job.entry = self._at_farm(job, known)
            except FarmRefusedError as error:
                self._keep(job, self._farm.failed(work, job.submitted, f"{error.code}: {error}"), append, records)
                continue
            except FarmError as error:
                # Those that follow would meet the same; what is there already is paid for and waited for.
                self._error = error
                break
            jobs.append(job)
        return jobs

    def _at_farm(self, job: _Job[WorkT], known: bool) -> Entry:
        """The entry of a job that is at the farm for certain."""
        entry = job.entry
        if entry.job_id is not None:
            self._say(f"{job.work.label}: going on with job {entry.job_id} of {entry.submitted_at[:16]}")
            return entry
        job_id = self._found(entry) if known else None
        for pause in (*_RETRIES_S, None):
            if job_id is not None:
                break
            try:
                job_id = self._farm.submit(job.work, entry.token)
            except FarmUnavailableError as error:
                if pause is None:
                    raise
                self._say(f"{error.what}; trying again in {pause:g} s")
                self._sleep(pause)
                # It may have arrived all the same.
                job_id = self._found(entry)
            except FarmRefusedError:
                # A client may fail after the farm took the job.
                job_id = self._found(entry)
                if job_id is None:
                    raise
        assert job_id is not None  # the last try raises
        self._say(f"{job.work.label}: job {job_id} at {self._place}")
        return self._ledger.arrived(entry, job_id)

    def _found(self, entry: Entry) -> str | None:
        """The job that arrived under an entry's token."""
        try:
            return self._patiently(lambda: self._farm.find(entry.token))
        except FarmRefusedError as error:
            # Of the question, not of the work: whether a job is there stays open.
            raise FarmError(f"{self._place} does not tell whether a job is there: {error.what}") from error

    def _await(self, waiting: list[_Job[WorkT]], append: Callable[[Record], object], records: list[Record]) -> None:
        pause = _FIRST_LOOK_S
        while waiting:
            for job in list(waiting):
                try:
                    ended = self._look(job, append, records)
                except FarmError as error:
                    # Its entry stays: the same command fetches it once the farm gives it.
                    self._error = self._error or error
                    ended = True
                if ended:
                    waiting.remove(job)
            if waiting:
                self._sleep(pause)
                pause = min(pause * _GROWTH, _LAST_LOOK_S)

    def _look(self, job: _Job[WorkT], append: Callable[[Record], object], records: list[Record]) -> bool:
        """Whether nothing more is to be waited for."""
        job_id = job.entry.job_id
        assert job_id is not None  # a job that is at the farm
        try:
            status = self._patiently(lambda: self._farm.status(job_id))
        except FarmNotFoundError as error:
            status = JobStatus(JobState.FAILED, f"{self._place} no longer knows the job: {error.what}")
        if status.words != job.told:
            job.told = status.words
            self._say(f"{job.work.label}: {status.words}")
        if status.state is JobState.FAILED:
            reason = f"farm-run-failed: {status.words}"
            self._keep(job, self._farm.failed(job.work, job.submitted, reason), append, records)
            return True
        if status.state is not JobState.ENDED:
            return False
        self._keep(job, self._patiently(lambda: self._farm.results(job.work, job.submitted)), append, records)
        return True

    def _keep(
        self,
        job: _Job[WorkT],
        found: Sequence[Record],
        append: Callable[[Record], object],
        records: list[Record],
    ) -> None:
        for record in found:
            append(record)
            records.append(record)
        # Last: whoever is killed before gets the same records, with the same ids, again.
        self._ledger.done(job.entry)

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """An answer, also of a farm that is away for a while, or whose download breaks off."""
        for pause in _RETRIES_S:
            try:
                return ask()
            except (FarmUnavailableError, FarmResultError) as error:
                self._say(f"{error.what}; trying again in {pause:g} s")
                self._sleep(pause)
        return ask()
