"""Trials of the method, in real processes over a tiny model; what they find on a computer is no matter of tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pocketclip.benchmark.statistics.verdicts import Verdict
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


@pytest.mark.slow
def test_the_bare_loop_runs_the_same_model(build_artifact: Callable[..., Artifact]) -> None:
    spread = compare_with_bare_loop(build_artifact(), SETTINGS, 2)
    assert 0 < spread.low <= spread.median <= spread.high
