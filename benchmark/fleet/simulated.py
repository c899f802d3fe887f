"""A cluster of phones that are not there, on a clock of its own: what is scripted happens, and waiting takes no time.

The time that the head itself computes passes on this clock too, so that a head that is too slow keeps phones waiting.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pocketclip.benchmark.fleet.cluster import Event, Examined, FleetDevice, Lost
from pocketclip.benchmark.fleet.jobs import Job


class Script(Protocol):
    """What simulated phones do."""

    def job(self, job: Job, device: FleetDevice) -> tuple[float, Event]:
        """How long a job takes on a device, in seconds, and what comes of it."""
        ...

    def examination(self, device: FleetDevice) -> tuple[float, Examined]:
        """How long a doctor takes, in seconds, and what he finds."""
        ...


@dataclass
class SimulatedClock:
    """Real time, and what was skipped of waiting; without `real`, only the skipped time, the same in every run."""

    real: bool = True
    skipped: float = 0.0
    # What the simulation itself costs is none of the head's time, nor of its processor's.
    own_processor: float = 0.0
    _own: float = 0.0

    def __call__(self) -> float:
        return self.skipped + (time.perf_counter() - self._own if self.real else 0.0)

    def skip(self, seconds: float) -> None:
        """Lets time pass."""
        self.skipped += max(0.0, seconds)

    @contextmanager
    def disregarding(self) -> Iterator[None]:
        """Takes what the block takes off the clock: it is the simulation's own."""
        started, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self._own += time.perf_counter() - started
            self.own_processor += time.process_time() - processor


@dataclass
class SimulatedCluster:
    """Phones by a script. `hosts_end` are moments at which hosts end: their devices and jobs are lost then."""

    phones: Iterable[FleetDevice]
    script: Script
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    hosts_end: dict[str, float] = field(default_factory=dict[str, float])
    began: Callable[[Job, FleetDevice], object] = lambda job, device: None

    def __post_init__(self) -> None:
        self._phones = {phone.key: phone for phone in self.phones}
        self._events: list[tuple[float, int, str, Event]] = []
        self._count = 0

    def devices(self) -> Sequence[FleetDevice]:
        """The phones whose hosts have not ended."""
        now = self.clock()
        return [phone for phone in self._phones.values() if now < self.hosts_end.get(phone.host, float("inf"))]

    def change(self, phone: FleetDevice) -> None:
        """Makes a phone another, or adds one."""
        self._phones[phone.key] = phone

    def start(self, job: Job, device: FleetDevice) -> None:
        """Begins a job; it is lost where the phone's host ends before it does."""
        with self.clock.disregarding():
            self.began(job, device)
            seconds, event = self.script.job(job, device)
            self._later(device, seconds, event, Lost(job.job_id, device.key, f"its host {device.host} went away"))

    def examine(self, device: FleetDevice) -> None:
        """Begins a check."""
        seconds, event = self.script.examination(device)
        self._later(device, seconds, event, Examined(device.key, None))

    def wait(self, seconds: float) -> Sequence[Event]:
        """What happens next, skipping the time until then."""
        with self.clock.disregarding():
            now = self.clock()
            ends = now + seconds
            self.clock.skip((min(self._events[0][0], ends) if self._events else ends) - now)
            found: list[Event] = []
            while self._events and self._events[0][0] <= self.clock():
                found.append(heapq.heappop(self._events)[3])
        return found

    def close(self) -> None:
        """Nothing is held."""

    def _later(self, device: FleetDevice, seconds: float, event: Event, otherwise: Event) -> None:
        at = self.clock() + seconds
        ends = self.hosts_end.get(device.host, float("inf"))
        self._count += 1
        heapq.heappush(self._events, (min(at, ends), self._count, device.key, event if at < ends else otherwise))
