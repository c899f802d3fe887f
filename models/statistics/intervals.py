"""Confidence intervals for accuracies: shares of right answers, and differences on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Interval:
    """Both ends of a confidence interval."""

    low: float
    high: float


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> Interval:
    """Interval of a share, sound near 0 and 1 too (Wilson 1927).

    Raises:
        ValueError: `total` is not positive or `correct` lies outside 0 to `total`.
    """
    if total <= 0 or not 0 <= correct <= total:
        raise ValueError(f"need 0 <= correct <= total and total > 0, got {correct} of {total}")
    z = _quantile(confidence)
    share = correct / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # Exact at both ends, where rounding would leave 1e-17 of a share that is impossible.
    low = 0.0 if correct == 0 else (centre - spread) / scale
    high = 1.0 if correct == total else (centre + spread) / scale
    return Interval(low, high)


def difference_interval(lost: int, won: int, total: int, confidence: float = 0.95) -> Interval:
    """Interval of `(lost - won) / total`, the difference of two shares of the same samples.

    Only samples that one side alone has right carry information; their counts give the variance (Newcombe
    1998, method 1, with half a count added to each so that no difference does not mean no doubt).

    Args:
        lost, won: how many samples the first side alone, and the second side alone, has right.
        total: how many samples there are, at least one.
        confidence: between 0 and 1.
    """
    difference = (lost - won) / total
    disagreement = (lost + won + 1) / total
    spread = _quantile(confidence) * math.sqrt(max(0.0, disagreement - difference**2) / total)
    return Interval(max(-1.0, difference - spread), min(1.0, difference + spread))


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
