"""The study's table and its resumption; its figures are those of docs/reinforcement.md, made by `make study`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scipy import stats

from pocketclip.models.errors import DatasetError
from pocketclip.models.training.reinforcement_study import RESULT_FILE, StudyResult, mean_interval, table


def test_interval_of_a_mean_is_students() -> None:
    values = [61.0, 64.5, 62.0, 66.0]
    low, high = stats.t.interval(0.95, 3, loc=63.375, scale=stats.sem(values))
    found = mean_interval(values)
    assert (found.mean, found.low, found.high) == pytest.approx((63.375, low, high))
    with pytest.raises(ValueError, match="at least two"):
        mean_interval([1.0])


def test_table_pairs_runs_of_one_seed() -> None:
    results = [
        StudyResult("contrastive", 1, (True, False, False, False)),
        StudyResult("reinforced", 1, (True, True, False, False)),
        StudyResult("contrastive", 2, (True, True, False, False)),
        StudyResult("reinforced", 2, (True, True, True, True)),
    ]
    rows = table(results).splitlines()
    assert rows[0] == "| | seed 1 | seed 2 | mean | 95 % interval |"
    assert rows[2].startswith("| contrastive | 25.0 | 50.0 | 37.5 |")
    assert rows[4].startswith("| reinforced minus contrastive | 25.0 | 50.0 | 37.5 |")
    assert rows[6].startswith("All 8 scenes of all runs, paired: +37.5 points (")
    with pytest.raises(DatasetError, match="different numbers"):
        table([*results, StudyResult("reinforced", 3, (True,))])


@pytest.mark.slow
def test_study_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pocketclip.models.training.reinforcement_study",
        "--out",
        str(tmp_path),
        "--seeds",
        "2",
    ]
    command += ["--steps", "2", "--batch-size", "8", "--scenes", "16", "--augmentations", "1", "--heldout", "24"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=True)
    assert "reinforced minus contrastive" in first.stdout
    kept = tmp_path / "contrastive-1" / RESULT_FILE
    before = kept.stat().st_mtime_ns
    (tmp_path / "reinforced-2" / RESULT_FILE).unlink()
    again = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=True)
    assert again.stdout == first.stdout
    assert kept.stat().st_mtime_ns == before
