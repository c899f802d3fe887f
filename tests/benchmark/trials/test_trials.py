"""Trials of the method, in real processes over a tiny model; what they find on a computer is no matter of tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark.records.validity import Invalidity, InvalidityCode
from pocketclip.benchmark.statistics.verdicts import Verdict
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.trials import trials
from pocketclip.benchmark.trials.__main__ import app
from pocketclip.benchmark.trials.trials import TrialSettings, compare_with_bare_loop, planted_trial, same_trials
from pocketclip.export.artifact.reading import Artifact

SETTINGS = TrialSettings(launches=4, iterations=30)


@pytest.mark.slow
def test_a_slowdown_that_is_planted_is_found(build_artifact: Callable[..., Artifact]) -> None:
    found = planted_trial(build_artifact(), SETTINGS, slowdown=9.0)
    assert found.comparison.verdict is Verdict.SLOWER
    assert found.comparison.ratio > 3
    assert found.seconds > 0


@pytest.mark.slow
def test_sides_take_turns_and_both_are_kept(build_artifact: Callable[..., Artifact]) -> None:
    (found,) = same_trials(build_artifact(), SETTINGS, 1)
    assert len(found.baseline.launches) == len(found.candidate.launches) == 4
    begun = [
        sorted(launch.before.at for launch in side.launches if launch.before)
        for side in (found.baseline, found.candidate)
    ]
    # A B, B A, A B, B A: neither side is over before the other has begun its second half.
    assert begun[0][2] > begun[1][1] and begun[1][2] > begun[0][1]
    assert found.baseline.record_id != found.candidate.record_id


def test_unfit_records_are_compared_and_stored_as_unfit(
    build_artifact: Callable[..., Artifact], make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Invalidity(InvalidityCode.BUSY, "the load was 3.1", "stop other programs")
    monkeypatch.setattr(trials, "build_slowed_agent", lambda slowdown: None)
    monkeypatch.setattr(
        trials, "_measure", lambda *_: tuple(replace(make.benchmark(launches=8), invalid=(busy,)) for _ in range(2))
    )
    words = [
        str(build_artifact().folder),
        "--store",
        str(tmp_path / "s.sqlite"),
        "--comparisons",
        "2",
        "--overhead",
        "0",
    ]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0 and "of 2 verdicts are false" in result.output
    with open_store(str(tmp_path / "s.sqlite")) as store:
        assert [each.invalid for each in store.benchmarks()] == [(busy,)] * 4


@pytest.mark.slow
def test_the_bare_loop_runs_the_same_model(build_artifact: Callable[..., Artifact]) -> None:
    spread = compare_with_bare_loop(build_artifact(), SETTINGS, 2)
    assert 0 < spread.low <= spread.median <= spread.high
