"""Scales, ticks and the two pictures: well-formed, complete, and silent on what was not timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.report import svg
from pocketclip.benchmark.report.distributions import draw_distributions
from pocketclip.benchmark.report.pairs import Pair
from pocketclip.benchmark.report.pareto import describe, draw_pareto, plot
from pocketclip.benchmark.report.sustained import draw_sustained
from pocketclip.export.precision import Precision, TargetName, Tower


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


def drawn_pareto(pairs: list[Pair], baselines: Sequence[AccuracyRecord] = (), width: int = 1080) -> ElementTree.Element:
    drawn = draw_pareto(plot(pairs), baselines, width)
    assert drawn is not None
    return ElementTree.fromstring(drawn)


def boxes(drawn: ElementTree.Element, class_: str) -> list[svg.Box]:
    """About what each text of a class covers."""
    found: list[svg.Box] = []
    for item in drawn.iter("text"):
        if item.get("class") == class_:
            x, y, wide = float(item.attrib["x"]), float(item.attrib["y"]), 6.2 * len(item.text or "")
            left = x - wide if item.get("text-anchor") == "end" else x
            found.append(svg.Box(left, y - 10, left + wide, y + 2))
    return found


@pytest.mark.parametrize("width", [1080, 342])
def test_pareto_names_every_timed_pair_and_lists_the_others(make: Any, width: int) -> None:
    pairs = [
        pair(make, TargetName.ONNX, Precision.FP32, median_ms=4.0),
        pair(make, TargetName.TFLITE, Precision.INT8_STATIC, median_ms=2.0),
        pair(make, TargetName.COREML, Precision.FP16, status=Status.PARITY_ONLY, reason="parity only"),
        pair(make, TargetName.EXECUTORCH, Precision.FP32, status=Status.FAILED, reason="crashed"),
    ]
    words = texts(draw_pareto(plot(pairs), [make.accuracy(None)], width))
    assert {"onnx fp32", "tflite int8-static", "PyTorch 90.0 %"} <= set(words)
    assert not any("executorch" in word or "coreml" in word for word in words)
    assert "latency of image + text, p50, ms (log scale)" in words
    assert "zero-shot accuracy, %" in words
    described = [describe(each) for each in plot(pairs)]
    assert len(described) == 3
    assert described[-1].startswith("coreml fp16: 90.0")
    assert "without a valid time" in described[-1]


@pytest.mark.parametrize("width", [1080, 342])
@pytest.mark.parametrize("count", [5, 24])
def test_pareto_labels_cover_neither_each_other_nor_the_edge(make: Any, width: int, count: int) -> None:
    pairs: list[Pair] = []
    for index in range(count):
        target = list(TargetName)[index % len(TargetName)]
        model = f"open_clip-ViT-B-16-{index // 5}"
        towers = [
            make.benchmark(target, Precision.FP32, tower, median_ms=3.0 + 0.02 * index, launches=1) for tower in Tower
        ]
        image, text = (replace(record, artifact=replace(record.artifact, model=model)) for record in towers)
        pairs.append(Pair(image, text, make.accuracy(target, Precision.FP32, model=model)))
    drawn = drawn_pareto(pairs, [make.accuracy(None)], width)
    labels = boxes(drawn, "label")
    assert len(labels) == count
    for index, label in enumerate(labels):
        assert label.left >= 0 and label.right <= width
        assert all(label.overlap(other) < 1 for other in labels[:index])
    # What has no room for its name has its number, which the list under the picture explains.
    names = [item.text or "" for item in drawn.iter("text") if item.get("class") == "label"]
    assert all(
        name.isdecimal() or name.startswith(("open_clip", "onnx", "coreml", "coreai", "executorch", "tflite"))
        for name in names
    )
    assert any(name.isdecimal() for name in names) is (count == 24 or width == 342)


def test_pareto_needs_latency_and_accuracy(make: Any) -> None:
    untimed = pair(make, TargetName.COREML, Precision.FP16, status=Status.PARITY_ONLY, reason="parity only")
    assert draw_pareto(plot([untimed]), [], 1080) is None
    unjudged = replace(pair(make, TargetName.ONNX, Precision.FP32), accuracy=None)
    assert plot([unjudged]) == []


def test_pareto_rings_the_front_alone(make: Any) -> None:
    pairs = [
        pair(make, TargetName.ONNX, Precision.FP32, median_ms=4.0),
        pair(make, TargetName.TFLITE, Precision.FP32, median_ms=2.0),
        pair(make, TargetName.TFLITE, Precision.INT8_STATIC, median_ms=1.0),
    ]
    pairs[2] = replace(pairs[2], accuracy=make.accuracy(TargetName.TFLITE, Precision.INT8_STATIC, correct=1700))
    front = [each for each in plot(pairs) if each.on_front]
    assert [each.pair for each in front] == [pairs[2], pairs[1]]
    assert [describe(each).endswith(", on the Pareto front") for each in plot(pairs)] == [True, True, False]
    drawn = drawn_pareto(pairs)
    assert len([item for item in drawn.iter("circle") if item.get("class") == "ring"]) == 2
    assert len([item for item in drawn.iter("polyline") if item.get("class") == "front"]) == 1


def test_pareto_has_all_models_and_one_line_for_equal_baselines(make: Any) -> None:
    ours, theirs = pair(make, TargetName.ONNX, Precision.FP32), pair(make, TargetName.ONNX, Precision.FP32)
    image, text = (
        replace(record, artifact=replace(record.artifact, model="mobileclip_s0")) for record in theirs.towers
    )
    theirs = Pair(image, text, make.accuracy(model="mobileclip_s0"))
    drawn = drawn_pareto([ours, theirs], [make.accuracy(None), make.accuracy(None, model="mobileclip_s0")])
    words = [item.text or "" for item in drawn.iter("text")]
    assert {"pocketclip_nano onnx fp32", "mobileclip_s0 onnx fp32"} <= set(words)
    assert "PyTorch 90.0 % (pocketclip_nano, mobileclip_s0)" in words


def test_pareto_keeps_invalid_pairs_off_the_picture(make: Any, parts: Any) -> None:
    good, bad = (pair(make, target, Precision.FP32) for target in (TargetName.ONNX, TargetName.TFLITE))
    bad = replace(bad, image=parts.invalid(bad.image))
    assert "tflite fp32" not in texts(draw_pareto(plot([good, bad]), [], 1080))


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


def test_sustained_curve_of_a_device_in_the_frost(make: Any, parts: Any) -> None:
    launch = parts.sustained(make.benchmark()).sustained
    cold = tuple(
        replace(each, after=replace(each.after, temperature_celsius=-20.0 - minute))
        for minute, each in enumerate(launch.minutes)
    )
    drawn = draw_sustained(replace(launch, minutes=cold), TargetName.ONNX, 960)
    assert len(list(ElementTree.fromstring(drawn or "").iter("polyline"))) == 3
    assert {"-30", "-25", "-20"} <= set(texts(drawn))


def test_sustained_ticks_stay_apart_in_a_long_run(make: Any, parts: Any) -> None:
    launch = parts.sustained(make.benchmark(), minutes=30).sustained
    minutes = [word for word in texts(draw_sustained(launch, TargetName.ONNX, 342)) if word in ("5", "10", "30", "7")]
    assert minutes.count("10") >= 1
    assert "7" not in minutes
