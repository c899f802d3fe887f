"""Whether one record is faster than another: a verdict only where the launches support it.

The unit is the launch: within a process samples are alike, between processes memory and clocks fall differently (the
larger variance by far). Two tests must agree: the hierarchical bootstrap (launches are drawn, then samples within
them) of the ratio of medians, and Mann-Whitney's test of the launches' medians, which assumes no distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from pocketclip.benchmark.errors import IncomparableError
from pocketclip.benchmark.records.benchmark import CPU, BenchmarkRecord, Status
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.statistics.summaries import (
    REPEATABLE_SHARE,
    launch_medians,
    median_instructions,
    minimum_detectable_effect,
)

LEVEL = 0.05
# Four launches a side are the fewest whose ranks alone may reach the 5 % level (two-sided p = 2/70).
MINIMUM_LAUNCHES = 4
_RESAMPLES = 4000
_SEED = 0
# More of a launch adds nothing to a median that the launches' own spread does not drown.
_MOST_SAMPLES = 256


class Verdict(StrEnum):
    """What the launches support of the candidate against the baseline: of times, or of counted instructions.

    Fewer instructions are no promise of less time: that depends on which they are.
    """

    FASTER = "faster"
    SLOWER = "slower"
    FEWER = "fewer"
    MORE = "more"
    CANNOT_TELL = "cannot tell"

    @property
    def regressed(self) -> bool:
        """Whether the candidate is the worse one."""
        return self in (Verdict.SLOWER, Verdict.MORE)


@dataclass(frozen=True)
class Comparison:
    """A candidate against a baseline.

    `ratio` is the candidate's median latency (or count of instructions) over the baseline's, `interval` its 95 %
    interval. `effect` is Cliff's delta: -1 where every launch of the candidate is faster than every one of the
    baseline, 1 where slower. `detectable` is the smallest change, as a share, that so many launches with such a spread
    find in four of five cases. None stands where it cannot be had; `reason` then says why. `invalid` names what forbids
    to rank the records, a line for each; it is empty but where the user asked for such a comparison.
    """

    baseline: BenchmarkRecord
    candidate: BenchmarkRecord
    verdict: Verdict
    ratio: float
    interval: tuple[float, float] | None
    p_value: float | None
    effect: float | None
    detectable: float | None
    reason: str | None
    invalid: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The verdict as tables show it, marked where a record may not be ranked."""
        return f"{self.verdict} (invalid run)" if self.invalid else str(self.verdict)


def compare_records(
    baseline: BenchmarkRecord, candidate: BenchmarkRecord, *, allow_invalid: bool = False
) -> Comparison:
    """Compares two records of like conditions.

    With `allow_invalid`, records that may not be ranked are compared too, and the comparison says so.

    Raises:
        IncomparableError: they were measured under unlike conditions, or one may not be ranked.
    """
    check_comparable(baseline, candidate, allow_invalid=allow_invalid)
    invalid = tuple(line for record in (baseline, candidate) for line in why_invalid(record))
    return replace(_compare(baseline, candidate), invalid=invalid)


def why_invalid(record: BenchmarkRecord) -> list[str]:
    """What forbids to rank a record, a line for each condition that was not met."""
    return [f"{_name(record)} {each.code}: {each.reason}" for each in record.invalid]


def _compare(baseline: BenchmarkRecord, candidate: BenchmarkRecord) -> Comparison:
    if baseline.status is Status.COUNTED:
        return _compare_counts(baseline, candidate)
    ratio, interval = ratio_interval(baseline.launches, candidate.launches)
    first, second = launch_medians(baseline.launches), launch_medians(candidate.launches)
    detectable = minimum_detectable_effect(first, second)
    if min(len(first), len(second)) < MINIMUM_LAUNCHES:
        reason = (
            f"{len(first)} and {len(second)} launches; {MINIMUM_LAUNCHES} each are needed: measure with more --launches"
        )
        return Comparison(baseline, candidate, Verdict.CANNOT_TELL, ratio, interval, None, None, detectable, reason)
    p_value, effect = rank_test(first, second)
    return _judged(
        Comparison(baseline, candidate, Verdict.CANNOT_TELL, ratio, interval, p_value, effect, detectable, None)
    )


def judge_family(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Verdicts of several comparisons made at once: among many, some would seem to differ by chance (Holm 1979)."""
    tested = [each.p_value for each in comparisons if each.p_value is not None]
    adjusted = iter(holm(tested))
    return [each if each.p_value is None else _judged(each, next(adjusted)) for each in comparisons]


def check_comparable(baseline: BenchmarkRecord, candidate: BenchmarkRecord, *, allow_invalid: bool = False) -> None:
    """Raises `IncomparableError` with everything that forbids to compare two records."""
    unlike = [
        f"{name} ({one} and {other})"
        for name, one, other in (
            ("device", baseline.device.name, candidate.device.name),
            ("kind of device", baseline.device.kind, candidate.device.kind),
            ("machine", baseline.device.instance, candidate.device.instance),
            ("processor", baseline.device.cpu, candidate.device.cpu),
            ("tower", baseline.artifact.tower, candidate.artifact.tower),
            ("threads", baseline.settings.threads, candidate.settings.threads),
            ("cores", baseline.settings.cores, candidate.settings.cores),
            ("load mode", baseline.settings.load_mode, candidate.settings.load_mode),
            ("accelerator", _unit(baseline.settings.accelerator), _unit(candidate.settings.accelerator)),
            ("schema", _schema(baseline), _schema(candidate)),
            ("what was measured", baseline.status, candidate.status),
        )
        if one != other
    ]
    if unlike:
        raise IncomparableError(
            f"{_name(baseline)} and {_name(candidate)} differ in {', '.join(unlike)}", fix="measure both alike"
        )
    for record in (baseline, candidate):
        if record.status is Status.MEASURED and not record.timed:
            raise IncomparableError(
                f"{_name(record)}: {record.device.name} is emulated, so its times are not meaningful"
            )
        if record.status not in (Status.MEASURED, Status.COUNTED):
            raise IncomparableError(f"{_name(record)} was not timed ({record.status}): {record.reason}")
        if record.invalid and not allow_invalid:
            why = "; ".join(f"{each.code}: {each.reason}; {each.fix}" for each in record.invalid)
            raise IncomparableError(
                f"{_name(record)} is invalid: {why}; --allow-invalid compares it anyway and marks it"
            )


def _unit(accelerator: str) -> str:
    # XNNPACK's kernels and a runtime's own run on the same processor: which are faster there is a question to ask.
    return CPU if accelerator == "xnnpack" else accelerator


def ratio_interval(baseline: Sequence[Launch], candidate: Sequence[Launch]) -> tuple[float, tuple[float, float] | None]:
    """The ratio of the medians over launches and its 95 % interval, None for too few launches."""
    first, second = launch_medians(baseline), launch_medians(candidate)
    ratio = float(np.median(second) / np.median(first))
    if min(len(first), len(second)) < MINIMUM_LAUNCHES:
        return ratio, None
    random = np.random.default_rng(_SEED)
    drawn = _resampled_medians(candidate, random) / _resampled_medians(baseline, random)
    low, high = np.percentile(drawn, (100 * LEVEL / 2, 100 * (1 - LEVEL / 2)))
    return ratio, (float(low), float(high))


def rank_test(baseline: Sequence[float], candidate: Sequence[float]) -> tuple[float, float]:
    """Mann-Whitney's two-sided p and Cliff's delta of the candidate against the baseline."""
    # Imported here: scipy.stats costs a second that most callers need not pay.
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    untyped: Any = stats
    found = untyped.mannwhitneyu(candidate, baseline, alternative="two-sided", method="auto")
    return float(found.pvalue), float(2 * found.statistic / (len(baseline) * len(candidate)) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _judged(comparison: Comparison, adjusted: float | None = None) -> Comparison:
    p_value = comparison.p_value if adjusted is None else adjusted
    interval = comparison.interval
    if p_value is None or interval is None:
        return comparison
    verdict, reason = Verdict.CANNOT_TELL, None
    if p_value >= LEVEL:
        reason = f"launches overlap (p = {p_value:.2g})"
    elif interval[0] <= 1 <= interval[1]:
        reason = "the interval includes no change"
    else:
        verdict = Verdict.SLOWER if comparison.ratio > 1 else Verdict.FASTER
    return replace(comparison, verdict=verdict, p_value=p_value, reason=reason)


def _compare_counts(baseline: BenchmarkRecord, candidate: BenchmarkRecord) -> Comparison:
    assert baseline.instructions is not None and candidate.instructions is not None  # counted records have them
    ratio = median_instructions(candidate.instructions) / median_instructions(baseline.instructions)
    if abs(ratio - 1) <= REPEATABLE_SHARE:
        verdict, reason = Verdict.CANNOT_TELL, f"within {REPEATABLE_SHARE:.1%}, to which counts repeat"
    else:
        verdict, reason = (Verdict.MORE if ratio > 1 else Verdict.FEWER), None
    return Comparison(baseline, candidate, verdict, ratio, None, None, None, REPEATABLE_SHARE, reason)


def _resampled_medians(launches: Sequence[Launch], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Medians over launches of resampled launches, each resampled within; `(_RESAMPLES,)`."""
    within = np.empty((_RESAMPLES, len(launches)))
    for place, launch in enumerate(launches):
        samples = np.asarray(launch.steady_ns, np.float64)
        size = min(len(samples), _MOST_SAMPLES)
        within[:, place] = np.median(random.choice(samples, (_RESAMPLES, size)), axis=1)
    chosen = random.integers(0, len(launches), (_RESAMPLES, len(launches)))
    return np.median(np.take_along_axis(within, chosen, axis=1), axis=1)


def _schema(record: BenchmarkRecord) -> str:
    # What schema 1 did not ask for is unknown after the upgrade, and with it whether the record may be ranked.
    known = all(launch.before is not None for launch in record.launches)
    return "2 or later" if known else "1"


def _name(record: BenchmarkRecord) -> str:
    identity = record.artifact
    tag = f" ({record.tag})" if record.tag else ""
    return f"record {record.record_id[:8]}, {identity.model} {identity.scheme} {identity.tower}{tag},"
