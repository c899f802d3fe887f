"""The Pareto front: who competes, and who beats whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.records.benchmark import DeviceKind, Status
from pocketclip.benchmark.report.pairs import Pair, Place, rank
from pocketclip.export.precision import Precision, TargetName, Tower


def pair(
    make: Any,
    milliseconds: float,
    correct: int | None,
    size: int,
    target: TargetName = TargetName.ONNX,
    precision: Precision = Precision.FP32,
    **changes: Any,
) -> Pair:
    image, text = (
        make.benchmark(target, precision, tower, median_ms=milliseconds, size_bytes=size, **changes) for tower in Tower
    )
    return Pair(image, text, None if correct is None else make.accuracy(target, precision, correct=correct))


def places(pairs: list[Pair]) -> list[Place]:
    return [standing.place for standing in rank(pairs)]


def test_front_has_what_is_best_in_accuracy_latency_or_size(make: Any) -> None:
    accurate = pair(make, 9.0, 1800, 9)
    fast = pair(make, 1.0, 1700, 9)
    small = pair(make, 9.0, 1700, 2)
    beaten = pair(make, 12.0, 1699, 10)
    standings = rank([beaten, accurate, fast, small])
    assert [standing.place for standing in standings] == [Place.BEATEN, Place.FRONT, Place.FRONT, Place.FRONT]
    assert standings[0].beaten_by is fast


def test_whoever_beats_is_on_the_front(make: Any) -> None:
    best, middle, worst = pair(make, 1.0, 1800, 1), pair(make, 4.0, 1790, 2), pair(make, 16.0, 1780, 3)
    assert [standing.beaten_by for standing in rank([worst, middle, best])] == [best, best, None]


def test_equals_do_not_beat_each_other(make: Any) -> None:
    one = pair(make, 2.0, 1800, 5)
    assert places([one, replace(one)]) == [Place.FRONT, Place.FRONT]


def test_more_threads_beat_nobody_with_fewer(make: Any) -> None:
    assert places([pair(make, 8.0, 1800, 5), pair(make, 2.0, 1800, 5, threads=4)]) == [Place.FRONT, Place.FRONT]


def test_other_cores_are_another_field(make: Any) -> None:
    slow, fast = pair(make, 8.0, 1800, 5), pair(make, 2.0, 1800, 5)
    image, text = (replace(each, settings=replace(each.settings, cores=(6, 7))) for each in fast.towers)
    assert places([slow, replace(fast, image=image, text=text)]) == [Place.FRONT, Place.FRONT]


def test_what_has_no_valid_time_does_not_compete(make: Any, parts: Any) -> None:
    ranked = pair(make, 5.0, 1700, 9)
    invalid = pair(make, 0.1, 1800, 1)
    invalid = replace(invalid, text=parts.invalid(invalid.text))
    emulated = pair(make, 0.1, 1800, 1)
    emulated = replace(
        emulated,
        **{
            name: replace(record, device=replace(record.device, kind=DeviceKind.EMULATED))
            for name, record in zip(("image", "text"), emulated.towers, strict=True)
        },
    )
    counted = pair(make, 0.1, 1800, 1)
    counted = replace(counted, image=parts.counted(counted.image), text=parts.counted(counted.text))
    untimed = pair(make, 0.1, 1800, 1, status=Status.PARITY_ONLY, reason="parity only")
    failed = pair(make, 0.1, 1800, 1, status=Status.FAILED, reason="crashed")
    unjudged = pair(make, 0.1, None, 1)
    first, *others = rank([ranked, invalid, emulated, counted, untimed, failed, unjudged])
    assert first.place is Place.FRONT
    assert {standing.place for standing in others} == {Place.NOT_RANKED}
    assert [standing.reason for standing in others] == [
        "invalid: busy", "emulated", "emulated", "not timed", "failed", "accuracy not evaluated",
    ]  # fmt: skip
    assert [each.pair.latency_ns for each in others[:5]] == [None] * 5


@pytest.mark.parametrize("kind", [DeviceKind.HOST, DeviceKind.PHONE, DeviceKind.BOARD])
def test_real_devices_are_timed(make: Any, kind: DeviceKind) -> None:
    record = make.benchmark()
    assert replace(record, device=replace(record.device, kind=kind)).rankable
