"""Records refuse to contradict themselves and survive the trip through JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from benchmark.errors import RecordError
from benchmark.records import AccuracyRecord, BenchmarkRecord, Status
from export.precision import TargetName
from models import documents


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
        ({"baseline_correct": None}, "needs both artefacts and the drop"),
        ({"target": None}, "no artefacts and no drop"),
    ],
)
def test_accuracy_contradictions_are_refused(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        replace(make.accuracy(TargetName.ONNX), **changes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["launches"][0].update(load_ns=-1),
        lambda content: content["launches"][0].update(steady_ns=[]),
        lambda content: content["launches"][0].update(steady_ns=[1.5]),
        lambda content: content.update(schema_version=2),
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


def test_peak_memory_is_unknown_where_it_cannot_be_told(make: Any) -> None:
    launch = make.launch(1.0)
    assert launch.peak_over_baseline_bytes == launch.peak_bytes - launch.baseline_bytes
    assert replace(launch, baseline_bytes=None).peak_over_baseline_bytes is None
    assert replace(launch, peak_bytes=None).peak_over_baseline_bytes is None
    # Not reset and not exceeded: the peak is that of the imports.
    stale = replace(launch, peak_reset=False, peak_before_load_bytes=launch.peak_bytes)
    assert stale.peak_over_baseline_bytes is None
