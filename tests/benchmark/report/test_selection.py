"""Which records a report shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmark.accuracy_records import Side
from benchmark.errors import ReportError
from benchmark.records import Status
from benchmark.report.pairs import is_alarming
from benchmark.report.selection import select
from export.precision import Precision, TargetName, Tower


def test_empty_store_says_what_to_do() -> None:
    with pytest.raises(ReportError, match="measure something with `bench` first"):
        select([], [])


def test_latest_record_of_each_device_and_artefact_stands(make: Any) -> None:
    old, phone, new = make.benchmark(), make.benchmark(device="phone"), make.benchmark()
    (selection,) = select([new, old, phone], [])
    assert set(selection.benchmarks) == {new, phone}
    assert selection.devices == ["host", "phone"]


def test_thread_counts_stand_side_by_side(make: Any) -> None:
    (selection,) = select([make.benchmark(threads=2), make.benchmark(threads=1)], [])
    assert [record.settings.threads for record in selection.benchmarks] == [1, 2]


def test_results_of_older_weights_are_left_out_and_counted(make: Any) -> None:
    records = [make.benchmark(TargetName.TFLITE, weights_sha256="old"), make.benchmark(TargetName.ONNX)]
    (selection,) = select(records, [make.accuracy(weights_sha256="old")])
    # The accuracy record is the youngest: its weights are the model's latest.
    assert [record.artifact.target for record in selection.benchmarks] == ["tflite"]
    assert (len(selection.accuracies), selection.older_weights) == (1, 1)


def test_models_are_kept_apart(make: Any) -> None:
    other = make.benchmark()
    other = replace(other, artifact=replace(other.artifact, model="mobileclip_s0", weights_sha256="s0"))
    assert [selection.model for selection in select([make.benchmark(), other], [])] == [
        "mobileclip_s0",
        "pocketclip_nano",
    ]


def test_pairs_add_both_towers_and_know_what_is_sound(make: Any) -> None:
    image, text = make.benchmark(median_ms=3.0), make.benchmark(tower=Tower.TEXT, median_ms=1.0)
    lonely = make.benchmark(TargetName.TFLITE)
    (selection,) = select([image, text, lonely], [make.accuracy()])
    (pair,) = selection.pairs("host")
    assert pair.latency_ns == pytest.approx(4e6, rel=0.2)
    assert pair.size_bytes == 22_000_000
    assert pair.sound
    assert pair.accuracy is not None


def test_pair_with_an_alarming_drop_or_a_failed_tower_is_not_sound(make: Any) -> None:
    image, text = make.benchmark(), make.benchmark(tower=Tower.TEXT)
    (selection,) = select([image, text], [make.accuracy(correct=1700)])
    assert not selection.pairs("host")[0].sound
    crashed = make.benchmark(tower=Tower.TEXT, status=Status.FAILED, reason="crashed")
    (selection,) = select([image, crashed], [])
    (pair,) = selection.pairs("host")
    assert (pair.failed, pair.sound, pair.latency_ns) == (True, False, None)


def test_table_order_is_that_of_the_vocabulary(make: Any) -> None:
    records = [
        make.benchmark(target, precision, tower)
        for target in (TargetName.TFLITE, TargetName.ONNX)
        for precision in (Precision.INT8_STATIC, Precision.FP32)
        for tower in (Tower.TEXT, Tower.IMAGE)
    ]
    (selection,) = select(records, [])
    assert [(r.artifact.target, r.artifact.precision, r.artifact.tower) for r in selection.benchmarks][:3] == [
        ("onnx", "fp32", "image"),
        ("onnx", "fp32", "text"),
        ("onnx", "int8-static", "image"),
    ]


def test_headline_is_the_set_on_which_most_pairs_were_judged(make: Any) -> None:
    image, text = make.benchmark(), make.benchmark(tower=Tower.TEXT)
    scenes = [make.accuracy(None), make.accuracy(correct=1790)]
    others = [make.accuracy(None, dataset="imagenet", correct=100), make.accuracy(None, dataset="imagenet-a")]
    (selection,) = select([image, text], [*scenes, *others])
    assert set(selection.headline) == set(scenes)
    assert selection.pairs("host")[0].accuracy == scenes[1]
    judged = make.accuracy(dataset="imagenet", correct=101, baseline=100)
    (selection,) = select([image, text], [*scenes, *others, judged])
    assert set(selection.headline) == {others[0], judged}
    assert len(selection.accuracies) == 5


def test_comparison_with_another_model_stands_beside_the_one_with_pytorch(make: Any) -> None:
    other = Side("mobileclip_s0", None, Precision.FP32, None, None, "s" * 64)
    own, foreign = make.accuracy(correct=1795), make.accuracy(correct=1795, baseline=1900, compared_with=other)
    (selection,) = select([make.benchmark(), make.benchmark(tower=Tower.TEXT)], [own, foreign])
    assert set(selection.accuracies) == {own, foreign}
    # Losing five points against a better model is no fault of the export.
    assert not is_alarming(foreign)
    assert selection.headline == (own,)
    assert selection.pairs("host")[0].sound
