"""The line over tags."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.history import draw_history, histories
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.selection import select
from pocketclip.export.precision import TargetName, Tower


def tagged(make: Any, tag: str | None, median_ms: float = 3.0, **changes: Any) -> Any:
    return replace(make.benchmark(median_ms=median_ms, launches=5, **changes), tag=tag)


def test_tags_stand_in_the_order_of_time_with_p50_and_interval(make: Any) -> None:
    records = [tagged(make, "zero", 4.0), tagged(make, "alpha", 3.0), tagged(make, "mid", 2.0), tagged(make, None, 1.0)]
    (selection,) = select(records, [])
    tags, (history,) = histories(selection, "host", records)
    assert tags == ("zero", "alpha", "mid")
    assert [time.p50_ns for time in history.times] == [pytest.approx(ms * 1e6, rel=0.1) for ms in (4, 3, 2)]
    assert all(time.interval_ns and time.interval_ns[0] <= time.interval_ns[1] for time in history.times)


def test_the_latest_valid_record_of_a_tag_counts_whatever_its_weights(make: Any, parts: Any) -> None:
    records = [
        tagged(make, "v1", 9.0),
        tagged(make, "v1", 4.0, weights_sha256="old"),
        parts.invalid(tagged(make, "v1", 0.1)),
        tagged(make, "v2", 3.0),
    ]
    (selection,) = select(records, [])
    _, (history,) = histories(selection, "host", records)
    assert [time.record for time in history.times] == [records[1], records[3]]


def test_a_record_that_is_dated_in_the_future_counts_as_the_oldest(make: Any) -> None:
    future = replace(tagged(make, "v1", 9.0), created_at="2999-01-01T00:00:00+00:00")
    records = [future, tagged(make, "v1", 4.0), tagged(make, "v2", 3.0)]
    (selection,) = select(records, [])
    tags, (history,) = histories(selection, "host", records)
    assert tags == ("v1", "v2")
    assert [time.record for time in history.times] == records[1:]


def test_one_tag_or_other_artefacts_make_no_line(make: Any, parts: Any) -> None:
    for records in (
        [tagged(make, "v1"), tagged(make, "v1"), tagged(make, None)],
        [tagged(make, "v1"), tagged(make, "v2", target=TargetName.TFLITE)],
        [tagged(make, "v1"), tagged(make, "v2", device="phone")],
        [replace(parts.counted(make.benchmark()), tag=tag) for tag in ("v1", "v2")],
    ):
        assert all(device.history is None for device in build_report(Material(records)).models[0].devices)


@pytest.mark.parametrize("width", [1080, 342])
def test_picture_has_a_panel_a_tower_and_no_label_on_another(make: Any, width: int) -> None:
    records = [
        tagged(make, f"release-2026.{month}", 3.0, target=target, tower=tower)
        for month in range(1, 13)
        for target in TargetName
        for tower in Tower
    ]
    (selection,) = select(records, [])
    tags, found = histories(selection, "host", records)
    drawn = ElementTree.fromstring(draw_history(tags, found, width))
    assert len(list(drawn.iter("polyline"))) == 2 * len(TargetName)
    words = [item for item in drawn.iter("text") if item.get("class") == "label"]
    spots = sorted((float(item.attrib["x"]), float(item.attrib["y"])) for item in words)
    assert all(other[1] - one[1] > 11 for one, other in itertools.pairwise(spots) if one[0] == other[0])
    ticks = [
        (float(item.attrib["y"]), float(item.attrib["x"]), item.text or "")
        for item in drawn.iter("text")
        if item.get("class") == "tick" and item.get("text-anchor") == "middle"
    ]
    for one, other in zip(sorted(ticks), sorted(ticks)[1:], strict=False):
        if one[0] == other[0]:
            assert one[1] + 3 * len(one[2]) < other[1] - 3 * len(other[2])
    assert "release-2026.12" in {tick[2] for tick in ticks} or width == 342
    texts = {item.text for item in drawn.iter("text")}
    assert {"image tower, p50, ms (log scale)", "text tower, p50, ms (log scale)"} <= texts
