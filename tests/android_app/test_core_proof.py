"""The Kotlin core and its ONNX Runtime module hold what Python says, and their tests cover them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from pocketclip.benchmark.records.benchmark import BENCHMARK_SCHEMA_VERSION, BenchmarkRecord, Status
from pocketclip.benchmark.records.schemas import FOLDER as SCHEMAS
from pocketclip.export.precision import Tower
from pocketclip.models import documents
from pocketclip.models.errors import PocketClipError

from .maven_build import Build

# What it takes is the build, once for all tests that need it.
pytestmark = pytest.mark.slow


def test_all_kotlin_tests_pass_and_none_is_skipped(proof: Build) -> None:
    assert proof.passed, proof.output[-6000:]
    for module, fewest in (("core", 95), ("runtime-onnxruntime", 12)):
        cases = proof.test_cases(module)
        assert len(cases) >= fewest, module
        assert not [case.get("name") for case in cases if case.find("skipped") is not None]


def test_nine_of_ten_lines_of_core_are_covered(proof: Build) -> None:
    with (proof.proof / "core" / "target" / "site" / "jacoco" / "jacoco.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    missed, covered = (sum(int(row[f"LINE_{kind}"]) for row in rows) for kind in ("MISSED", "COVERED"))
    assert covered > 1000
    assert covered / (covered + missed) > 0.9


@pytest.mark.parametrize("what", ["images", "captions", "labels"])
def test_embeddings_are_within_1e_4_of_pythons(proof: Build, fixtures: Path, what: str) -> None:
    assert proof.passed
    difference = float((fixtures / "differences" / what).read_text())
    # Other versions of one runtime on one processor: rounding alone is left.
    assert 0 <= difference < 1e-4


@pytest.mark.parametrize("tower", Tower)
def test_records_of_the_measure_screen_fit_the_schema(proof: Build, fixtures: Path, tower: Tower) -> None:
    assert proof.passed
    text = (fixtures / f"record_{tower}.json").read_text()
    schema = json.loads((SCHEMAS / f"benchmark-record-v{BENCHMARK_SCHEMA_VERSION}.schema.json").read_text())
    jsonschema.validate(json.loads(text), schema)
    record = documents.parse(BenchmarkRecord, text, source="Kotlin's record", error=PocketClipError)
    assert record.status is Status.MEASURED
    assert record.artifact.tower is tower
    assert record.golden_check is not None
    assert record.golden_check.cosine_min > 0.99999
    assert len(record.launches[0].steady_ns) == 10
    assert record.launches[0].during
