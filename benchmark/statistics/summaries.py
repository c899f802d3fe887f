"""Statistics of benchmark records, derived on demand from the raw samples. Times are nanoseconds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.records.profile import InstructionCounts, OpProfile

PERCENTILES = (50, 90, 95, 99)
# Below this many launches a bootstrap over launches says nothing: the resamples are too few and too alike.
MINIMUM_LAUNCHES_FOR_INTERVAL = 5
# Counts of instructions that are further apart than this are no measure; a larger change is none of chance.
REPEATABLE_SHARE = 0.001
_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class LatencySummary:
    """Steady latency of one record.

    Percentiles and `mad_ns` (median absolute deviation) pool the samples of all launches. `launch_median_ns` is
    the median of the launches' medians, `launch_spread` their range as a share of it, and the interval (95 %)
    tells how far another set of launches may land; it is None for fewer than five launches.
    """

    samples: int
    p50_ns: float
    p90_ns: float
    p95_ns: float
    p99_ns: float
    mad_ns: float
    launch_medians_ns: tuple[float, ...]
    launch_median_ns: float
    launch_spread: float
    interval_ns: tuple[float, float] | None


def summarize_latency(launches: Sequence[Launch]) -> LatencySummary:
    """Summarises the steady samples of at least one launch.

    Raises:
        ValueError: there is no launch.
    """
    if not launches:
        raise ValueError("latency needs at least one launch")
    pooled = np.concatenate([np.asarray(launch.steady_ns, np.float64) for launch in launches])
    p50, p90, p95, p99 = (float(value) for value in np.percentile(pooled, PERCENTILES))
    medians = launch_medians(launches)
    middle = float(np.median(medians))
    return LatencySummary(
        samples=len(pooled),
        p50_ns=p50,
        p90_ns=p90,
        p95_ns=p95,
        p99_ns=p99,
        mad_ns=float(np.median(np.abs(pooled - p50))),
        launch_medians_ns=medians,
        launch_median_ns=middle,
        launch_spread=(max(medians) - min(medians)) / middle if middle else 0.0,
        interval_ns=launch_interval(medians),
    )


def launch_medians(launches: Sequence[Launch]) -> tuple[float, ...]:
    """The median of each launch's steady samples."""
    return tuple(float(np.median(launch.steady_ns)) for launch in launches)


def p50_ns(launches: Sequence[Launch]) -> float:
    """The median of the steady samples of all launches, without the intervals of `summarize_latency`, which cost."""
    return float(np.median(np.concatenate([np.asarray(launch.steady_ns, np.float64) for launch in launches])))


def minimum_detectable_effect(baseline: Sequence[float], candidate: Sequence[float]) -> float | None:
    """The smallest change of a median over launches that is found in four of five cases at the 5 % level, as a share.

    From the spread of the launches' medians on both sides, pooled; None for fewer than two launches on a side. The rank
    test's efficiency against the t-test (3 / pi for normal spreads) is allowed for.
    """
    if min(len(baseline), len(candidate)) < 2:
        return None
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    relative = [np.asarray(side, np.float64) / np.median(side) for side in (baseline, candidate)]
    freedom = len(baseline) + len(candidate) - 2
    pooled = math.sqrt(sum(float(((side - side.mean()) ** 2).sum()) for side in relative) / freedom)
    error = pooled * math.sqrt(1 / len(baseline) + 1 / len(candidate)) / math.sqrt(3 / math.pi)
    untyped: Any = stats
    return float((untyped.t.ppf(0.975, freedom) + untyped.t.ppf(0.8, freedom)) * error)


def launch_interval(medians: Sequence[float]) -> tuple[float, float] | None:
    """95 % bootstrap interval of the median over launches; None where there are too few launches."""
    if len(medians) < MINIMUM_LAUNCHES_FOR_INTERVAL:
        return None
    if min(medians) == max(medians):
        return medians[0], medians[0]
    # Imported here: scipy.stats costs a second that most callers need not pay.
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    # The percentile method: BCa's jackknife breaks down on medians of few values.
    untyped: Any = stats
    result = untyped.bootstrap(
        (np.asarray(medians, np.float64),), np.median, n_resamples=_RESAMPLES, method="percentile", rng=_SEED
    )
    low, high = result.confidence_interval
    return float(low), float(high)


def sum_interval(medians: Sequence[Sequence[float]]) -> tuple[float, float]:
    """95 % bootstrap interval of the sum of several artefacts' medians over launches, e.g. of both towers together.

    Launches of different artefacts are drawn apart; of few launches, the interval is no wider than they are.
    """
    random = np.random.default_rng(_SEED)
    total = np.zeros(_RESAMPLES)
    for each in medians:
        values = np.asarray(each, np.float64)
        total += np.median(values[random.integers(len(values), size=(_RESAMPLES, len(values)))], axis=1)
    low, high = np.percentile(total, (2.5, 97.5))
    return float(low), float(high)


def interval_share(medians: Sequence[float]) -> float | None:
    """The width of `launch_interval` as a share of the median; None where there are too few launches."""
    interval = launch_interval(medians)
    return None if interval is None else (interval[1] - interval[0]) / float(np.median(medians))


def median_load_ns(record: BenchmarkRecord) -> float | None:
    """Median over launches of the time to open the model.

    A first load after installation is another thing: it counts only where there is no other.
    """
    later = [launch.load_ns for launch in record.launches if launch.first_load is not True]
    return _median(later) if later else median_first_load_ns(record)


def median_first_load_ns(record: BenchmarkRecord) -> float | None:
    """Median of the first loads after installation, where the system may make the model ready; None without any."""
    return _median([launch.load_ns for launch in record.launches if launch.first_load])


def median_first_inference_ns(record: BenchmarkRecord) -> float | None:
    """Median over launches of the first inference after the load."""
    return _median([launch.first_inference_ns for launch in record.launches])


def median_peak_bytes(record: BenchmarkRecord) -> float | None:
    """Median over launches of the peak memory over the baseline; None where no launch could tell."""
    peaks = [launch.peak_over_baseline_bytes for launch in record.launches]
    return _median([peak for peak in peaks if peak is not None])


def _median(values: Sequence[int]) -> float | None:
    return float(np.median(values)) if values else None


@dataclass(frozen=True)
class CountSummary:
    """Instructions per inference: the median over processes of each one's mean.

    `spread_share` is the range of those means as a share of it, None for one process.
    """

    per_inference: float
    spread_share: float | None
    processes: int
    inferences: int

    @property
    def repeatable(self) -> bool | None:
        """Whether the processes agree, None where there is one alone."""
        return None if self.spread_share is None else self.spread_share <= REPEATABLE_SHARE


def summarize_counts(per_inference: Sequence[Sequence[int]]) -> CountSummary:
    """Summarises counts of instructions: a row for each process, at least one, in it one for each inference."""
    means = [statistics.mean(process) for process in per_inference]
    middle = float(statistics.median(means))
    spread = None if len(means) < 2 else (max(means) - min(means)) / middle if middle else 0.0
    return CountSummary(middle, spread, len(means), sum(map(len, per_inference)))


def median_instructions(counts: InstructionCounts) -> float:
    """Instructions of one inference: the median over all counted ones, whatever their process."""
    return float(np.median([count for process in counts.per_inference for count in process]))


def delegates(profile: OpProfile) -> list[str]:
    """The delegates that ran something, by name."""
    return sorted({node.delegate for node in profile.ops if node.delegate is not None})


def share_outside_delegates(profile: OpProfile) -> float:
    """The share of the ops' time that the runtime's own kernels took."""
    total = sum(node.total_ns for node in profile.ops)
    return sum(node.total_ns for node in profile.ops if node.delegate is None) / total if total else 0.0


def farm_median_ns(record: FarmRecord) -> float | None:
    """The median of the inferences that a farm lists, else its own estimate; None where it measured nothing."""
    if record.times is None:
        return None
    listed = record.times.inference_ns
    return float(np.median(listed)) if listed else float(record.times.estimated_inference_ns)
