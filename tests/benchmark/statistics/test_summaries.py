"""Statistics against values worked out by hand and against simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.statistics.summaries import (
    launch_interval,
    median_first_inference_ns,
    median_load_ns,
    median_peak_bytes,
    summarize_counts,
    summarize_latency,
)


def test_percentiles_pool_and_spread_compares_launches(make: Any) -> None:
    launches = [
        replace(make.launch(1.0), steady_ns=samples) for samples in ((100, 200, 300), (200, 300, 400), (110, 210, 310))
    ]
    summary = summarize_latency(launches)
    assert summary.samples == 9
    assert summary.p50_ns == 210
    assert summary.mad_ns == 90
    assert summary.launch_medians_ns == (200, 300, 210)
    assert summary.launch_median_ns == 210
    assert summary.launch_spread == pytest.approx(100 / 210)
    assert summary.interval_ns is None
    assert summary.p50_ns <= summary.p90_ns <= summary.p95_ns <= summary.p99_ns <= 400


def test_no_launch_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one launch"):
        summarize_latency([])


def test_interval_needs_five_launches_and_holds_their_median() -> None:
    assert launch_interval([1.0, 2.0, 3.0, 4.0]) is None
    assert launch_interval([2.0] * 5) == (2.0, 2.0)
    medians = [10.0, 11.0, 10.5, 12.0, 10.2, 10.9, 11.4]
    interval = launch_interval(medians)
    assert interval is not None
    assert min(medians) <= interval[0] <= np.median(medians) <= interval[1] <= max(medians)
    assert launch_interval(medians) == interval


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        interval = launch_interval(list(generator.normal(100.0, 5.0, 15)))
        assert interval is not None
        hits += interval[0] <= 100.0 <= interval[1]
    assert hits >= 50


def test_medians_over_launches(make: Any) -> None:
    record = make.benchmark(launches=3)
    assert median_load_ns(record) == np.median([launch.load_ns for launch in record.launches])
    assert median_first_inference_ns(record) == record.launches[0].first_inference_ns
    unknown = replace(record, launches=tuple(replace(launch, peak_bytes=None) for launch in record.launches))
    assert median_peak_bytes(record) is not None
    assert median_peak_bytes(unknown) is None


def test_counts_take_the_median_of_processes_and_their_range() -> None:
    summary = summarize_counts(((1000, 1002), (999, 999), (1011, 1011)))
    assert (summary.per_inference, summary.processes, summary.inferences) == (1001, 3, 6)
    assert summary.spread_share == pytest.approx(12 / 1001)
    assert summary.repeatable is False


def test_counts_within_a_thousandth_are_repeatable() -> None:
    assert summarize_counts(((483_639_977,), (483_640_191,))).repeatable is True


def test_one_process_tells_no_spread() -> None:
    summary = summarize_counts(((7, 8),))
    assert (summary.spread_share, summary.repeatable) == (None, None)
