"""The front: who is on it, what the intervals prove, hypervolumes, and the nearest to limits that none meets."""

from __future__ import annotations

import numpy as np
import pytest

from pocketclip.benchmark.tune.front import front, hypervolume, nearest, ranks
from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.trials import Failed, Trial
from tests.benchmark.tune.cheap import cheap_settings, cheap_space, judged, measured, trained

SPACE = cheap_space()
POINTS = list(SPACE.points())


def trial(number: int, cost: float, drop: float, **changes: object) -> Trial:
    values: dict[str, object] = {"measured": measured(cost), "trained": (trained(0.5),), "judged": judged(drop)}
    return Trial(number, POINTS[number], 0, number, **(values | changes))  # type: ignore[arg-type]


def test_the_front_is_what_no_trial_beats_and_says_what_is_proven() -> None:
    settings = cheap_settings(SPACE, limits=Limits())
    trials = [
        trial(0, 1.0, 5.0),
        trial(1, 2.0, 1.0),
        # Worse in the estimate alone: its intervals reach those of trial 1.
        trial(2, 2.01, 1.1),
        trial(3, 4.0, -2.0),
        trial(4, 5.0, 3.0),
        trial(5, 0.1, 0.0, judged=None),
        trial(6, 0.1, -9.0, failed=Failed("judge", "x", "x", 0.0)),
        trial(7, 0.1, -9.0, judged=judged(-9.0, failures=("cosine",))),
    ]
    found = front(trials, settings)
    assert [each.trial.number for each in found] == [0, 1, 3]
    assert [each.rivals for each in found] == [(), (2,), ()]


def test_limits_leave_out_what_is_beyond_them() -> None:
    settings = cheap_settings(SPACE, limits=Limits(latency_ns=3.0, drop_points=2.0))
    trials = [trial(0, 1.0, 5.0), trial(1, 2.0, 1.0), trial(3, 4.0, -2.0)]
    assert [each.trial.number for each in front(trials, settings)] == [1]
    assert nearest(trials, settings) is None


def test_the_nearest_is_told_where_no_trial_meets_the_limits() -> None:
    settings = cheap_settings(SPACE, limits=Limits(latency_ns=0.5, drop_points=0.5))
    trials = [trial(0, 1.0, 5.0), trial(1, 0.6, 0.6), trial(2, 9.0, 0.1, judged=None)]
    found = nearest(trials, settings)
    assert found is not None and found.trial.number == 1
    assert [words.split(":")[0] for words in found.words] == ["max-latency", "max-drop"]
    assert found.excess == pytest.approx(0.4)
    assert nearest([], settings) is None


def test_hypervolumes_are_those_of_counting_cells() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        spots = [tuple(map(float, each)) for each in random.integers(0, 12, size=(6, 2))]
        cells = sum(any(c <= x and d <= y for c, d in spots) for x in range(10) for y in range(10))
        assert hypervolume(spots, (10.0, 10.0)) == cells
    assert hypervolume([], (1.0, 1.0)) == 0.0


def test_ranks_are_fronts_after_fronts() -> None:
    assert ranks([(1, 1), (2, 2), (1, 2), (0, 3), (2, 2)]) == [0, 2, 1, 0, 2]
