"""Processes that draw and compose, with their results as they come."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from pocketclip.models.errors import WorkerEndedError
from pocketclip.models.processes import end_with_parent

Result = TypeVar("Result")
Task = TypeVar("Task")


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes end with this one; where the block ends early, what has not begun is dropped.

    Raises:
        WorkerEndedError: a process was ended, e.g. for lack of memory.
    """
    # A forked process would share locks of this one's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise WorkerEndedError(
                "a process that draws or composes was ended from outside, perhaps for lack of memory",
                fix="free some memory or use fewer --workers; the same command goes on where it stopped",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def results(running: Mapping[Future[Result], Task]) -> Iterator[tuple[Task, Result]]:
    """Tasks with their results, as they end; the first error of a task is raised."""
    for done in as_completed(running):
        yield running[done], done.result()


def _begin() -> None:
    # Ctrl-C reaches the whole process group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
