"""Scales, ticks and the two pictures: well-formed, complete, and silent on what was not timed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.records import Status
from benchmark.report import svg
from benchmark.report.distributions import draw_distributions
from benchmark.report.pairs import Pair
from benchmark.report.scatter import draw_scatter
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
