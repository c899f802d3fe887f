"""Latencies of launches with what `benchmark.statistics.summaries` makes of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from pocketclip.benchmark.statistics.summaries import summarize_latency
from tests.app_golden.protocol_examples import launch

_SEED = 17


def statistics_cases() -> list[dict[str, Any]]:
    """Launches' steady samples (`steady_ns`) and their summary, without what only Python works out."""
    generator = np.random.default_rng(_SEED)
    drawn = [
        [generator.gamma(3, 1e6, count).astype(np.int64) + 2_000_000 for count in counts]
        for counts in ((7,), (8,), (100,), (15, 16), (33, 47, 21), (100, 100, 100, 100, 100, 100))
    ]
    fixed: list[list[list[int]]] = [[[5]], [[1, 2]], [[4, 4, 4]], [[3, 3, 3], [3]], [[10**15 + 1, 10**15, 7]]]
    cases = []
    for launches in [*fixed, *([values.tolist() for values in case] for case in drawn)]:
        summary = asdict(summarize_latency([launch(steady_ns=tuple(values)) for values in launches]))
        # The interval is a bootstrap by numpy's own random numbers.
        del summary["interval_ns"]
        cases.append({"steady_ns": launches, "summary": summary})
    return cases
