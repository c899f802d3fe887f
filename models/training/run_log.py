"""The log of a run: a line of JSON for every step, and TensorBoard's event files where it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.errors import CheckpointError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG_FILE = "log.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


@document
class StepReport:
    """What a step did: its number from 1, the loss and its terms, learning rate, samples per second so far.

    `skipped` counts the corrupt samples passed over since the run began: this process's, and at a checkpoint those of
    all. `validation` is the score of this step, where it was validated.
    """

    step: int
    loss: float
    learning_rate: float
    samples_per_second: float
    terms: dict[str, float] = field(default_factory=dict)
    skipped: int = 0
    validation: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunLog:
    """Where the reports of a run go."""

    lines: TextIO
    writer: SummaryWriter | None

    def write(self, report: StepReport) -> None:
        """Appends a report; its line is with the system when this returns, so that a killed process loses none.

        Raises:
            StorageError: the disk is full.
        """
        path = Path(self.lines.name)
        with atomic.storage_errors(path):
            self.lines.write(json.dumps(vars(report)) + "\n")
            self.lines.flush()
        if self.writer is None:
            return
        scalars = {
            "loss/total": report.loss,
            "learning_rate": report.learning_rate,
            "samples_per_second": report.samples_per_second,
            **{f"loss/{name}": value for name, value in report.terms.items()},
            **{f"validation/{name}": value for name, value in report.validation.items()},
        }
        with atomic.storage_errors(path.with_name(TENSORBOARD_FOLDER)):
            for name, value in scalars.items():
                self.writer.add_scalar(name, value, report.step)


@contextmanager
def open_log(folder: Path, first: int) -> Iterator[RunLog]:
    """Opens the log of a run that goes on after `first` steps; what was logged beyond them is done again.

    Raises:
        CheckpointError: a line that is there holds no step's report.
        StorageError: the folder cannot be written.
    """
    path = folder / LOG_FILE
    kept = [line for number, line in enumerate(_lines(path), 1) if _read(line, path, number).step <= first]
    atomic.write_text(path, "".join(kept))
    with atomic.storage_errors(path):
        lines = path.open("a")
    writer = None
    try:
        writer = _tensorboard(folder / TENSORBOARD_FOLDER, first)
        yield RunLog(lines, writer)
    finally:
        # Closing the lines writes only what `write` could not, and that was told; TensorBoard's events are a copy.
        for each in (lines, writer):
            if each is not None:
                with suppress(OSError):
                    each.close()


def last_report(folder: Path) -> StepReport:
    """What the last step of a run logged.

    Raises:
        CheckpointError: the log is missing or holds no step, or its last line is no report.
    """
    path = folder / LOG_FILE
    lines = _lines(path)
    if not lines:
        raise CheckpointError(f"{path} holds no step")
    return _read(lines[-1], path, len(lines))


def _read(line: str, path: Path, number: int) -> StepReport:
    try:
        return documents.parse(StepReport, line, source=f"{path}, line {number}", error=CheckpointError)
    except CheckpointError as caught:
        fix = "move the log to another folder: the run goes on, and only what was logged until now is missing"
        raise CheckpointError(str(caught), fix=fix) from caught


def _lines(path: Path) -> list[str]:
    """The whole lines of the log; a line that a killed run left half-written is dropped."""
    if not path.is_file():
        return []
    # What is no UTF-8 is no JSON of ours either: its line is named when it is read.
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _tensorboard(folder: Path, first: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    with atomic.storage_errors(folder):
        return SummaryWriter(str(folder), purge_step=first + 1 if first else None)
