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
        # What waits for a unit or a name; of entries whose job is gone, the heap still knows.
        self._queues: dict[str, list[_Entry]] = {}
        # In the order in which they became free, so that all take turns.
        self._free: dict[str, FleetDevice] = {}
        self._free_by_name: defaultdict[str, dict[str, None]] = defaultdict(dict)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    @property
    def free(self) -> int:
        """How many devices are free."""
        return len(self._free)

    def targets(self) -> set[str]:
        """The names and units that jobs wait for."""
        return {job.target for job in self._jobs.values()}

    def jobs(self) -> list[Job]:
        """The jobs that wait."""
        return list(self._jobs.values())

    def add(self, job: Job) -> None:
        """A job that waits; one that is there already stays as it is."""
        if job.job_id not in self._jobs:
            self._jobs[job.job_id] = job
            heapq.heappush(self._queues.setdefault(job.target, []), _entry(job))

    def remove(self, job_id: str) -> None:
        """A job that waits no longer."""
        self._jobs.pop(job_id, None)

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
        heads = [entry for target in (device.key, device.name) if (entry := self._head(target)) is not None]
        if not heads:
            return None
        job = self._jobs.pop(min(heads)[2])
        heapq.heappop(self._queues[job.target])
        return job

    def _head(self, target: str) -> _Entry | None:
        queue = self._queues.get(target, [])
        while queue and queue[0][2] not in self._jobs:
            heapq.heappop(queue)
        return queue[0] if queue else None


def _entry(job: Job) -> _Entry:
    return -job.priority, job.sequence, job.job_id
