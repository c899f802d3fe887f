"""Records refuse to contradict themselves and survive the trip through JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.export.precision import TargetName
from pocketclip.models import documents


def test_round_trip_keeps_every_sample(make: Any) -> None:
    record = make.benchmark()
    text = documents.to_json(record)
    assert documents.parse(BenchmarkRecord, text, source="test", error=RecordError) == record
    accuracy = make.accuracy()
    parsed = documents.parse(AccuracyRecord, documents.to_json(accuracy), source="test", error=RecordError)
    assert parsed == accuracy


def test_parity_only_record_can_hold_no_launch(make: Any) -> None:
    record = make.benchmark()
    with pytest.raises(RecordError, match="holds no launches: nothing may be timed"):
        replace(record, status=Status.PARITY_ONLY, reason="Core ML on Linux: parity only")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"launches": ()}, "at least one launch"),
        ({"golden_check": None}, "golden check"),
        ({"reason": "why"}, "a reason belongs to"),
        ({"status": Status.FAILED}, "a reason belongs to"),
        ({"record_id": "7"}, "record_id must be a UUID"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-03-01T00:00:00+02:00"}, "must be in UTC"),
    ],
)
def test_contradictions_are_refused(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        replace(make.benchmark(), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correct": 5000}, "more correct answers"),
        ({"accuracy": 0.5}, "is not correct / samples"),
        ({"accuracy_low": 0.95}, "outside its interval"),
        ({"top5_correct": 100, "top5_accuracy": 0.05, "top5_low": 0.0}, "fewer right among five"),
        ({"top5_high": None}, "top-5 belong together"),
        ({"target": None}, "a target and both artefacts, PyTorch none"),
        ({"image_sha256": None}, "a target and both artefacts, PyTorch none"),
    ],
)
def test_accuracy_contradictions_are_refused(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        replace(make.accuracy(TargetName.ONNX), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline_correct": 5000}, "more right"),
        ({"drop_points": 0.1}, "is not 0 of 2000 samples"),
        ({"lost": 30}, "make no difference of 0"),
        ({"won": None}, "belong together"),
        ({"drop_low_points": 0.2}, "outside its interval"),
    ],
)
def test_comparison_contradictions_are_refused(make: Any, changes: dict[str, Any], message: str) -> None:
    record = make.accuracy(TargetName.ONNX)
    with pytest.raises(RecordError, match=message):
        replace(record, comparison=replace(record.comparison, **changes))


def test_nothing_is_compared_with_itself(make: Any) -> None:
    record = make.accuracy(TargetName.ONNX)
    with pytest.raises(RecordError, match="with itself"):
        replace(record, comparison=replace(record.comparison, baseline=record.side))
    retrieval = make.retrieval(TargetName.ONNX, drop_points=1.0)
    with pytest.raises(RecordError, match="with itself"):
        replace(retrieval, baseline=retrieval.side)
    with pytest.raises(RecordError, match="listed twice"):
        replace(retrieval, recalls=retrieval.recalls[:1] * 2)


def test_judgements(make: Any) -> None:
    worse, same = make.accuracy(correct=1700), make.accuracy(correct=1799)
    better = make.accuracy(correct=1850)
    words = [str(record.comparison.judgement) for record in (worse, same, better)]
    assert words == ["loses more than 1 point", "no loss beyond 1 point", "gains"]
    assert make.accuracy(None).cost is None
    other = replace(worse.comparison.baseline, model="other", weights_sha256="7" * 64)
    assert make.accuracy(compared_with=other).cost is None
    recalls = [make.retrieval(TargetName.ONNX, drop_points=drop).recalls[0] for drop in (2.0, 0.5, -2.0)]
    assert [str(recall.judgement) for recall in recalls] == ["loses", "cannot tell", "gains"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["launches"][0].update(load_ns=-1),
        lambda content: content["launches"][0].update(steady_ns=[]),
        lambda content: content["launches"][0].update(steady_ns=[1.5]),
        lambda content: content.update(schema_version=1),
        lambda content: content.update(surprise=True),
        lambda content: content["golden_check"].update(cosine_min=7.0),
    ],
    ids=["negative time", "no samples", "fraction", "other version", "unknown key", "impossible cosine"],
)
def test_malformed_documents_are_refused(make: Any, damage: Any) -> None:
    content = json.loads(documents.to_json(make.benchmark()))
    damage(content)
    with pytest.raises(RecordError, match="not a valid BenchmarkRecord"):
        documents.parse(BenchmarkRecord, json.dumps(content), source="test", error=RecordError)


@pytest.mark.parametrize("times", [(0,), (0, 0, 5), (5, 0, 7, 0, 0)])
def test_a_launch_whose_median_is_0_is_refused(make: Any, times: tuple[int, ...]) -> None:
    content = json.loads(documents.to_json(make.benchmark()))
    content["launches"][0]["steady_ns"] = times
    with pytest.raises(RecordError, match=r"values of steady_ns are 0: no inference takes no time"):
        documents.parse(BenchmarkRecord, json.dumps(content), source="test", error=RecordError)
    content["launches"][0]["steady_ns"] = [*times, 6, 7, 8]
    documents.parse(BenchmarkRecord, json.dumps(content), source="test", error=RecordError)


def test_peak_memory_is_unknown_where_it_cannot_be_told(make: Any) -> None:
    launch = make.launch(1.0)
    assert launch.peak_over_baseline_bytes == launch.peak_bytes - launch.baseline_bytes
    assert replace(launch, baseline_bytes=None).peak_over_baseline_bytes is None
    assert replace(launch, peak_bytes=None).peak_over_baseline_bytes is None
    # Not reset and not exceeded: the peak is that of the imports.
    stale = replace(launch, peak_reset=False, peak_before_load_bytes=launch.peak_bytes)
    assert stale.peak_over_baseline_bytes is None
