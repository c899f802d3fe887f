"""A study that is killed at random moments ends with the trials of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pocketclip.benchmark.tune.queueing import InlineQueue
from pocketclip.benchmark.tune.study_store import begin_study, read_study
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.benchmark.tune.tuning import carry_on
from tests.benchmark.tune.cheap import CheapWorker, cheap_settings, cheap_space

pytest.importorskip("optuna", reason="Optuna is not installed")
REPOSITORY = Path(__file__).parents[3]
KILLS = 10


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.slow
def test_killed_ten_times_a_study_ends_with_the_same_trials(tmp_path: Path) -> None:
    random_moments = random.Random(7)
    location, log = str(tmp_path / "killed.sqlite"), tmp_path / "log"
    command = [sys.executable, "-m", "tests.benchmark.tune.cheap", location, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "POCKETCLIP_LEASES": str(tmp_path / "leases")}
    kills = 0
    while kills < KILLS:
        before = len(_lines(log))
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True)
        # Some are killed before they have done anything, the others after one result more or two.
        more = random_moments.choice((0, 1, 1, 2))
        until = time.monotonic() + (random_moments.uniform(0.0, 3.0) if not more else 300)
        while process.poll() is None and len(_lines(log)) < before + max(more, 1) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(random_moments.uniform(0.0, 0.3))
        assert process.poll() is None, "the study ended before it was killed often enough: give it more trials"
        if random_moments.random() < 0.5:
            # With its workers, or without them: those notice by themselves.
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        kills += 1
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, timeout=600)

    twice = [line for line, count in Counter(_lines(log)).items() if count > 1]
    assert twice == []
    space = cheap_space()
    with read_study(location, "cheap") as study:
        found = study.trials(space)
    assert found == _uninterrupted(tmp_path)
    assert len(found) == 8 and all(trial.closing for trial in found)
    assert len({trial.closing.ending for trial in found if trial.closing}) > 1


def _uninterrupted(folder: Path) -> list[Trial]:
    space = cheap_space()
    with begin_study(str(folder / "whole.sqlite"), "cheap", cheap_settings(space)) as study:
        queue = InlineQueue(CheapWorker(), study.keep)
        return [replace(trial) for trial in carry_on(study, space, queue, most=8)]
