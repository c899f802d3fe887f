"""The one rule by which a difference between two sides on the same samples is judged, and a share against a bound.

A loss is stated only where two things agree: McNemar's exact test rejects at 5 % (two-sided; from the samples that only
one side has right), and the whole 95 % interval of the drop lies above zero; a loss beyond a limit needs the whole
interval above the limit. "No loss beyond the limit" needs the whole interval at or below it. Otherwise the verdict is
`cannot tell`. Where there is no test (recalls, whose samples are not independent, and old records), only the interval
decides.

`eval`, `report` and the gates of `verify` and `export` all judge by this module.
(`--max-drop accuracy=P` is no judgement: it bounds what is measured on the labelled set.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from pocketclip.models.statistics.intervals import Interval, difference_interval, wilson_interval

LEVEL = 0.05
# The loss that is spoken of where nobody asked for another, in percentage points.
TOLERATED_POINTS = 1.0


class Verdict(StrEnum):
    """What may be said of the second side."""

    LOSES_MORE = "loses more than the limit"
    LOSES = "loses"
    LOSES_LESS = "loses less than the limit"
    NO_LOSS = "no loss beyond the limit"
    GAINS = "gains"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Judgement:
    """A verdict with the limit it speaks of, in percentage points; `str` gives the words that are shown."""

    verdict: Verdict
    limit_points: float = TOLERATED_POINTS

    @property
    def lost(self) -> bool:
        """Whether a loss is proven, of whatever size."""
        return self.verdict in (Verdict.LOSES_MORE, Verdict.LOSES, Verdict.LOSES_LESS)

    @property
    def within(self) -> bool:
        """Whether it is proven that no more than the limit is lost."""
        return self.verdict in (Verdict.LOSES_LESS, Verdict.NO_LOSS, Verdict.GAINS)

    def __str__(self) -> str:
        points = f"{self.limit_points:g} point{'' if self.limit_points == 1 else 's'}"
        return {
            Verdict.LOSES_MORE: f"loses more than {points}" if self.limit_points else "loses",
            Verdict.LOSES: "loses",
            Verdict.LOSES_LESS: f"loses less than {points}",
            Verdict.NO_LOSS: f"no loss beyond {points}" if self.limit_points else "no loss",
            Verdict.GAINS: "gains",
            Verdict.CANNOT_TELL: "cannot tell",
        }[self.verdict]


def judge_drop(
    low_points: float, high_points: float, p_value: float | None, limit_points: float = TOLERATED_POINTS
) -> Judgement:
    """Judges a drop (the baseline's figure minus the other's) by the rule above.

    Args:
        low_points, high_points: ends of its 95 % interval, in percentage points.
        p_value: of the exact paired test; None where none was made.
        limit_points: the loss that is spoken of, 0 or more.
    """
    tested = p_value is None or p_value < LEVEL
    if tested and low_points > 0:
        if low_points > limit_points:
            verdict = Verdict.LOSES_MORE
        else:
            verdict = Verdict.LOSES_LESS if high_points <= limit_points else Verdict.LOSES
    elif tested and high_points < 0:
        verdict = Verdict.GAINS
    else:
        verdict = Verdict.NO_LOSS if high_points <= limit_points else Verdict.CANNOT_TELL
    return Judgement(verdict, limit_points)


@dataclass(frozen=True)
class PairedCounts:
    """Two sides on the same `total` samples: `lost` are those that the baseline alone has right, `won` the other alone.

    Raises:
        ValueError: there is no sample, or there are more lost and won than samples.
    """

    lost: int
    won: int
    total: int

    def __post_init__(self) -> None:
        if self.total <= 0 or min(self.lost, self.won) < 0 or self.lost + self.won > self.total:
            raise ValueError(
                f"need at least one sample and no more lost and won than samples; got {self.lost} lost and {self.won} "
                f"won of {self.total}"
            )

    @classmethod
    def of(cls, baseline_right: ArrayLike, right: ArrayLike) -> PairedCounts:
        """Counts booleans of equal length, one per sample.

        Raises:
            ValueError: lengths differ or are zero.
        """
        first, second = np.asarray(baseline_right, bool), np.asarray(right, bool)
        if first.shape != second.shape or first.size == 0:
            raise ValueError(f"need equally many samples, at least one; got {first.size} and {second.size}")
        return cls(int((first & ~second).sum()), int((~first & second).sum()), first.size)

    @property
    def drop(self) -> float:
        """The share that the baseline has more right."""
        return (self.lost - self.won) / self.total

    def interval(self, confidence: float = 0.95) -> Interval:
        """Interval of `drop`, as `models.statistics.intervals.difference_interval`."""
        return difference_interval(self.lost, self.won, self.total, confidence)

    def p_value(self) -> float:
        """McNemar's test (1947): binomial, two-sided, exact; 1 where no sample tells the sides apart."""
        from scipy.stats import binomtest

        if not self.lost + self.won:
            return 1.0
        return min(1.0, float(binomtest(self.lost, self.lost + self.won, 0.5).pvalue))

    def judge(self, limit_points: float = TOLERATED_POINTS) -> Judgement:
        """What may be said of the second side."""
        interval = self.interval()
        return judge_drop(100 * interval.low, 100 * interval.high, self.p_value(), limit_points)


def surely_below(count: int, total: int, bound: float) -> bool:
    """Whether a share of samples lies below a bound by more than chance: the whole 95 % interval (Wilson) does.

    Raises:
        ValueError: as `models.statistics.intervals.wilson_interval`.
    """
    return wilson_interval(count, total).high < bound


def surely_above(count: int, total: int, bound: float) -> bool:
    """Whether the whole 95 % interval (Wilson) of a share lies above a bound; raises as `surely_below`."""
    return wilson_interval(count, total).low > bound
