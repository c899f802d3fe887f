"""Figures derived from counts, profiles, sustained runs and preparation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.records.launch import MachineState, Minute
from pocketclip.benchmark.records.profile import OpProfile, OpTime, Preparation, PreparationStep
from pocketclip.benchmark.report.derived import (
    share_between_ops,
    share_outside_delegates,
    summarize_minutes,
    summarize_preparation,
    top_ops,
)
from pocketclip.benchmark.statistics.summaries import delegates


def profile(*ops: tuple[str, str | None, int], inference_ns: int = 1000) -> OpProfile:
    return OpProfile(
        "a profiler",
        (inference_ns,),
        tuple(OpTime(f"{op}_{index}", op, delegate, 2, total) for index, (op, delegate, total) in enumerate(ops)),
    )


def test_ops_are_summed_by_kind_and_delegate() -> None:
    found = top_ops(profile(("Conv", "X", 300), ("Conv", "X", 100), ("Conv", None, 50), ("Add", None, 150)), 8)
    assert [(op.op, op.delegate, op.nodes, op.calls, op.total_ns) for op in found] == [
        ("Conv", "X", 2, 4, 400),
        ("Add", None, 1, 2, 150),
        ("Conv", None, 1, 2, 50),
    ]
    assert [op.share for op in found] == pytest.approx([400 / 600, 150 / 600, 50 / 600])


def test_the_rest_is_summed_by_delegate_and_nothing_is_lost() -> None:
    ops = [(f"op{index}", "X" if index % 2 else None, 100 - index) for index in range(12)]
    found = top_ops(profile(*ops), 4)
    assert [op.op for op in found] == ["op0", "op1", "op2", "op3", None, None]
    assert {op.delegate for op in found[4:]} == {"X", None}
    assert sum(op.total_ns for op in found) == sum(total for *_, total in ops)
    assert sum(op.share for op in found) == pytest.approx(1)


def test_a_rest_of_one_is_shown_by_name() -> None:
    ops = [(f"op{index}", None, 100 - index) for index in range(5)]
    assert [op.op for op in top_ops(profile(*ops), 4)] == ["op0", "op1", "op2", "op3", "op4"]


def test_share_outside_the_delegates() -> None:
    mixed = profile(("Conv", "XNNPACK", 300), ("Gelu", None, 100), ("Pad", "Core ML", 0))
    assert share_outside_delegates(mixed) == pytest.approx(0.25)
    assert delegates(mixed) == ["Core ML", "XNNPACK"]
    assert share_outside_delegates(profile(("Conv", None, 300))) is None


def test_time_between_ops() -> None:
    assert share_between_ops(profile(("Conv", None, 900))) == pytest.approx(0.1)
    # A delegate's ops may run beside one another: more time than the inference took.
    assert share_between_ops(profile(("Conv", None, 1100))) is None


def test_ops_that_took_no_time_have_no_share() -> None:
    assert [op.share for op in top_ops(profile(("Conv", None, 0)), 4)] == [0.0]


def test_minutes_keep_what_the_device_tells(make: Any) -> None:
    state = MachineState(at="2026-03-01T00:01:00+00:00", clock_khz=(2_000_000, 1_800_000), temperature_celsius=41.5)
    blind = MachineState(at="2026-03-01T00:02:00+00:00")
    launch = make.benchmark().launches[0]
    launch = replace(launch, minutes=(Minute((100, 200, 300), state), Minute((400,), blind)))
    first, second = summarize_minutes(launch)
    assert (first.minute, first.samples, first.p50_ns) == (1, 3, 200)
    assert (first.clock_khz, first.temperature_celsius) == (2_000_000, 41.5)
    assert (second.p10_ns, second.p90_ns, second.clock_khz, second.temperature_celsius) == (400, 400, None, None)


def test_preparation() -> None:
    summary = summarize_preparation(Preparation(PreparationStep.TOKENIZE, "python", (10, 20, 30)))
    assert (summary.samples, summary.p50_ns, summary.p90_ns) == (3, 20, pytest.approx(28))
