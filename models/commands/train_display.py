"""What `train` shows: a bar on a terminal, elsewhere a line now and then, and a summary at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models.terminal import command_line
from pocketclip.models.untrusted.printable import printable_path

if TYPE_CHECKING:
    from pocketclip.models.training.run_log import StepReport

# Off a terminal: often enough to see that it lives, seldom enough for a log.
EVERY_SECONDS = 30.0


class TrainingDisplay:
    """Shows steps as they end; remembers the last one for the summary."""

    def __init__(self, steps: int, show: Callable[[StepReport], None], now: Callable[[], float]) -> None:
        self._steps, self._show, self._now = steps, show, now
        self._started = now()
        self.last: StepReport | None = None

    def __call__(self, report: StepReport) -> None:
        """Takes a finished step."""
        self.last = report
        self._show(report)

    def summary(self, folder: Path, weights: Path) -> str:
        """What the run came to, in earlier sittings too, and what to do with it."""
        from pocketclip.models.training.checkpoints import FOLDER, Checkpoints

        lines = []
        if self.last is not None:
            lines.append(
                f"trained {self.last.step} of {self._steps} steps in {duration(self._now() - self._started)}: "
                f"loss {self.last.loss:.3f}, {self.last.samples_per_second:.0f} samples/s"
            )
        best = Checkpoints(folder / FOLDER, 1).best()
        if best is not None:
            lines.append(f"best {best.metric.replace('_', ' ')}: {best.value:.4f} at step {best.step}")
        run = printable_path(folder)
        lines += [
            f"wrote {printable_path(weights)}",
            f"next: pocketclip eval --model {run}",
            f"      pocketclip export --model {run} --target onnx",
        ]
        return "\n".join(lines)


@contextmanager
def training_display(
    steps: int, *, visible: bool = True, every_seconds: float = EVERY_SECONDS, now: Callable[[], float] = time.monotonic
) -> Iterator[TrainingDisplay]:
    """A display of `steps` steps for the time of a run; nothing is shown where it is not `visible`."""
    if not visible:
        yield TrainingDisplay(steps, lambda report: None, now)
        return
    if not sys.stderr.isatty():
        yield TrainingDisplay(steps, _Lines(steps, every_seconds, now), now)
        return
    progress = command_line.progress()
    task = progress.add_task("training", total=steps)

    def update(report: StepReport) -> None:
        # Not before the first step: the table of inherited weights would break the bar.
        progress.start()
        progress.update(task, completed=report.step, description=described(report))

    try:
        yield TrainingDisplay(steps, update, now)
    finally:
        progress.stop()


class _Lines:
    """A line for the first step, the last one, each validation, and else one every so many seconds."""

    def __init__(self, steps: int, every_seconds: float, now: Callable[[], float]) -> None:
        self._steps, self._every, self._now = steps, every_seconds, now
        self._said: float | None = None
        # The first step and when it ended: how long the others take is told from there.
        self._first: tuple[int, float] | None = None

    def __call__(self, report: StepReport) -> None:
        moment = self._now()
        self._first = self._first or (report.step, moment)
        due = self._said is None or moment - self._said >= self._every
        if not (due or report.validation or report.step == self._steps):
            return
        self._said = moment
        scores = "".join(f", {name.replace('_', ' ')} {score:.4f}" for name, score in report.validation.items())
        step, began = self._first
        left = (self._steps - report.step) * (moment - began) / max(1, report.step - step)
        end = f", {duration(left)} left" if step < report.step < self._steps else ""
        command_line.note(
            f"step {report.step} of {self._steps}: {described(report)}, learning rate {report.learning_rate:.2e}"
            f"{scores}{end}"
        )


def described(report: StepReport) -> str:
    """A step in a few words."""
    skipped = f", {report.skipped} skipped" if report.skipped else ""
    return f"loss {report.loss:.3f}, {report.samples_per_second:.0f} samples/s{skipped}"


def duration(seconds: float) -> str:
    """Seconds as people say them, e.g. `12 min 5 s`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
