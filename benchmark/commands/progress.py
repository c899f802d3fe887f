"""The progress of an evaluation: a bar with its rate, or a regular line if stderr is not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pocketclip.models.progress import Progress as Reached

_SECONDS_BETWEEN_LINES = 60.0


class EvaluationProgress:
    """A `benchmark.evaluation.evaluation.Watch` on stderr. Use `evaluation_progress`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._label = ""
        self._total: int | None = None
        self._done = 0
        self._started = self._told = time.monotonic()

    def begin(self, label: str, total: int | None) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._label, self._total, self._done = label, total, 0
        self._started = self._told = time.monotonic()
        self._task = self._progress.add_task(label, total=total)

    def advance(self, count: int) -> None:
        self._done += count
        if self._task is not None:
            self._progress.update(self._task, advance=count, description=f"{self._label}, {self.rate:.0f}/s")
        now = time.monotonic()
        if self._progress.disable and now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            of = "" if self._total is None else f" of {self._total:,}"
            command_line.note(f"{self._label}: {self._done:,}{of}, {self.rate:.0f}/s")

    def note(self, message: str) -> None:
        if self._progress.disable:
            command_line.note(message)
        else:
            self._progress.console.print(message, highlight=False, soft_wrap=True)

    def show(self, reached: Reached) -> None:
        """The same for a callback of the API."""
        if reached.task != self._label or reached.done < self._done or self._task is None:
            self.begin(reached.task, reached.total)
        if reached.done > self._done:
            self.advance(reached.done - self._done)

    @property
    def rate(self) -> float:
        """Samples, or prompts, a second since this part began."""
        return self._done / max(time.monotonic() - self._started, 1e-9)


@contextmanager
def evaluation_progress() -> Iterator[EvaluationProgress]:
    """Shows progress while the block runs."""
    sys.stderr.flush()
    with command_line.progress() as progress:
        yield EvaluationProgress(progress)
