"""Comparing two sides on the same samples, and intervals by resampling: scipy does the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.statistics import Interval, paired_drop_interval, wilson_interval

_RESAMPLES, _RESAMPLES_AT_A_TIME = 2000, 20


class Verdict(StrEnum):
    """What a paired comparison allows to say of the second side."""

    WORSE = "worse"
    BETTER = "better"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class McNemar:
    """The exact paired test of McNemar (1947): `lost` samples the baseline alone has right, `won` the other alone."""

    lost: int
    won: int
    p_value: float


def mcnemar(baseline_right: ArrayLike, right: ArrayLike) -> McNemar:
    """Whether two sides, judged on the same samples, differ by more than chance: binomial, two-sided, exact.

    Args:
        baseline_right, right: booleans of equal length, one per sample.

    Raises:
        ValueError: lengths differ or are zero.
    """
    from scipy.stats import binomtest

    first, second = np.asarray(baseline_right, bool), np.asarray(right, bool)
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"need equally many samples, at least one; got {first.size} and {second.size}")
    lost, won = int((first & ~second).sum()), int((~first & second).sum())
    # Without a sample that tells the sides apart there is nothing to test.
    p_value = float(binomtest(lost, lost + won, 0.5).pvalue) if lost + won else 1.0
    return McNemar(lost, won, min(1.0, p_value))


def verdict(lost: int, won: int, p_value: float, level: float = 0.05) -> Verdict:
    """`worse` or `better` where the test is significant at `level`, else `cannot tell`."""
    if p_value >= level:
        return Verdict.CANNOT_TELL
    return Verdict.WORSE if lost > won else Verdict.BETTER


def bootstrap_ratio_interval(
    hits: ArrayLike, queries: ArrayLike, baseline_hits: ArrayLike | None = None, confidence: float = 0.95
) -> Interval:
    """Interval of `sum(hits) / sum(queries)` by a percentile bootstrap over groups (Efron 1979), always the same draws.

    Where every draw gives the same ratio, as with no miss at all, it is Wilson's interval of that many groups: no miss
    seen does not mean that there is none.

    Args:
        hits, queries: whole numbers of equal length, one per group of queries that are not independent.
        baseline_hits: those of another side on the same queries; then the interval is that of
            `sum(baseline_hits - hits) / sum(queries)`.

    Raises:
        ValueError: lengths differ or are zero.
    """
    from scipy.stats import bootstrap

    found, asked = np.asarray(hits, np.float64), np.asarray(queries, np.float64)
    if baseline_hits is not None:
        found = np.asarray(baseline_hits, np.float64) - found
    if found.shape != asked.shape or asked.size == 0 or asked.sum() <= 0:
        raise ValueError(f"need equally many groups, at least one with a query; got {found.size} and {asked.size}")
    groups = asked.size
    low = high = float(found.sum() / asked.sum())
    if groups > 1:
        drawn = bootstrap(
            (found, asked),
            _ratio,
            paired=True,
            vectorized=True,
            n_resamples=_RESAMPLES,
            # So many draws exist at a time: memory does not grow with the number of draws.
            batch=_RESAMPLES_AT_A_TIME,
            confidence_level=confidence,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = float(drawn.low), float(drawn.high)
    if low < high:
        return Interval(low, high)
    if baseline_hits is not None:
        same = np.zeros(groups, bool)
        return paired_drop_interval(same, same, confidence) if low == 0 else Interval(low, high)
    return wilson_interval(round(low * groups), groups, confidence)


def _ratio(found: NDArray[np.float64], asked: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return found.sum(axis=axis) / asked.sum(axis=axis)
