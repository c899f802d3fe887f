"""Candidate against baseline: a tag, a model, a precision, or floating point of the same runtime."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.errors import ReportError
from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.report.changes import PairChange, pair_changes
from pocketclip.benchmark.report.comparison import Baseline, BaselineKind, compare_all
from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.selection import select
from pocketclip.benchmark.report.structured import render_json
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.statistics.intervals import wilson_interval
from pocketclip.models.statistics.judgement import Verdict


def pair(make: Any, target: TargetName, precision: Precision, model: str = "pocketclip_nano", **changes: Any) -> Any:
    """Both towers' records; their files have names of their own."""
    records = [make.benchmark(target, precision, tower, **changes) for tower in Tower]
    return [
        replace(
            record,
            artifact=replace(
                record.artifact, model=model, sha256=f"{model}-{record.artifact.sha256}-{record.record_id}"
            ),
        )
        for record in records
    ]


def judged(record: AccuracyRecord, towers: list[BenchmarkRecord]) -> AccuracyRecord:
    """The record as one of these very files."""
    image, text = towers
    return replace(
        record, model=image.artifact.model, image_sha256=image.artifact.sha256, text_sha256=text.artifact.sha256
    )


def with_wilson(record: AccuracyRecord) -> AccuracyRecord:
    """The record with the interval that `eval` gives it."""
    interval = wilson_interval(record.correct, record.samples)
    return replace(record, accuracy_low=interval.low, accuracy_high=interval.high)


def changes(
    baseline: Baseline, kind: BaselineKind, name: str, benchmarks: list[BenchmarkRecord], accuracies: Any = ()
) -> list[PairChange]:
    selections = select(benchmarks, accuracies)
    found = compare_all(replace(baseline, kind=kind, name=name), selections, benchmarks)
    return pair_changes(found, selections, accuracies)[0]


def schemes(found: list[PairChange]) -> list[tuple[str, str]]:
    return [(each.candidate.artifact.precision, each.baseline.artifact.precision) for each in found]


def test_float_is_fp32_or_what_the_target_has(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32, median_ms=4.0),
        *pair(make, TargetName.ONNX, Precision.INT8_STATIC, median_ms=2.0),
        *pair(make, TargetName.COREML, Precision.FP16, median_ms=4.0),
        *pair(make, TargetName.COREML, Precision.INT8_WEIGHTS, median_ms=4.0),
        # No fp32 of this runtime was measured: it has no baseline.
        *pair(make, TargetName.TFLITE, Precision.INT8_STATIC),
    ]
    found = changes(baseline, BaselineKind.FLOAT, "", benchmarks)
    assert schemes(found) == [("int8-static", "fp32"), ("int8-weights", "fp16")]
    with_fp32 = [*benchmarks, *pair(make, TargetName.COREML, Precision.FP32)]
    assert schemes(changes(baseline, BaselineKind.FLOAT, "", with_fp32)) == [
        ("int8-static", "fp32"),
        ("fp16", "fp32"),
        ("int8-weights", "fp32"),
    ]
    outcome = found[0].towers[Tower.IMAGE].outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.ratio) == ("faster", pytest.approx(0.5, rel=0.1))
    report = build_report(Material(benchmarks, baseline=replace(baseline, kind=BaselineKind.FLOAT, name="")))
    assert report.comparison.table is not None
    assert report.comparison.table.remark == "2 artefacts have no baseline."
    assert (
        report.comparison.words == "Compares each artefact with floating point of the same model, runtime and device."
    )


def test_precision_compares_the_usual_form_with_all_others(make: Any, baseline: Baseline) -> None:
    mixed = [
        replace(record, artifact=replace(record.artifact, scheme="onnx-int8-static-mixed"))
        for record in pair(make, TargetName.ONNX, Precision.INT8_STATIC)
    ]
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.INT8_STATIC),
        *mixed,
        *pair(make, TargetName.ONNX, Precision.FP32),
        *pair(make, TargetName.ONNX, Precision.FP32, threads=2),
    ]
    found = changes(baseline, BaselineKind.PRECISION, "int8-static", benchmarks)
    assert schemes(found) == [("fp32", "int8-static"), ("int8-static", "int8-static")]
    assert found[1].candidate.artifact.scheme == "onnx-int8-static-mixed"
    assert all(each.candidate.settings.threads == 1 for each in found)


def test_model_compares_form_by_form(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32, "mobileclip_s0", median_ms=8.0, size_bytes=40_000_000),
        *pair(make, TargetName.ONNX, Precision.FP32, median_ms=4.0, size_bytes=10_000_000),
        *pair(make, TargetName.TFLITE, Precision.FP32, median_ms=4.0),
    ]
    theirs = judged(with_wilson(make.accuracy(correct=1700, model="mobileclip_s0")), benchmarks[:2])
    ours = judged(with_wilson(make.accuracy(correct=1800)), benchmarks[2:4])
    (found,) = changes(baseline, BaselineKind.MODEL, "mobileclip_s0", benchmarks, [theirs, ours])
    assert (found.model, found.size_ratio) == ("pocketclip_nano", 0.25)
    # No evaluation compared the two: 90 % against 85 % of 2,000 images, Newcombe's interval.
    accuracy = found.accuracy
    assert accuracy is not None
    assert (accuracy.points, accuracy.paired, accuracy.judgement.verdict) == (pytest.approx(5.0), False, Verdict.GAINS)
    assert (accuracy.low, accuracy.high) == (pytest.approx(2.95, abs=0.01), pytest.approx(7.04, abs=0.01))
    assert accuracy.against == "mobileclip_s0 ONNX fp32"


def test_a_baseline_without_a_byte_has_no_ratio_of_sizes(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32, size_bytes=0),
        *pair(make, TargetName.ONNX, Precision.INT8_STATIC),
        *pair(make, TargetName.TFLITE, Precision.FP32),
        *pair(make, TargetName.TFLITE, Precision.INT8_STATIC),
    ]
    material = Material(benchmarks, baseline=replace(baseline, kind=BaselineKind.FLOAT, name=""))
    table = build_report(material).comparison.table
    assert table is not None
    assert [row.cells[-1].text for row in table.rows] == [UNKNOWN, "0.0\N{NO-BREAK SPACE}%"]
    assert [each["size_ratio"] for each in json.loads(render_json(material))["comparison"]] == [None, 1.0]


def test_a_paired_comparison_with_the_very_baseline_is_preferred(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32, "mobileclip_s0"),
        *pair(make, TargetName.ONNX, Precision.FP32),
    ]
    theirs = judged(make.accuracy(correct=1810, model="mobileclip_s0"), benchmarks[:2])
    ours = judged(make.accuracy(correct=1800, baseline=1810, compared_with=theirs.side), benchmarks[2:])
    (found,) = changes(baseline, BaselineKind.MODEL, "mobileclip_s0", benchmarks, [theirs, ours])
    accuracy = found.accuracy
    assert accuracy is not None
    assert accuracy.paired
    assert ours.comparison is not None
    assert (accuracy.points, accuracy.judgement.verdict) == (pytest.approx(-0.5), ours.comparison.judgement.verdict)
    assert (accuracy.low, accuracy.high) == (-ours.comparison.drop_high_points, -ours.comparison.drop_low_points)


def test_a_baselines_accuracy_that_is_dated_in_the_future_counts_as_the_oldest(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32, "mobileclip_s0"),
        *pair(make, TargetName.ONNX, Precision.FP32),
    ]
    future, theirs = (
        judged(with_wilson(make.accuracy(correct=correct, model="mobileclip_s0")), benchmarks[:2])
        for correct in (100, 1700)
    )
    future = replace(future, created_at="2999-01-01T00:00:00+00:00")
    ours = judged(with_wilson(make.accuracy(correct=1800)), benchmarks[2:])
    (found,) = changes(baseline, BaselineKind.MODEL, "mobileclip_s0", benchmarks, [future, theirs, ours])
    assert found.accuracy is not None
    assert found.accuracy.points == pytest.approx(5.0)


def test_quantisation_is_judged_against_pytorch(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32),
        *pair(make, TargetName.ONNX, Precision.INT8_STATIC),
    ]
    record = judged(make.accuracy(precision=Precision.INT8_STATIC, correct=1760), benchmarks[2:])
    (found,) = changes(baseline, BaselineKind.FLOAT, "", benchmarks, [record])
    assert found.accuracy is not None
    assert (found.accuracy.points, found.accuracy.judgement.verdict) == (pytest.approx(-2.0), Verdict.LOSES_MORE)
    assert found.accuracy.against == "PyTorch"


def test_figures_on_other_data_are_not_compared(make: Any, baseline: Baseline) -> None:
    benchmarks = [
        *pair(make, TargetName.ONNX, Precision.FP32, "mobileclip_s0"),
        *pair(make, TargetName.ONNX, Precision.FP32),
    ]
    theirs = judged(make.accuracy(model="mobileclip_s0", dataset="imagenet"), benchmarks[:2])
    ours = judged(make.accuracy(), benchmarks[2:])
    (found,) = changes(baseline, BaselineKind.MODEL, "mobileclip_s0", benchmarks, [theirs, ours])
    assert found.accuracy is None


def test_a_lone_tower_is_compared_without_accuracy(make: Any, baseline: Baseline) -> None:
    benchmarks = [make.benchmark(precision=precision) for precision in (Precision.FP32, Precision.INT8_STATIC)]
    (found,) = changes(baseline, BaselineKind.FLOAT, "", benchmarks, [make.accuracy(precision=Precision.INT8_STATIC)])
    assert list(found.towers) == [Tower.IMAGE]
    assert found.accuracy is None


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (BaselineKind.MODEL, "vit", "no benchmark record has the model 'vit'; choose among: pocketclip_nano"),
        (BaselineKind.PRECISION, "int3", "no benchmark record has the precision 'int3'; choose among: fp32, fp16"),
        (BaselineKind.TAG, "fp32", "may also be model:NAME or precision:NAME"),
    ],
)
def test_unknown_baselines_name_those_that_exist(
    make: Any, baseline: Baseline, kind: BaselineKind, name: str, message: str
) -> None:
    records = [make.benchmark(precision=precision) for precision in (Precision.FP16, Precision.FP32)]
    with pytest.raises(ReportError) as caught:
        build_report(Material(records, baseline=replace(baseline, kind=kind, name=name)))
    assert message in str(caught.value)


def test_a_model_is_not_compared_with_itself(make: Any, baseline: Baseline) -> None:
    report = build_report(
        Material([make.benchmark()], baseline=replace(baseline, kind=BaselineKind.MODEL, name="pocketclip_nano"))
    )
    assert report.comparison.table is None
    assert report.comparison.words.startswith("Nothing to compare with pocketclip_nano")
