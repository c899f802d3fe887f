"""What `train` shows off a terminal, and its summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.models import documents
from pocketclip.models.commands.train_display import duration, training_display
from pocketclip.models.training.checkpoints import BEST_FILE, FOLDER, BestStep
from pocketclip.models.training.run_log import StepReport


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _report(step: int, **values: object) -> StepReport:
    return StepReport(step, 2.0 / step, 1e-3, 640.0, **values)  # type: ignore[arg-type]


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with training_display(100, every_seconds=30, now=clock) as display:
        for step in range(1, 101):
            clock.seconds = 2.0 * step
            display(_report(step, validation={"recall_at_1": 0.25} if step == 50 else {}))
    lines = capsys.readouterr().err.splitlines()
    assert [int(line.split()[1]) for line in lines] == [1, 16, 31, 46, 50, 65, 80, 95, 100]
    assert lines[0] == "step 1 of 100: loss 2.000, 640 samples/s, learning rate 1.00e-03"
    assert lines[1].endswith(", 2 min 48 s left")
    assert ", recall at 1 0.2500, 1 min 40 s left" in lines[4]
    assert lines[-1] == "step 100 of 100: loss 0.020, 640 samples/s, learning rate 1.00e-03"


def test_summary_names_the_best_and_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Of an earlier sitting: this one went on from step 4.
    documents.write(BestStep(2, "recall_at_1", 0.75), Path("runs/mine", FOLDER, BEST_FILE))
    clock = Clock()
    with training_display(7, visible=False, now=clock) as display:
        for step, score in ((5, 0.5), (6, 0.7), (7, 0.6)):
            clock.seconds += 41
            display(_report(step, validation={"recall_at_1": score}, skipped=2))
    assert display.summary(Path("runs/mine"), Path("runs/mine/weights.safetensors")).splitlines() == [
        "trained 7 of 7 steps in 2 min 3 s: loss 0.286, 640 samples/s",
        "best recall at 1: 0.7500 at step 2",
        "wrote runs/mine/weights.safetensors",
        "next: pocketclip eval --model runs/mine",
        "      pocketclip export --model runs/mine --target onnx",
    ]


def test_nothing_is_shown_by_processes_that_do_not_lead(capsys: pytest.CaptureFixture[str]) -> None:
    with training_display(1, visible=False) as display:
        display(_report(1))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (725, "12 min 5 s"), (7260, "2 h 1 min")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_bar_begins_with_the_first_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run prints before, the table of inherited weights, stands on lines of its own."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with training_display(2) as display:
        assert capsys.readouterr().err == ""
        display(_report(1))
        display(_report(2))
    assert "loss 1.000" in capsys.readouterr().err
