"""Carries a run out: jobs to free devices, answers into the store, devices that fail out of use and back again.

The store is the only memory that counts. What is stored first is the record, then the job's end; a head that is killed
in between leaves a job that waits and whose record is there already, and the next head ends it without measuring.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pocketclip.benchmark.errors import FleetAnswerError, FleetJobsError, StoreError
from pocketclip.benchmark.fleet import judging
from pocketclip.benchmark.fleet.board import Board
from pocketclip.benchmark.fleet.cluster import Answered, Cluster, Event, Examination, Examined, FleetDevice, Lost
from pocketclip.benchmark.fleet.device_book import DeviceBook, DrainedBy
from pocketclip.benchmark.fleet.estimate import Estimate
from pocketclip.benchmark.fleet.heads import Head
from pocketclip.benchmark.fleet.history import durations
from pocketclip.benchmark.fleet.jobs import Job, JobState
from pocketclip.benchmark.fleet.judging import Verdict
from pocketclip.benchmark.fleet.ledger import Ending, Ledger, Run
from pocketclip.benchmark.fleet.timing import Timing, worded_seconds
from pocketclip.benchmark.store import Store
from pocketclip.benchmark.store.codec import RecordText
from pocketclip.models import documents
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.printable import printable_line

# Records of a host whose clock is further off than this would count as made in the future, or as old.
MOST_CLOCK_SECONDS = 600.0

# With more devices at work than these, answers are gathered for a moment.
_MANY = 20

Outcome = TypeVar("Outcome")


@dataclass
class _Drained:
    by: DrainedBy
    reason: str
    pause: float
    look_at: float


@dataclass(frozen=True)
class Ended:
    """What became of a run: jobs by state, and why some failed."""

    counts: Mapping[JobState, int]
    failures: Sequence[tuple[str, str]]


@dataclass
class FleetRun:
    """One head's part of a run.

    `say` is told in words what goes on, `kept` of each record that was stored by this head, as soon as it is. `rescue`
    gets records that the store did not take.
    """

    run: Run
    head: Head
    cluster: Cluster
    ledger: Ledger
    store: Store
    say: Callable[[str], object]
    kept: Callable[[Sequence[RecordText]], object] = lambda texts: None
    rescue: Callable[[Sequence[RecordText]], object] = lambda texts: None
    timing: Timing = field(default_factory=Timing)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        self._board = Board()
        self._book = DeviceBook(self.ledger)
        self._devices: dict[str, FleetDevice] = {}
        self._drained: dict[str, _Drained] = {}
        # What each device does: a job with the time it began at; or it is looked at, or somebody else's for a while.
        self._busy: dict[str, tuple[Job, float]] = {}
        self._examining: set[str] = set()
        self._paused: dict[str, float] = {}
        self._estimate = Estimate()
        self._due: defaultdict[str, float] = defaultdict(lambda: -1e18)
        self._stuck_since: float | None = None

    def carry_on(self) -> Ended:
        """Goes on until every job of the run is done or failed, also those of other heads.

        Raises:
            FleetJobsError: jobs wait for devices of which none has been in use for a while; they stay in the store.
            FleetError: the cluster is gone.
            StoreError: the store was away for too long.
        """
        self._patiently(lambda: self.ledger.beat(self.head.head_id, self.head.machine, self.head.words))
        try:
            self._estimate = Estimate(self._patiently(lambda: durations(self.ledger, self.run.run_id)))
            self._load()
            while not self._over():
                self._step()
            self._patiently(lambda: self.ledger.end_run(self.run.run_id))
            counts = self._patiently(lambda: self.ledger.counts(self.run.run_id))
            return Ended(counts, self._patiently(lambda: self.ledger.failures(self.run.run_id)))
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Gives back what this head holds; where the store is away, its silence says the same after a while."""
        held = [(job.job_id, "its head was stopped", False) for job, _ in self._busy.values()]
        with contextlib.suppress(StoreError):
            self.ledger.release(self.head.head_id, held)
            self.ledger.bury([self.head.head_id], "its head was stopped")

    def _step(self) -> None:
        now = self.clock()
        if self._is_due("announce", now, self.timing.announce):
            self._look_around(now)
        if self._is_due("beat", now, self.timing.beat):
            self._beat(now)
        for key in [key for key, until in self._paused.items() if until <= now]:
            del self._paused[key]
            self._offer(key)
        self._call_doctors(now)
        self._start()
        if self._is_due("tell", now, self.timing.tell) and self._busy:
            self.say(self._progress())
        self._check_stuck(now)
        events = list(self.cluster.wait(self._pause(now)))
        if events and len(self._busy) > _MANY:
            # Those that end at nearly the same time share their transactions.
            self.sleep(self.timing.gather)
            events += self.cluster.wait(0.0)
        self._handle(events)

    def _over(self) -> bool:
        """Whether nothing of the run is left to do, here or with other heads."""
        if self._board.waiting or self._busy:
            return False
        counts = self._patiently(lambda: self.ledger.counts(self.run.run_id))
        if counts[JobState.WAITING]:
            # Of a head that has ended, or given back.
            self._load()
        return not counts[JobState.WAITING] and not counts[JobState.RUNNING]

    def _load(self) -> None:
        """Puts the jobs that wait on the board; those whose records are stored are done."""
        waiting = self._patiently(lambda: self.ledger.waiting(self.run.run_id))
        by_record = {job.record_id: job for job in waiting}
        stored = self._patiently(lambda: self.store.present(by_record))
        endings = [Ending(by_record[each].job_id, JobState.DONE, None) for each in stored]
        self._patiently(lambda: self.ledger.finish(endings))
        for job in waiting:
            if job.record_id not in stored:
                self._board.add(job)

    def _look_around(self, now: float) -> None:
        """Compares what is announced with what was."""
        announced = {device.key: device for device in self.cluster.devices()}
        for key in self._devices.keys() - announced.keys():
            self._board.withdraw(key)
        new = [device for key, device in announced.items() if key not in self._devices]
        self._devices = announced
        if new:
            self._patiently(lambda: self._book.seen(new))
            self._read_book(now)
        for key, device in announced.items():
            if device.obstacle is not None:
                self._drain(device, device.obstacle)
            elif abs(device.clock_ahead_seconds) > MOST_CLOCK_SECONDS:
                minutes = abs(device.clock_ahead_seconds) / 60
                where = "ahead" if device.clock_ahead_seconds > 0 else "behind"
                self._drain(device, f"the clock of {device.host} is {minutes:.0f} minutes {where}: set it")
            self._offer(key)

    def _beat(self, now: float) -> None:
        self._patiently(lambda: self.ledger.beat(self.head.head_id, self.head.machine, self.head.words))
        self._patiently(lambda: self._book.seen(self._devices.values()))
        silent = [
            each.head_id
            for each, seconds in self._patiently(self.ledger.heads)
            if seconds > self.timing.lost and each.head_id != self.head.head_id
        ]
        if silent and self._patiently(lambda: self.ledger.bury(silent, "its head was not heard of any more")):
            self._load()
        self._read_book(now)

    def _read_book(self, now: float) -> None:
        """Takes over what users and other heads drained and resumed."""
        for booked in self._patiently(self._book.devices):
            mine = self._drained.get(booked.key)
            if booked.drained is None and mine is not None:
                del self._drained[booked.key]
                self._offer(booked.key)
            elif booked.drained is not None and (mine is None or mine.by is not booked.drained):
                first = self.timing.doctor[0]
                self._drained[booked.key] = _Drained(booked.drained, booked.reason or "", first, now + first)
                self._board.withdraw(booked.key)

    def _offer(self, key: str) -> None:
        """Lets a device take jobs where nothing speaks against it."""
        device = self._devices.get(key)
        if device is None or key in self._drained or key in self._busy:
            return
        if key not in self._examining and key not in self._paused:
            self._board.offer(device)

    def _start(self) -> None:
        pairs = self._board.pair()
        if not pairs:
            return
        claims = [(job.job_id, device.key) for job, device in pairs]
        mine = self._patiently(lambda: self.ledger.claim(self.head.head_id, claims))
        for job, device in pairs:
            if job.job_id in mine:
                self._busy[device.key] = job, self.clock()
                self.cluster.start(job, device)
            else:
                # Another head's.
                self._board.offer(device)

    def _handle(self, events: Sequence[Event]) -> None:
        """Keeps what came of jobs, all of one look in one transaction each."""
        judged: list[tuple[Job, FleetDevice, Verdict]] = []
        for event in events:
            if isinstance(event, Examined):
                self._examined(event)
                continue
            held = self._busy.get(event.device_key)
            if held is None or held[0].job_id != event.job_id:
                continue
            job, began = self._busy.pop(event.device_key)
            device = self._devices.get(event.device_key) or FleetDevice(
                event.device_key, job.work.device, "a lost host"
            )
            verdict = self._judge(event, job, device)
            if verdict.record is not None:
                self._estimate.took(job.target, job.work.label, self.clock() - began)
            judged.append((job, device, verdict))
        if judged:
            self._keep(judged)

    def _judge(self, event: Answered | Lost, job: Job, device: FleetDevice) -> Verdict:
        if isinstance(event, Answered):
            return judging.judge(event, job, device)
        self.say(f"{device.name}/{device.key[:8]}: {printable_line(event.reason)}; its job goes to another device")
        if event.host_gone:
            self._devices.pop(device.key, None)
        return judging.lost(job, event.reason)

    def _keep(self, judged: Iterable[tuple[Job, FleetDevice, Verdict]]) -> None:
        judged = list(judged)
        texts = [verdict.record for _, _, verdict in judged if verdict.record is not None]
        if texts:
            try:
                # In conflict is what another host measured under the same id before: the first one stays.
                self._patiently(lambda: self.store.add(texts))
            except StoreError:
                self.rescue(texts)
                raise
            self.kept(texts)
        endings = [
            Ending(job.job_id, JobState.FAILED if verdict.record is None else JobState.DONE, device.key, verdict.reason)
            for job, device, verdict in judged
            if not verdict.again
        ]
        released = [(job.job_id, verdict.reason, verdict.counts) for job, _, verdict in judged if verdict.again]
        self._patiently(lambda: self.ledger.finish(endings))
        self._patiently(lambda: self.ledger.release(self.head.head_id, released))
        for job, device, verdict in judged:
            if verdict.again:
                self._board.add(replace(job, attempts=job.attempts + verdict.counts))
            elif verdict.record is None:
                self.say(f"failed: {job.work.label} on {device.name}: {printable_line(verdict.reason)}")
            if verdict.drain is not None:
                self._drain(device, verdict.drain)
            if verdict.pause:
                self._paused[device.key] = self.clock() + self.timing.busy
            self._offer(device.key)

    def _drain(self, device: FleetDevice, reason: str) -> None:
        self._board.withdraw(device.key)
        if device.key in self._drained:
            return
        first = self.timing.doctor[0]
        self._drained[device.key] = _Drained(DrainedBy.FLEET, reason, first, self.clock() + first)
        self.say(f"{device.name}/{device.key[:8]} is drained: {printable_line(reason)}")
        self._patiently(lambda: self._book.drain(device.key, reason, DrainedBy.FLEET))

    def _call_doctors(self, now: float) -> None:
        for key, drained in self._drained.items():
            if self._can_be_examined(key) and drained.look_at <= now:
                drained.pause = min(2 * drained.pause, self.timing.doctor[1])
                drained.look_at = now + drained.pause
                self._examining.add(key)
                self.cluster.examine(self._devices[key])

    def _can_be_examined(self, key: str) -> bool:
        idle = key in self._devices and key not in self._busy and key not in self._examining
        return idle and self._drained[key].by is DrainedBy.FLEET

    def _examined(self, event: Examined) -> None:
        self._examining.discard(event.device_key)
        device, drained = self._devices.get(event.device_key), self._drained.get(event.device_key)
        if event.text is None or device is None or drained is None:
            return
        try:
            found = documents.parse(Examination, event.text, source="a doctor's answer", error=FleetAnswerError)
        except FleetAnswerError as error:
            found = Examination(device.key, False, str(error))
        # What its host says of it at the same time counts too: a device that is not there cannot be well.
        well = found.healthy and found.key == device.key and device.obstacle is None
        if well and abs(device.clock_ahead_seconds) <= MOST_CLOCK_SECONDS:
            if self._patiently(lambda: self._book.resume(device.key, "the doctor found it well", also_users=False)):
                self.say(f"{device.name}/{device.key[:8]} is back")
            self._drained.pop(device.key, None)
            self._offer(device.key)
        else:
            self._patiently(lambda: self._book.examined(device.key, False, found.reason or drained.reason))

    def _check_stuck(self, now: float) -> None:
        """Ends where jobs wait for devices of which none is in use, for longer than `patience`."""
        if self._busy or not self._board.waiting:
            self._stuck_since = None
            return
        self._stuck_since = now if self._stuck_since is None else self._stuck_since
        if now - self._stuck_since < self.timing.patience:
            return
        targets = Counter(str(job.target) for job in self._board.jobs())
        ill = [
            f"{self._devices[key].name}/{key[:8]}: {drained.reason}"
            for key, drained in self._drained.items()
            if key in self._devices
        ]
        why = f"; drained: {choices(map(printable_line, ill))}" if ill else ""
        raise FleetJobsError(
            f"{self._board.waiting} jobs wait for devices of which none is in use: {choices(targets)}{why}",
            fix="plug them in or mend them; the same command goes on with what is missing",
        )

    def _progress(self) -> str:
        counts = self._patiently(lambda: self.ledger.counts(self.run.run_id))
        words = f"{counts[JobState.DONE]} of {self.run.jobs} jobs done, {len(self._busy)} devices at work"
        if self._drained:
            words += f", {len(self._drained)} drained"
        left = self.left_seconds()
        return words if left is None else f"{words}; about {worded_seconds(left)} left"

    def left_seconds(self) -> float | None:
        """About how long this head's jobs take; None where nobody can tell yet."""
        queues = Counter((job.target, job.work.label) for job in self._board.jobs())
        queues.update((job.target, job.work.label) for job, _ in self._busy.values())
        useful = [device for key, device in self._devices.items() if key not in self._drained]
        units = Counter(device.name for device in useful) + Counter(device.key for device in useful)
        return self._estimate.left_seconds(((*kind, count) for kind, count in queues.items()), units)

    def _pause(self, now: float) -> float:
        """Until something is due."""
        due = [self._due[what] for what in ("announce", "beat", "tell")] + list(self._paused.values())
        due += [each.look_at for key, each in self._drained.items() if self._can_be_examined(key)]
        return min(max(min(due) - now, 0.05), self.timing.announce)

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self._due[what]:
            return False
        self._due[what] = now + every
        return True

    def _patiently(self, action: Callable[[], Outcome]) -> Outcome:
        """What an action on the store gives, also where the database is away for a while."""
        ends, pause = self.clock() + self.timing.store, 0.2
        while True:
            try:
                return action()
            except StoreError as error:
                if self.clock() >= ends:
                    raise
                self.say(f"{error.what}; trying again in {pause:g} s")
                self.sleep(pause)
                pause = min(2 * pause, 15.0)
