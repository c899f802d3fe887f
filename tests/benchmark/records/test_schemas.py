"""The committed JSON Schemas follow the dataclasses, and real records follow the schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from pocketclip.benchmark.devices import HostDevice
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, RunSettings
from pocketclip.benchmark.records.schemas import FOLDER, SCHEMAS, schema_text
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import TargetName
from pocketclip.models import documents


def validator(kind: type) -> Any:
    name = next(name for name, known in SCHEMAS.items() if known is kind)
    schema = json.loads((FOLDER / name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", SCHEMAS)
def test_committed_schema_is_up_to_date(name: str) -> None:
    message = (
        "run `python -m pocketclip.benchmark.records.schemas`; a change that readers can see needs a new schema version"
    )
    assert (FOLDER / name).read_text() == schema_text(name), message


def test_measured_record_validates(build_artifact: Callable[..., Artifact]) -> None:
    settings = RunSettings(iterations=3, launches=1, sustained_seconds=0.05)
    plan = BenchmarkPlan((build_artifact(),), (settings,), cooldown_seconds=0, profile=True, tag="1.0")
    records = run_plan(plan, HostDevice(), append=lambda record: None, watch=SilentWatch())
    content = documents.to_builtin(records[0])
    assert content["status"] == "measured"
    assert content["profile"] and content["sustained"]["minutes"]
    validator(BenchmarkRecord).validate(content)


def test_accuracy_record_validates(make: Any) -> None:
    for record in (make.accuracy(), make.accuracy(None)):
        validator(AccuracyRecord).validate(documents.to_builtin(record))
    for record in (make.retrieval(), make.retrieval(TargetName.ONNX, drop_points=1.0)):
        validator(RetrievalRecord).validate(documents.to_builtin(record))


@pytest.mark.parametrize("key", ["kind", "schema_version", "launches", "parity"])
def test_schema_demands_every_key(make: Any, key: str) -> None:
    content = documents.to_builtin(make.benchmark())
    del content[key]
    assert not validator(BenchmarkRecord).is_valid(content)
