"""Processes that draw and compose, with their results as they come."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager
from typing import TypeVar

from pocketclip.models.processes import end_with_parent, worker_pool

Result = TypeVar("Result")
Task = TypeVar("Task")


def drawing_pool(workers: int) -> AbstractContextManager[ProcessPoolExecutor]:
    """See `models.processes.worker_pool`."""
    return worker_pool(
        workers,
        begin=_begin,
        ended="a process that draws or composes was ended from outside, perhaps for lack of memory",
        fix="free some memory or use fewer --workers; the same command goes on where it stopped",
    )


def results(running: Mapping[Future[Result], Task]) -> Iterator[tuple[Task, Result]]:
    """Tasks with their results, as they end; the first error of a task is raised."""
    for done in as_completed(running):
        yield running[done], done.result()


def _begin() -> None:
    # Ctrl-C reaches the whole process group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
