"""Label lists, ranking, and the intervals of accuracies."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from pocketclip.models.errors import LabelError
from pocketclip.models.evaluation.zero_shot import parse_labels, rank_labels
from pocketclip.models.statistics.intervals import wilson_interval
from pocketclip.models.statistics.judgement import PairedCounts


def test_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pocketclip"):
        assert parse_labels(" a cat, a dog ,,a cat", None) == ["a cat", "a dog"]
    assert caplog.messages == ["1 repeated labels count once (the first: 'a cat')"]
    (tmp_path / "labels.txt").write_text("un café\n\nzwei Bäume\n")
    assert parse_labels(None, tmp_path / "labels.txt") == ["un café", "zwei Bäume"]
    for text, file in ((None, None), ("a", tmp_path / "labels.txt")):
        with pytest.raises(LabelError, match="either"):
            parse_labels(text, file)
    with pytest.raises(LabelError, match="empty"):
        parse_labels(" , ", None)
    with pytest.raises(LabelError, match="cannot read"):
        parse_labels(None, tmp_path / "none.txt")


def test_ranking_is_a_softmax() -> None:
    ranked = rank_labels(np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), 2.0)
    assert [place for place, _ in ranked] == [1, 0]
    assert ranked[0][1] == pytest.approx(np.exp(2) / (np.exp(2) + 1))


def test_wilson_interval() -> None:
    # Published example: 81 of 263 at 95 % (Newcombe 1998, table I, method 3).
    interval = wilson_interval(81, 263)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 10).low == 0
    assert wilson_interval(10, 10).high == 1
    with pytest.raises(ValueError, match="correct"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match="confidence"):
        wilson_interval(1, 2, confidence=1.0)


def test_paired_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        baseline = rng.random(500) < 0.8
        flips = rng.random(500)
        # 4 % of right answers are lost and 1 % of the wrong ones won.
        other = np.where(baseline, flips > 0.04, flips < 0.01)
        interval = PairedCounts.of(baseline, other).interval()
        covered += interval.low <= 0.8 * 0.04 - 0.2 * 0.01 <= interval.high
    assert 0.92 <= covered / 400 <= 0.985
    same = PairedCounts.of([True, False], [True, False]).interval()
    assert same.low < 0 < same.high
    with pytest.raises(ValueError, match="equally many"):
        PairedCounts.of([True], [True, False])
