"""How `tune` shows what goes on: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pocketclip.benchmark.commands.tune_table import front_table, rejected_lines
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

    from pocketclip.benchmark.tune.points import SearchSpace
    from pocketclip.benchmark.tune.settings import StudySettings
    from pocketclip.benchmark.tune.steps import Stage, Task
    from pocketclip.benchmark.tune.trials import StageResult, Trial

_VERBS = {"measure": "measuring", "train": "training", "judge": "judging"}


class TuneWatch:
    """A `benchmark.tune.tuning.Watch`. Use `tune_watch`."""

    def __init__(self, space: SearchSpace, settings: StudySettings, most: int, live: Live | None) -> None:
        self._space, self._settings, self._most = space, settings, most
        self._live = live
        self._trials: Sequence[Trial] = ()
        self._running: dict[int, str] = {}
        self._started = time.monotonic()

    def trials(self, trials: Sequence[Trial]) -> None:
        self._trials = trials
        self._show()

    def begun(self, stage: Stage, tasks: Sequence[Task]) -> None:
        from pocketclip.benchmark.tune.wording import point_words

        verb = _VERBS[stage]
        self._running = {task.number: f"{verb} {point_words(self._space, task.point)}" for task in tasks}
        if self._live is None:
            command_line.note(f"{verb} {len(tasks)} {'trial' if len(tasks) == 1 else 'trials'}")
        self._show()

    def ended(self, task: Task, result: StageResult) -> None:
        self._running.pop(task.number, None)
        if self._live is None:
            command_line.note(f"trial {task.number}: {result_words(result, self._settings)}")
        self._show()

    def closed(self, trial: Trial, words: str) -> None:
        if self._live is None:
            command_line.note(f"trial {trial.number} ended: {words}")

    def _show(self) -> None:
        if self._live is not None:
            self._live.update(self._view(), refresh=True)

    def _view(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        from pocketclip.models.untrusted.printable import printable_line

        ended = sum(not trial.open for trial in self._trials)
        minutes = (time.monotonic() - self._started) / 60
        head = (
            f"{ended} of at most {self._most} trials have ended ({', '.join(rejected_lines(self._trials)) or 'none'})"
        )
        lines = [Text(f"{head}; {minutes:.0f} min of this call", "bold")]
        lines += [Text(printable_line(f"trial {number}: {words}")) for number, words in self._running.items()]
        return Group(*lines, front_table(self._space, self._settings, self._trials))


@contextmanager
def tune_watch(space: SearchSpace, settings: StudySettings, most: int) -> Iterator[TuneWatch]:
    """Shows a study while the block runs: live where stderr is a terminal, else a line for each event."""
    if not sys.stderr.isatty():
        yield TuneWatch(space, settings, most, None)
        return
    from rich.live import Live

    with Live(console=command_line.error_console(), auto_refresh=False, transient=True) as live:
        yield TuneWatch(space, settings, most, live)


def result_words(result: StageResult, settings: StudySettings) -> str:
    """A stage's result in one line."""
    from pocketclip.benchmark.tune.limits import Limit, shown
    from pocketclip.benchmark.tune.trials import Judged, Measured, Trained

    match result:
        case Measured():
            return f"{settings.cost} {shown(settings.cost.limit, result.cost)}, {shown(Limit.SIZE, result.size_bytes)}"
        case Trained():
            trained = f"after {result.steps} steps" if result.steps else "as shipped"
            return f"{100 * result.accuracy:.1f}% in PyTorch {trained}"
        case Judged():
            low, high = result.drop_low_points, result.drop_high_points
            interval = f"{low:+.2f} to {high:+.2f}"
            return f"{100 * result.accuracy:.1f}% exported, drop {result.drop_points:+.2f} points ({interval})"
        case _:
            return f"failed to {result.stage}: {result.reason}"
