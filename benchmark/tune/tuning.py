"""Carries a study out: step by step until nothing is left to do, or the budget is spent."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from pocketclip.benchmark.devices.leases import lease
from pocketclip.benchmark.errors import DeviceBusyError, StudyError
from pocketclip.benchmark.store.location import parse_location, shown, sqlite_file
from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.proposing import propose
from pocketclip.benchmark.tune.queueing import TaskQueue
from pocketclip.benchmark.tune.steps import Begin, Close, Done, Share, Stage, Task, Work, next_step
from pocketclip.benchmark.tune.study_store import StudyStore
from pocketclip.benchmark.tune.trials import StageResult, Trial


class Watch(Protocol):
    """Is told how a study comes along."""

    def trials(self, trials: Sequence[Trial]) -> None:
        """All trials as they are now; before each step."""
        ...

    def begun(self, stage: Stage, tasks: Sequence[Task]) -> None:
        """Tasks of a stage that are to be carried out now."""
        ...

    def ended(self, task: Task, result: StageResult) -> None:
        """A task ended; its result is kept."""
        ...

    def closed(self, trial: Trial, words: str) -> None:
        """A trial ended, and how."""
        ...


class SilentWatch:
    """A watch that shows nothing."""

    def trials(self, trials: Sequence[Trial]) -> None:
        pass

    def begun(self, stage: Stage, tasks: Sequence[Task]) -> None:
        pass

    def ended(self, task: Task, result: StageResult) -> None:
        pass

    def closed(self, trial: Trial, words: str) -> None:
        pass


def carry_on(
    study: StudyStore,
    space: SearchSpace,
    queue: TaskQueue,
    *,
    most: int,
    budget_seconds: float | None = None,
    watch: Watch | None = None,
) -> list[Trial]:
    """Goes on with a study until it has `most` trials, the space has no more, or the budget of this call is spent.

    What was begun is finished whatever the budget: it is looked at before each round of new trials.

    Raises:
        PocketClipError: the study cannot go on for now; calling this again goes on where it stopped.
    """
    told = watch or SilentWatch()
    started = time.monotonic()

    @functools.cache
    def points_of(round: int) -> list[Point]:
        # The trials of earlier rounds have ended: what is chosen from them stays the same.
        return propose(space, study.settings, round, [each for each in study.trials(space) if each.round < round])

    while True:
        trials = study.trials(space)
        told.trials(trials)
        step = next_step(space, study.settings, trials, most, lambda round, _: points_of(round))
        match step:
            case Begin(round, points):
                if trials and budget_seconds is not None and time.monotonic() - started > budget_seconds:
                    return trials
                for place, point in points:
                    study.add(space, point, round, place)
            case Work(stage, tasks):
                told.begun(stage, tasks)
                for task, result in queue.run(stage, tasks):
                    told.ended(task, result)
            case Share(results):
                for number, result in results:
                    study.keep(number, result)
            case Close(closings):
                for trial, closing in closings:
                    study.close(trial, closing)
                    told.closed(trial, closing.words)
            case Done():
                return trials


@contextmanager
def held_study(location: str, name: str) -> Iterator[None]:
    """One process at a time carries a study on, on this computer.

    Raises:
        StudyError: another one does.
    """
    try:
        with lease(f"tune {_place(location)} {name}", name=f"the study {name!r}"):
            yield
    except DeviceBusyError as error:
        raise StudyError(error.what, fix="wait until it has ended, or give another --study") from error


def _place(location: str) -> str:
    """The store itself, however it is spelled."""
    url = parse_location(location)
    file = sqlite_file(url)
    return shown(url) if file is None else str(file.resolve())
