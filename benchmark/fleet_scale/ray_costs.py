"""What Ray itself costs a head for a job, and a host for each job that it works on: measured on this computer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pocketclip.benchmark.fleet.ray_setup import local_ray

_TASKS, _PENDING, _WAITS = 300, 10_000, 5


@dataclass(frozen=True)
class RayCosts:
    """Processor time of the head for an answer and for one look at `pending` jobs, and the memory of a Ray process."""

    processor_ms_per_job: float
    look_ms: float
    pending: int
    worker_bytes: int


def measure_ray(answer_bytes: int) -> RayCosts:
    """Costs of jobs whose answers are of so many bytes.

    Raises:
        MissingPackageError: Ray is not installed.
        FleetUnreachableError: it does not start.
    """
    with local_ray() as ray:
        answering = ray.remote(_answer).options(num_cpus=0, max_retries=0)
        # The first one starts a process.
        ray.get(answering.remote(answer_bytes))
        began = time.process_time()
        references = [answering.remote(answer_bytes) for _ in range(_TASKS)]
        while references:
            ready, references = ray.wait(references, num_returns=1)
            ray.get(ready)
        each = (time.process_time() - began) / _TASKS
        sleeping = ray.remote(_sleep)
        pending = [sleeping.remote() for _ in range(_PENDING)]
        began = time.process_time()
        for _ in range(_WAITS):
            ray.wait(pending, num_returns=1, timeout=0)
        look = (time.process_time() - began) / _WAITS
        return RayCosts(1e3 * each, 1e3 * look, _PENDING, ray.get(answering.remote(-1)))


def _answer(size: int) -> str | int:
    if size >= 0:
        return "x" * size
    import psutil

    return psutil.Process().memory_info().rss


def _sleep() -> None:
    time.sleep(600)
