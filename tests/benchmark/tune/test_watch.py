"""What `tune` shows while it runs: a view on a terminal, lines elsewhere; nothing in it steers a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from pocketclip.benchmark.commands.tune_watch import TuneWatch, result_words, tune_watch
from pocketclip.benchmark.tune.queueing import InlineQueue
from pocketclip.benchmark.tune.study_store import begin_study
from pocketclip.benchmark.tune.trials import Failed
from pocketclip.benchmark.tune.tuning import carry_on
from tests.benchmark.tune.cheap import CheapWorker, cheap_settings, cheap_space

pytest.importorskip("optuna", reason="Optuna is not installed")
SPACE = cheap_space()
SETTINGS = cheap_settings(SPACE)


def _study(tmp_path: Any, watch: TuneWatch) -> None:
    with begin_study(str(tmp_path / "s.sqlite"), "one", SETTINGS) as study:
        carry_on(study, SPACE, InlineQueue(CheapWorker(), study.keep), most=8, watch=watch)


def test_lines_tell_each_stage_and_ending(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with tune_watch(SPACE, SETTINGS, 8) as watch:
        _study(tmp_path, watch)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "measuring 4 trials"
    assert lines[1].startswith("trial 0: latency 1.") and "5 MB" in lines[1]
    assert any(line.startswith("judging ") for line in lines)
    assert sum(" ended: " in line for line in lines) == 8


def test_the_live_view_has_front_budget_and_current_trials(tmp_path: Any) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, height=40)
    with Live(console=console, auto_refresh=False) as live:
        watch = TuneWatch(SPACE, SETTINGS, 8, live)
        _study(tmp_path, watch)
    shown = screen.getvalue()
    assert "of at most 8 trials have ended" in shown
    assert "measuring unchanged onnx fp32" in shown
    assert "Front" in shown and "drop," in shown


def test_a_failure_is_one_line() -> None:
    failed = Failed("train", "x", "the loss is NaN", 1.0)
    assert result_words(failed, SETTINGS) == "failed to train: the loss is NaN"
