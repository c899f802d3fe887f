"""Records of older schemas are read as today's, and stay as they were written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.schemas import FOLDER
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.render import render
from pocketclip.benchmark.store import open_store

Execute = Callable[..., list[tuple[Any, ...]]]


def accuracy_v1(target: str | None) -> dict[str, Any]:
    """An accuracy record as the first version wrote it."""
    exported = target is not None
    return {
        "model": "pocketclip_nano",
        "target": target,
        "precision": "fp32",
        "image_sha256": "a" * 64 if exported else None,
        "text_sha256": "b" * 64 if exported else None,
        "weights_sha256": "9" * 64,
        "dataset": "scenes",
        "split": "heldout",
        "samples": 960,
        "classes": 24,
        "correct": 807,
        "accuracy": 807 / 960,
        "accuracy_low": 0.816,
        "accuracy_high": 0.862,
        "chance": 1 / 24,
        "baseline_correct": 816 if exported else None,
        "drop_points": 0.9375 if exported else None,
        "drop_low_points": -0.02 if exported else None,
        "drop_high_points": 1.9 if exported else None,
        "executed_by": "onnxruntime 1.32.0",
        "tool_version": "0.1.0",
        "record_id": "6f1f7dd6-1a11-4f2a-9a57-0000000000a" + str(int(exported)),
        "created_at": "2026-03-01T00:00:00.000000+00:00",
        "kind": "accuracy",
        "schema_version": 1,
    }


def store_text(execute: Execute, content: dict[str, Any], text: str | None = None) -> None:
    """Puts a record into the store as it stands, as an older version did."""
    columns = ("record_id", "kind", "schema_version", "created_at", "model", "target", "precision")
    values = {name: content[name] for name in columns} | {"document": text or json.dumps(content)}
    execute(f"INSERT INTO records ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})", **values)


def test_accuracy_records_of_schema_1_are_read(location: str, make: Any, execute: Execute) -> None:
    exported = accuracy_v1("onnx")
    schema = json.loads((FOLDER / "accuracy-record-v1.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(exported)
    with open_store(location) as store:
        store_text(execute, exported)
        store_text(execute, accuracy_v1(None))
        store.append(make.accuracy())
        old, own = (store.find(accuracy_v1(target)["record_id"]) for target in ("onnx", None))
        assert isinstance(old, AccuracyRecord) and isinstance(own, AccuracyRecord)
        assert (old.schema_version, old.correct, old.top5_correct, old.dataset_sha256) == (3, 807, None, None)
        assert own.comparison is None
        assert old.comparison is not None
        assert (old.comparison.baseline_correct, old.comparison.drop_points) == (816, 0.9375)
        # It was compared with PyTorch, and not tested.
        assert old.cost == old.comparison
        assert old.comparison.mcnemar_p is None
        # Kept as it was written, and known again.
        store.append(old)
        assert len(store.accuracies()) == 3
        assert store.find(old.record_id) == old
        with pytest.raises(RecordError, match="records never change"):
            store.append(replace(old, executed_by="another"))
    render_page(old, own)


def render_page(*records: Any) -> None:
    html = render(Material(accuracies=records))
    assert "84.1" in html
    assert "no loss beyond 1 point" in html


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps({key: value for key, value in accuracy_v1("onnx").items() if key != "drop_points"}), "drop_points"),
        ("{", "is not JSON"),
        ("[]", "lacks the field"),
    ],
)
def test_damaged_records_of_schema_1(location: str, execute: Execute, text: str, message: str) -> None:
    with open_store(location) as store:
        store_text(execute, accuracy_v1("onnx"), text)
        with pytest.raises(RecordError, match=f"record {accuracy_v1('onnx')['record_id']}.*{message}"):
            store.accuracies()


def test_damaged_benchmark_of_schema_1(location: str, execute: Execute) -> None:
    with open_store(location) as store:
        store_text(execute, accuracy_v1("onnx") | {"kind": "benchmark"})
        with pytest.raises(RecordError, match="schema version 1: KeyError 'artifact'"):
            store.benchmarks()
