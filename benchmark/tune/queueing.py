"""Who carries out the tasks of a study: one small protocol, so that other machines can take them as processes do here.

A task says all that a worker needs beside the study's settings; its result goes to the study's store by the worker
itself, before the queue tells of it. A queue that ends early loses nothing but what was in the midst of being done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from pocketclip.benchmark.errors import AgentError, ContestantError, CountingError, MeasurementError, StudyError
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.trials import Failed, StageResult
from pocketclip.export.errors import ExportError, TargetUnavailableError
from pocketclip.models.atomic import storage_errors
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.processes import end_with_parent, worker_pool

# What makes a trial fail. Everything else, such as a device that is gone or a full disk, ends the study for now.
OF_A_TRIAL = (ExportError, MeasurementError, AgentError, CountingError, ContestantError, NonFiniteError)

_LOCK = ".lock"
_PATIENCE_S = 60.0


class Worker(Protocol):
    """What carries out one task; it can be sent to another process."""

    def carry_out(self, task: Task) -> StageResult:
        """The result of a stage of a trial. Called again for the same task, it goes on where it stopped.

        Raises:
            PocketClipError: `OF_A_TRIAL` ends the trial, others the study.
        """
        ...


Keep = Callable[[int, StageResult], object]
"""Keeps the result of a trial's stage for good; it can be sent to another process."""


class TaskQueue(Protocol):
    """Carries out tasks, wherever that is."""

    def run(self, stage: Stage, tasks: Sequence[Task]) -> Iterator[tuple[Task, StageResult]]:
        """Carries out tasks of one stage; yields each with its kept result, as they end.

        Raises:
            PocketClipError: the study cannot go on for now; results that were kept stay.
        """
        ...


@dataclass(frozen=True)
class InlineQueue:
    """One task after the other, in this process."""

    worker: Worker
    keep: Keep

    def run(self, stage: Stage, tasks: Sequence[Task]) -> Iterator[tuple[Task, StageResult]]:
        for task in tasks:
            yield task, carry_out(self.worker, self.keep, task)


@dataclass(frozen=True)
class ProcessQueue:
    """Processes on this computer. Tasks that measure go one by one, with nothing of ours beside them.

    Each process holds a lock in `folder`, which the system lets go of when it ends: after a call that was ended, the
    next one waits until no process of it is left that might still keep a result.
    """

    worker: Worker
    keep: Keep
    processes: int
    folder: Path

    def run(self, stage: Stage, tasks: Sequence[Task]) -> Iterator[tuple[Task, StageResult]]:
        from concurrent.futures import as_completed

        _await_earlier(self.folder)
        count = 1 if stage is Stage.MEASURE else min(self.processes, len(tasks))
        with worker_pool(
            count,
            ended="a process that worked on a trial was ended from outside, or crashed",
            fix="run the same command again: it goes on with what is missing",
            begin=partial(_begin, self.folder),
            # Converters and runtimes leave threads and memory behind.
            tasks_per_process=1,
        ) as pool:
            futures = {pool.submit(carry_out, self.worker, self.keep, task): task for task in tasks}
            for ended in as_completed(futures):
                yield futures[ended], ended.result()


def carry_out(worker: Worker, keep: Keep, task: Task) -> StageResult:
    """Carries out a task and keeps what comes of it; a fault of the trial alone is a result too."""
    started = time.monotonic()
    try:
        result = worker.carry_out(task)
    except TargetUnavailableError:
        raise
    except OF_A_TRIAL as error:
        result = Failed(str(task.stage), error.code, str(error)[:20_000], time.monotonic() - started)
    keep(task.number, result)
    return result


# Of this process, for as long as it lives.
_held: list[FileLock] = []


def _begin(folder: Path) -> None:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{os.getpid()}{_LOCK}")
        lock.acquire(timeout=_PATIENCE_S)
    _held.append(lock)
    end_with_parent()


def _await_earlier(folder: Path) -> None:
    """Waits for the processes of an earlier call, which end within a second of it.

    Raises:
        StudyError: one does not end.
    """
    for path in sorted(folder.glob(f"*{_LOCK}")):
        try:
            with FileLock(path).acquire(timeout=_PATIENCE_S):
                path.unlink(missing_ok=True)
        except Timeout:
            raise StudyError(
                f"process {path.stem} of an earlier call is still at work on this study",
                fix="end it, and run the same command again",
            ) from None
