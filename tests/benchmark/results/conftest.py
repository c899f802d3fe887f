"""Records of every kind, and one of the first schema as it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.records.benchmark import DeviceKind, Status
from pocketclip.benchmark.records.profile import InstructionCounts
from pocketclip.benchmark.records.validity import InvalidityCode, invalidity
from pocketclip.benchmark.results.json_files import from_jsonl
from pocketclip.benchmark.store import RecordText, open_store
from pocketclip.benchmark.store.codec import encode
from pocketclip.export.precision import Precision, TargetName, Tower

OLD = '{"model": "pocketclip_nano", "target": null, "precision": "fp32", "image_sha256": null, "text_sha256": null, \
"weights_sha256": "9999999999999999999999999999999999999999999999999999999999999999", "dataset": "scenes", \
"split": "heldout", "samples": 960, "classes": 24, "correct": 807, \
"accuracy": 0.840625, "accuracy_low": 0.816, "accuracy_high": 0.862, "chance": 0.041666666666666664, \
"baseline_correct": null, "drop_points": null, "drop_low_points": null, "drop_high_points": null, \
"executed_by": "torch 2.10.0", "tool_version": "0.1.0", "record_id": "6f1f7dd6-1a11-4f2a-9a57-0000000000a0", \
"created_at": "2026-02-01T00:00:00.000000+00:00", "kind": "accuracy", "schema_version": 1}'


@pytest.fixture
def texts(make: Any) -> list[RecordText]:
    """Oldest first: an accuracy of schema 1, then of today's a benchmark of each status, an accuracy, a retrieval."""
    plain = make.benchmark()
    tagged = make.benchmark(TargetName.TFLITE, Precision.INT8_STATIC, Tower.TEXT)
    tagged = replace(
        tagged,
        tag='v1, "final"\nof März',
        invalid=(invalidity(InvalidityCode.BUSY, "other programs took 2 cores"),),
        artifact=replace(tagged.artifact, scheme="tflite-int8-static-mixed"),
        device=replace(tagged.device, instance="b7"),
    )
    untimed = make.benchmark(TargetName.COREML, status=Status.PARITY_ONLY, reason="Core ML on Linux: parity only")
    failed = make.benchmark(status=Status.FAILED, reason="load-failed: no such file")
    counted = make.benchmark(status=Status.PARITY_ONLY, reason="not timed", device="emulator-arm64")
    counted = replace(
        counted,
        status=Status.COUNTED,
        reason=None,
        instructions=InstructionCounts("cortex-a76", ((5_000_000, 5_000_200), (5_000_100,)), 1),
        device=replace(counted.device, kind=DeviceKind.EMULATED),
    )
    records = [
        plain,
        tagged,
        untimed,
        failed,
        counted,
        make.accuracy(),
        make.retrieval(TargetName.ONNX, drop_points=1.0),
    ]
    (old,) = from_jsonl(OLD.encode(), "test")
    assert isinstance(old, RecordText)
    return [old, *map(encode, records)]


@pytest.fixture
def filled(tmp_path: Path, texts: list[RecordText]) -> str:
    """A store that holds `texts`."""
    location = str(tmp_path / "filled.sqlite")
    with open_store(location) as store:
        store.add(texts)
    return location


@pytest.fixture
def results() -> Callable[..., Any]:
    """Runs `results ARGS...` in this process; its errors are in the result's `exception`."""
    return lambda *arguments: CliRunner().invoke(results_app, [*map(str, arguments)])
