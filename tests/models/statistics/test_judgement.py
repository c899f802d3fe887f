"""The one rule of paired differences: McNemar by hand, what may be said, and that nothing is said by chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketclip.models.statistics.judgement import LEVEL, PairedCounts, Verdict, judge_drop, surely_above, surely_below


def test_mcnemar_by_hand() -> None:
    # 8 samples lost and 2 won: P(X <= 2 or X >= 8), X binomial(10, 1/2) = 2 * (1 + 10 + 45) / 1024.
    baseline = [True] * 8 + [False] * 2 + [True] * 30 + [False] * 5
    right = [False] * 8 + [True] * 2 + [True] * 30 + [False] * 5
    counts = PairedCounts.of(baseline, right)
    assert (counts.lost, counts.won, counts.total) == (8, 2, 45)
    assert counts.p_value() == pytest.approx(112 / 1024)
    assert str(counts.judge()) == "cannot tell"
    assert PairedCounts(6, 0, 6).p_value() == pytest.approx(2 / 64)
    assert PairedCounts.of([True, False], [True, False]).p_value() == 1
    with pytest.raises(ValueError, match="equally many"):
        PairedCounts.of([True], [True, False])
    with pytest.raises(ValueError, match="3 lost and 1 won of 3"):
        PairedCounts(3, 1, 3)


@pytest.mark.parametrize(
    ("lost", "won", "total", "words"),
    [
        # Two images of 96 are a drop of 2.1 points, and prove nothing.
        (2, 0, 96, "cannot tell"),
        (0, 2, 96, "cannot tell"),
        # The interval alone would say "loses" here; the exact test does not.
        (5, 0, 96, "cannot tell"),
        (6, 0, 96, "loses"),
        (40, 0, 1000, "loses more than 1 point"),
        (30, 5, 10_000, "loses less than 1 point"),
        (3, 3, 2000, "no loss beyond 1 point"),
        (0, 40, 1000, "gains"),
        # Nothing was lost, and yet 20 images cannot exclude a loss of a point.
        (0, 0, 20, "cannot tell"),
    ],
)
def test_what_may_be_said(lost: int, won: int, total: int, words: str) -> None:
    assert str(PairedCounts(lost, won, total).judge()) == words


def test_limit_is_in_the_words() -> None:
    counts = PairedCounts(40, 0, 1000)
    assert str(counts.judge(0)) == "loses"
    assert str(counts.judge(2.5)) == "loses more than 2.5 points"
    assert str(PairedCounts(0, 1, 1000).judge(0.5)) == "no loss beyond 0.5 points"


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2000), st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_a_loss_is_never_said_without_the_test_nor_against_the_interval(
    lost: int, won: int, same: int, limit: float
) -> None:
    if lost + won + same == 0:
        return
    counts = PairedCounts(lost, won, lost + won + same)
    found, interval = counts.judge(limit), counts.interval()
    if found.lost:
        assert counts.p_value() < LEVEL
        assert interval.low > 0
    if found.verdict is Verdict.LOSES_MORE:
        assert 100 * interval.low > limit
    if found.within:
        assert 100 * interval.high <= limit
    # The other way round, what was lost is won.
    turned = PairedCounts(won, lost, counts.total).judge(limit)
    assert found.lost == (turned.verdict is Verdict.GAINS)


def test_without_a_test_the_interval_decides() -> None:
    assert str(judge_drop(0.5, 2.0, None)) == "loses"
    assert str(judge_drop(0.5, 2.0, 0.2)) == "cannot tell"


def test_equals_are_rarely_called_different() -> None:
    random = np.random.default_rng(0)
    said = 0
    for _ in range(400):
        first, second = random.random((2, 400)) < 0.8
        said += PairedCounts.of(first, second).judge().verdict not in (Verdict.CANNOT_TELL, Verdict.NO_LOSS)
    assert said / 400 < 0.06


def test_a_share_misses_a_bound_beyond_chance_alone() -> None:
    # 228 of 267 are 0.854, below 0.86 by one and a half images.
    assert not surely_below(228, 267, 0.86)
    assert surely_below(200, 267, 0.86)
    # A single flip is more than none, however many samples there are; none is never more than none.
    assert surely_above(1, 267, 0.0)
    assert not surely_above(0, 267, 0.0)
    assert surely_below(266, 267, 1.0)
    assert not surely_below(267, 267, 1.0)
