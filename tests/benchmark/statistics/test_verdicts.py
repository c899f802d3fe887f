"""Verdicts: how often they are false, what they find, and what they refuse; on made-up launches with a known truth."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.errors import IncomparableError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, LoadMode, Status
from pocketclip.benchmark.records.launch import Launch, MachineState
from pocketclip.benchmark.records.profile import InstructionCounts
from pocketclip.benchmark.records.validity import InvalidityCode, invalidity
from pocketclip.benchmark.statistics.summaries import minimum_detectable_effect
from pocketclip.benchmark.statistics.verdicts import (
    Comparison,
    Verdict,
    compare_records,
    holm,
    judge_family,
    rank_test,
    ratio_interval,
)
from pocketclip.export.precision import Tower


def smallest_p(first: int, second: int) -> float:
    """The smallest two-sided p that the ranks of so many launches can have."""
    return 2 / math.comb(first + second, first)


NOW = MachineState("2026-03-01T00:00:00+00:00")


def launches(
    make: Any, median_ms: float, count: int, random: np.random.Generator, between: float = 0.02
) -> tuple[Launch, ...]:
    """Launches whose own medians spread by `between`, and samples within them by 1 %."""
    found = []
    for _ in range(count):
        own = median_ms * 1e6 * (1 + 0.02 * random.standard_normal())
        steady = np.maximum(1, own * (1 + 0.01 * np.abs(random.standard_normal(60))))
        found.append(replace(make.launch(median_ms), steady_ns=tuple(int(each) for each in steady), before=NOW))
    return tuple(found)


def record(
    make: Any, random: np.random.Generator, median_ms: float = 3.0, count: int = 8, **options: Any
) -> BenchmarkRecord:
    return replace(make.benchmark(**options), launches=launches(make, median_ms, count, random))


def test_same_speed_is_rarely_called_different(make: Any) -> None:
    random = np.random.default_rng(1)
    false = sum(
        compare_records(record(make, random), record(make, random)).verdict is not Verdict.CANNOT_TELL
        for _ in range(120)
    )
    # At the 5 % level 6 of 120 are expected; 13 or more would come once in 200 times.
    assert false <= 12


def test_a_change_beyond_the_detectable_one_is_found(make: Any) -> None:
    random = np.random.default_rng(2)
    found = 0
    for _ in range(40):
        comparison = compare_records(record(make, random), record(make, random, 3.0 * 1.05))
        assert comparison.detectable is not None and comparison.detectable < 0.05
        assert comparison.verdict is not Verdict.FASTER
        found += comparison.verdict is Verdict.SLOWER
    assert found >= 30


def test_verdict_has_a_direction_an_interval_and_an_effect(make: Any) -> None:
    random = np.random.default_rng(3)
    slow, fast = record(make, random, 4.0), record(make, random, 3.0)
    comparison = compare_records(slow, fast)
    assert comparison.verdict is Verdict.FASTER
    assert comparison.interval is not None
    low, high = comparison.interval
    assert low < comparison.ratio < high < 1
    assert comparison.ratio == pytest.approx(0.75, rel=0.03)
    assert comparison.effect == -1
    assert comparison.p_value == pytest.approx(smallest_p(8, 8))
    assert compare_records(fast, slow).verdict is Verdict.SLOWER


def test_few_launches_cannot_tell(make: Any) -> None:
    random = np.random.default_rng(4)
    comparison = compare_records(record(make, random, 9.0, 3), record(make, random, 3.0, 3))
    assert comparison.verdict is Verdict.CANNOT_TELL
    assert comparison.interval is None and comparison.p_value is None
    assert "3 and 3 launches" in (comparison.reason or "")


def test_intervals_cover_the_true_ratio(make: Any) -> None:
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(60):
        _, interval = ratio_interval(launches(make, 3.0, 10, random), launches(make, 3.3, 10, random))
        assert interval is not None
        hits += interval[0] <= 1.1 <= interval[1]
    assert hits >= 52


def test_many_comparisons_at_once_are_judged_more_strictly(make: Any) -> None:
    random = np.random.default_rng(6)
    alone = compare_records(record(make, random, 3.0, 5), record(make, random, 3.3, 5))
    assert alone.verdict is Verdict.SLOWER
    assert alone.p_value == pytest.approx(smallest_p(5, 5))
    family = judge_family([alone] * 10)
    assert {each.verdict for each in family} == {Verdict.CANNOT_TELL}
    assert family[0].p_value == pytest.approx(10 * smallest_p(5, 5))


def test_holm_against_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_rank_test_of_separated_sides() -> None:
    p_value, effect = rank_test([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0])
    assert p_value == pytest.approx(2 / 70)
    assert effect == 1


def test_detectable_change_shrinks_with_launches() -> None:
    random = np.random.default_rng(7)
    few, many = random.normal(100, 2, (2, 5)), random.normal(100, 2, (2, 50))
    wide, narrow = minimum_detectable_effect(*few), minimum_detectable_effect(*many)
    assert wide is not None and narrow is not None and narrow < wide / 2
    # 2.8 standard errors of a difference, over the rank test's efficiency: 2 % * sqrt(2 / 50) * 2.83 / 0.98.
    assert narrow == pytest.approx(0.0115, rel=0.2)
    assert minimum_detectable_effect([1.0], [1.0, 2.0]) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda each: replace(each, device=replace(each.device, name="pixel7")), "device (host and pixel7)"),
        (lambda each: replace(each, device=replace(each.device, kind=DeviceKind.BOARD)), "kind of device"),
        (lambda each: replace(each, device=replace(each.device, instance="b")), "machine"),
        (lambda each: replace(each, device=replace(each.device, cpu="Other")), "processor"),
        (lambda each: replace(each, artifact=replace(each.artifact, tower=Tower.TEXT)), "tower"),
        (lambda each: replace(each, settings=replace(each.settings, threads=2)), "threads (1 and 2)"),
        (lambda each: replace(each, settings=replace(each.settings, cores=(0,))), "cores"),
        (
            lambda each: replace(each, settings=replace(each.settings, accelerator="nnapi")),
            "accelerator (cpu and nnapi)",
        ),
        (
            lambda each: replace(each, launches=tuple(replace(launch, before=None) for launch in each.launches)),
            "schema",
        ),
    ],
)
def test_unlike_records_are_refused(make: Any, change: Any, word: str) -> None:
    one = record(make, np.random.default_rng(8))
    with pytest.raises(IncomparableError) as caught:
        compare_records(one, change(one))
    assert word in str(caught.value) and "measure both alike" in str(caught.value)


def test_kernels_of_one_processor_are_compared(make: Any) -> None:
    one = record(make, np.random.default_rng(8))
    other = replace(one, settings=replace(one.settings, accelerator="xnnpack"))
    assert compare_records(one, other).verdict is Verdict.CANNOT_TELL


def test_times_of_an_emulated_device_are_refused(make: Any) -> None:
    one = record(make, np.random.default_rng(9))
    one = replace(one, device=replace(one.device, kind=DeviceKind.EMULATED))
    with pytest.raises(IncomparableError, match="is emulated, so its times are not meaningful"):
        compare_records(one, one)


def test_invalid_and_untimed_records_are_refused(make: Any) -> None:
    one = record(make, np.random.default_rng(9))
    hot = replace(one, invalid=(invalidity(InvalidityCode.HOT, "95 °C"),))
    with pytest.raises(IncomparableError, match="is invalid: hot: 95 °C; let the device cool down"):
        compare_records(one, hot)
    failed = make.benchmark(status=Status.FAILED, reason="it broke")
    with pytest.raises(IncomparableError, match=r"was not timed \(failed\): it broke"):
        compare_records(failed, failed)
    assert one.settings.load_mode is LoadMode.FILE


def counted(make: Any, *rows: tuple[int, ...]) -> BenchmarkRecord:
    whole = make.benchmark()
    return replace(
        whole,
        status=Status.COUNTED,
        launches=(),
        instructions=InstructionCounts("cortex-a76", rows, warmup_inferences=1),
    )


def test_counts_need_no_statistics(make: Any) -> None:
    base = counted(make, (1_000_000, 1_000_010), (1_000_005, 1_000_000))
    assert compare_records(base, counted(make, (1_000_400, 1_000_300))).verdict is Verdict.CANNOT_TELL
    comparison: Comparison = compare_records(base, counted(make, (1_010_000, 1_010_000)))
    # More instructions, of which nothing says that they take longer.
    assert comparison.verdict is Verdict.MORE and comparison.ratio == pytest.approx(1.01, abs=1e-4)
    assert compare_records(comparison.candidate, base).verdict is Verdict.FEWER
    with pytest.raises(IncomparableError, match="what was measured"):
        compare_records(base, record(make, np.random.default_rng(10)))
