"""Which job goes to which device: queues by what jobs wait for, and the devices that are free. No input, no output."""

from __future__ import annotations

import heapq
from collections import defaultdict

from pocketclip.benchmark.fleet.cluster import FleetDevice
from pocketclip.benchmark.fleet.jobs import Job

_Entry = tuple[int, int, str]


class Board:
    """Waiting jobs and free devices.

    A pairing costs the logarithm of a queue's length, whatever the number of devices: targets without jobs and devices
    that are busy are not looked at.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        # What waits for a unit or a name.
        self._queues: dict[str, list[_Entry]] = {}
        # In the order in which they became free, so that all take turns.
        self._free: dict[str, FleetDevice] = {}
        self._free_by_name: defaultdict[str, dict[str, None]] = defaultdict(dict)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def jobs(self) -> list[Job]:
        """The jobs that wait."""
        return list(self._jobs.values())

    def add(self, job: Job) -> None:
        """A job that waits; one that is there already stays as it is."""
        if job.job_id not in self._jobs:
            self._jobs[job.job_id] = job
            heapq.heappush(self._queues.setdefault(job.target, []), _entry(job))

    def offer(self, device: FleetDevice) -> None:
        """A device that is free."""
        self._free[device.key] = device
        self._free_by_name[device.name][device.key] = None

    def withdraw(self, key: str) -> None:
        """A device that is no longer free."""
        device = self._free.pop(key, None)
        if device is not None:
            self._free_by_name[device.name].pop(key, None)

    def pair(self) -> list[tuple[Job, FleetDevice]]:
        """Takes as many jobs as have a free device, each with its device, off the board.

        Jobs of higher priority come first, then those that stand earlier in the plan. A unit that jobs are bound to
        takes the first of those and of the ones that any unit may do.
        """
        found: list[tuple[Job, FleetDevice]] = []
        for target in list(self._queues):
            # A name's units in turn; a unit's key is the target of jobs that are bound to it.
            while (key := self._next_free(target)) is not None:
                job = self._take_for(self._free[key])
                if job is None:
                    break
                found.append((job, self._free[key]))
                self.withdraw(key)
            if not self._queues.get(target):
                self._queues.pop(target, None)
        return found

    def _next_free(self, target: str) -> str | None:
        if target in self._free:
            return target
        return next(iter(self._free_by_name.get(target, ())), None)

    def _take_for(self, device: FleetDevice) -> Job | None:
        heads = [queue[0] for target in (device.key, device.name) if (queue := self._queues.get(target))]
        if not heads:
            return None
        job = self._jobs.pop(min(heads)[2])
        heapq.heappop(self._queues[job.target])
        return job


def _entry(job: Job) -> _Entry:
    return -job.priority, job.sequence, job.job_id
