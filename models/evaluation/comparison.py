"""Intervals by resampling, for queries that are not independent: scipy does the arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketclip.models.statistics.intervals import Interval, difference_interval, wilson_interval

_RESAMPLES, _RESAMPLES_AT_A_TIME = 2000, 20


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
        return difference_interval(0, 0, groups, confidence) if low == 0 else Interval(low, high)
    return wilson_interval(round(low * groups), groups, confidence)


def _ratio(found: NDArray[np.float64], asked: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return found.sum(axis=axis) / asked.sum(axis=axis)
