"""The cost of both towers, and whose fault it is where there is none: the device's, or the artefact's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.errors import DeviceUnfitError, MeasurementError
from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.records.profile import InstructionCounts
from pocketclip.benchmark.records.validity import Invalidity, InvalidityCode
from pocketclip.benchmark.tune.costing import cost_of, device_codes
from pocketclip.benchmark.tune.queueing import OF_A_TRIAL
from pocketclip.benchmark.tune.trials import Cost
from pocketclip.export.precision import Tower


def test_latency_is_that_of_both_towers_with_an_interval(make: Any) -> None:
    pair = [make.benchmark(tower=tower, median_ms=ms, launches=8) for tower, ms in ((Tower.IMAGE, 3), (Tower.TEXT, 1))]
    cost = cost_of(pair, Cost.LATENCY, allow_invalid=False)
    assert cost.value == pytest.approx(4e6, rel=0.1)
    assert 0.9 * cost.value < cost.low <= cost.value <= cost.high < 1.1 * cost.value


def test_the_interval_covers_the_truth_as_often_as_it_says(make: Any) -> None:
    # Of 60 intervals of 12 launches, some 56 hold the median that the launches are drawn around.
    held = 0
    for _ in range(60):
        pair = [make.benchmark(median_ms=2.0, launches=12) for _ in Tower]
        cost = cost_of(pair, Cost.LATENCY, allow_invalid=False)
        # The maker's samples lie above their launch's drift by the median of its noise.
        held += cost.low <= 2 * 2.0e6 * 1.0268 <= cost.high
    assert held >= 48


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("device-disconnected: it went away", DeviceUnfitError),
        ("device-full: no space", DeviceUnfitError),
        ("screen-locked: unlock it", DeviceUnfitError),
        ("app-outdated: build it again", DeviceUnfitError),
        ("agent-crashed: SIGSEGV", MeasurementError),
        ("result-invalid: NaN", MeasurementError),
    ],
)
def test_a_device_that_goes_away_is_no_fault_of_the_trial(make: Any, reason: str, error: type[Exception]) -> None:
    failed = make.benchmark(status=Status.FAILED, reason=reason, device="pixel7")
    with pytest.raises(error, match=reason.partition(":")[0]):
        cost_of([failed], Cost.LATENCY, allow_invalid=False)
    # The queue makes a result of the one, and lets the other end the call.
    assert issubclass(error, OF_A_TRIAL) == (error is MeasurementError)


def test_agents_that_fail_are_none_of_the_devices_codes() -> None:
    assert "agent-failed" not in device_codes()
    assert {"transport-failed", "device-offline", "device-busy"} & device_codes() >= {"transport-failed"}


def test_records_under_unfit_conditions_count_where_you_say_so(make: Any) -> None:
    busy = Invalidity(InvalidityCode.BUSY, "2 of 2 launches", "close other programs")
    pair = [replace(make.benchmark(tower=tower), invalid=(busy,)) for tower in Tower]
    with pytest.raises(DeviceUnfitError, match=r"was unfit to measure: busy: .*--allow-invalid"):
        cost_of(pair, Cost.LATENCY, allow_invalid=False)
    assert cost_of(pair, Cost.LATENCY, allow_invalid=True).value > 0


def test_instructions_are_counted_and_times_are_none(make: Any) -> None:
    counts = InstructionCounts("cortex-a76", ((1000, 1002), (1001, 1001)), 2)
    pair = [
        replace(make.benchmark(tower=tower), status=Status.COUNTED, launches=(), instructions=counts) for tower in Tower
    ]
    cost = cost_of(pair, Cost.INSTRUCTIONS, allow_invalid=False)
    assert cost.value == pytest.approx(2002) and cost.low < cost.value < cost.high
    with pytest.raises(MeasurementError, match="not measured"):
        cost_of(pair, Cost.LATENCY, allow_invalid=False)
