"""Scales, ticks and the two pictures: well-formed, complete, and silent on what was not timed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.records import Status
from benchmark.report import svg
from benchmark.report.distributions import draw_distributions
from benchmark.report.pairs import Pair, rank
from benchmark.report.scatter import describe_point, draw_scatter
from benchmark.report.sustained import draw_sustained
from export.precision import Precision, TargetName, Tower


def texts(drawn: str | None) -> list[str]:
    assert drawn is not None
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter("text")]


def pair(make: Any, target: TargetName, precision: Precision, **changes: Any) -> Pair:
    image, text = (make.benchmark(target, precision, tower, **changes) for tower in Tower)
    return Pair(image, text, make.accuracy(target, precision))


def test_scales_and_ticks() -> None:
    assert svg.Scale(0, 10, 100, 200)(5) == 150
    assert svg.Scale(1, 100, 0, 10, logarithmic=True)(10) == pytest.approx(5)
    assert svg.log_ticks(0.9, 60) == [1, 2, 5, 10, 20, 50]
    assert svg.linear_ticks(86.9, 91.3) == [87, 88, 89, 90, 91]
    assert len(svg.linear_ticks(-0.003, 0.004)) >= 3


def test_text_is_escaped() -> None:
    assert "<b>" not in svg.text(0, 0, "<b>&", class_='"')


def test_targets_differ_in_shape() -> None:
    shapes = {svg.marker(target, 0.0, 0.0).split("class=")[0] for target in TargetName}
    assert len(shapes) == len(TargetName)


@pytest.mark.parametrize("width", [960, 342])
def test_scatter_labels_every_pair(make: Any, width: int) -> None:
    pairs = [
        pair(make, TargetName.ONNX, Precision.FP32, median_ms=4.0),
        pair(make, TargetName.TFLITE, Precision.INT8_STATIC, median_ms=2.0),
        pair(make, TargetName.COREML, Precision.FP16, status=Status.PARITY_ONLY, reason="parity only"),
        pair(make, TargetName.EXECUTORCH, Precision.FP32, status=Status.FAILED, reason="crashed"),
    ]
    words = texts(draw_scatter(pairs, make.accuracy(None), width))
    assert {"onnx fp32", "tflite int8-static", "fp16", "not timed", "PyTorch 90.0 %"} <= set(words)
    assert not any("executorch" in word for word in words)


def test_scatter_labels_do_not_cover_each_other(make: Any) -> None:
    pairs = [pair(make, target, Precision.FP32, median_ms=3.0) for target in TargetName]
    drawn = ElementTree.fromstring(draw_scatter(pairs, None, 960) or "")
    spots = [
        (float(item.attrib["x"]), float(item.attrib["y"]))
        for item in drawn.iter("text")
        if item.get("class") == "label"
    ]
    assert len(spots) == len(TargetName)
    for index, (x, y) in enumerate(spots):
        assert all(abs(y - other_y) > 12 or abs(x - other_x) > 60 for other_x, other_y in spots[:index])


def test_scatter_needs_latency_and_accuracy(make: Any) -> None:
    untimed = pair(make, TargetName.COREML, Precision.FP16, status=Status.PARITY_ONLY, reason="parity only")
    assert draw_scatter([untimed], None, 960) is None
    unjudged = replace(pair(make, TargetName.ONNX, Precision.FP32), accuracy=None)
    assert draw_scatter([unjudged], None, 960) is None


def test_scatter_rings_the_front_alone(make: Any) -> None:
    pairs = [
        pair(make, TargetName.ONNX, Precision.FP32, median_ms=4.0),
        pair(make, TargetName.TFLITE, Precision.FP32, median_ms=2.0),
    ]
    rings = [
        item for item in ElementTree.fromstring(draw_scatter(pairs, None, 960) or "") if item.get("class") == "ring"
    ]
    assert len(rings) == 1
    assert "on the Pareto front" in describe_point(rank(pairs)[1])
    assert "Pareto" not in describe_point(rank(pairs)[0])


def test_scatter_keeps_invalid_pairs_out_of_the_latency_axis(make: Any, parts: Any) -> None:
    good, bad = (pair(make, target, Precision.FP32) for target in (TargetName.ONNX, TargetName.TFLITE))
    bad = replace(bad, image=parts.invalid(bad.image))
    words = texts(draw_scatter([good, bad], None, 960))
    assert "no valid time" in words
    assert "tflite fp32" not in words


@pytest.mark.parametrize("width", [960, 342])
def test_distribution_has_a_box_per_launch(make: Any, width: int) -> None:
    records = [
        make.benchmark(launches=4),
        make.benchmark(TargetName.TFLITE, launches=2),
        make.benchmark(TargetName.COREML, status=Status.PARITY_ONLY, reason="parity only"),
    ]
    drawn = draw_distributions(records, width)
    assert drawn is not None
    assert len(list(ElementTree.fromstring(drawn).iter("rect"))) == 6
    assert not any("coreml" in word for word in texts(drawn))
    assert draw_distributions(records[2:], width) is None


def test_distribution_of_identical_samples(make: Any) -> None:
    record = make.benchmark(launches=1)
    still = replace(record, launches=(replace(record.launches[0], steady_ns=(5, 5, 5)),))
    assert len(texts(draw_distributions([still], 960))) > 3


@pytest.mark.parametrize("width", [960, 342])
def test_sustained_curve_has_a_panel_for_each_thing_told(make: Any, parts: Any, width: int) -> None:
    told = parts.sustained(make.benchmark()).sustained
    drawn = ElementTree.fromstring(draw_sustained(told, TargetName.ONNX, width) or "")
    assert len(list(drawn.iter("polyline"))) == 3
    assert len(list(drawn.iter("circle"))) == 30
    blind = parts.sustained(make.benchmark(), told=False).sustained
    drawn = draw_sustained(blind, TargetName.ONNX, width)
    assert len(list(ElementTree.fromstring(drawn or "").iter("polyline"))) == 1
    assert not any("clock" in word for word in texts(drawn))


def test_sustained_curve_of_one_minute_and_of_none(make: Any, parts: Any) -> None:
    launch = parts.sustained(make.benchmark(), minutes=1).sustained
    assert "1" in texts(draw_sustained(launch, TargetName.ONNX, 960))
    assert draw_sustained(replace(launch, minutes=()), TargetName.ONNX, 960) is None


def test_sustained_ticks_stay_apart_in_a_long_run(make: Any, parts: Any) -> None:
    launch = parts.sustained(make.benchmark(), minutes=30).sustained
    minutes = [word for word in texts(draw_sustained(launch, TargetName.ONNX, 342)) if word in ("5", "10", "30", "7")]
    assert minutes.count("10") >= 1
    assert "7" not in minutes
