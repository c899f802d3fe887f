"""Figures that only the report needs, derived from the raw samples of a record without intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.records.profile import OpProfile, Preparation
from pocketclip.benchmark.statistics import summaries as statistics
from pocketclip.benchmark.statistics.summaries import delegates


@dataclass(frozen=True)
class OpShare:
    """All nodes of one kind of op in one delegate, or the runtime itself where that is None.

    `share` is that of the time of all ops; the ops that `top_ops` sums have the kind None.
    """

    op: str | None
    delegate: str | None
    nodes: int
    calls: int
    total_ns: int
    share: float


def top_ops(profile: OpProfile, most: int) -> list[OpShare]:
    """Time by op and delegate, the longest first; those after the first `most` are summed by delegate."""
    groups: dict[tuple[str, str | None], list[int]] = {}
    for node in profile.ops:
        sums = groups.setdefault((node.op, node.delegate), [0, 0, 0])
        for index, value in enumerate((1, node.calls, node.total_ns)):
            sums[index] += value
    ordered = sorted(groups.items(), key=lambda item: -item[1][2])
    # One more than the most is shown rather than summed with nothing.
    cut = most if len(ordered) > most + 1 else len(ordered)
    rest: dict[str | None, list[int]] = {}
    for (_, delegate), sums in ordered[cut:]:
        summed = rest.setdefault(delegate, [0, 0, 0])
        for index, value in enumerate(sums):
            summed[index] += value
    shown: list[tuple[tuple[str | None, str | None], list[int]]] = [*ordered[:cut]]
    shown += [((None, delegate), sums) for delegate, sums in sorted(rest.items(), key=lambda item: -item[1][2])]
    whole = sum(sums[2] for _, sums in ordered)
    return [
        OpShare(op, delegate, nodes, calls, total, total / whole if whole else 0.0)
        for (op, delegate), (nodes, calls, total) in shown
    ]


def share_outside_delegates(profile: OpProfile) -> float | None:
    """Share of the ops' time that the runtime's own kernels took; None where no delegate ran."""
    return statistics.share_outside_delegates(profile) if delegates(profile) else None


def share_between_ops(profile: OpProfile) -> float | None:
    """Share of the inferences' time that belongs to no op; None where the profiler's ops take more than they do."""
    inferences, ops = sum(profile.inference_ns), sum(node.total_ns for node in profile.ops)
    return 1 - ops / inferences if inferences and ops <= inferences else None


@dataclass(frozen=True)
class MinuteSummary:
    """One minute of a sustained run; the clock is that of the fastest core at its end."""

    minute: int
    samples: int
    p50_ns: float
    p10_ns: float
    p90_ns: float
    clock_khz: int | None
    temperature_celsius: float | None


def summarize_minutes(launch: Launch) -> list[MinuteSummary]:
    """The minutes of a sustained launch, counted from 1; empty where it kept none."""
    found: list[MinuteSummary] = []
    for number, minute in enumerate(launch.minutes, 1):
        low, middle, high = (float(value) for value in np.percentile(minute.steady_ns, (10, 50, 90)))
        after = minute.after
        clock = max(after.clock_khz) if after.clock_khz else None
        found.append(MinuteSummary(number, len(minute.steady_ns), middle, low, high, clock, after.temperature_celsius))
    return found


@dataclass(frozen=True)
class PreparationSummary:
    """Time to make one input."""

    samples: int
    p50_ns: float
    p90_ns: float


def summarize_preparation(preparation: Preparation) -> PreparationSummary:
    """Summarises the samples."""
    middle, high = (float(value) for value in np.percentile(preparation.samples_ns, (50, 90)))
    return PreparationSummary(len(preparation.samples_ns), middle, high)
