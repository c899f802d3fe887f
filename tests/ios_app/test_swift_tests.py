"""The package's own tests and the records they write: goldens, hostile bundles, statistics, measuring, screens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.records.schemas import FOLDER, SCHEMAS
from pocketclip.models import documents
from tests.hostile.bundles import write_cases
from tests.ios_app.swift_package import IN_SHARED, TESTS, SwiftBuild

# Fewer would mean that some are not found any more.
LEAST_TESTS = 50


@pytest.fixture(scope="module")
def written(swift_build: SwiftBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs the Swift tests; the folder of the records that they wrote."""
    records, hostile = tmp_path_factory.mktemp("records"), tmp_path_factory.mktemp("hostile")
    write_cases(hostile)
    ran = swift_build.run(
        [f"{IN_SHARED}/{TESTS}"],
        mounts={records: "/mnt/records", hostile: "/mnt/hostile"},
        environment={"POCKETCLIP_RECORDS": "/mnt/records", "POCKETCLIP_HOSTILE": "/mnt/hostile"},
    )
    output = ran.stdout + ran.stderr
    failed = "\n".join(line for line in output.splitlines() if "error:" in line)
    assert ran.returncode == 0, failed or output[-3000:]
    # The exit code is that of XCTest; its last line says how many there were.
    executed = re.findall(r"Executed (\d+) tests, with (\d+) failures \((\d+) unexpected\)", output)
    assert executed, output[-3000:]
    count, failures, unexpected = map(int, executed[-1])
    assert (failures, unexpected) == (0, 0)
    assert count >= LEAST_TESTS, f"{count} tests ran"
    assert " skipped" not in output
    return records


def test_swift_tests_pass(written: Path) -> None:
    assert written.is_dir()


def test_records_are_valid_by_schema_and_by_our_own_reader(written: Path) -> None:
    name = next(name for name, kind in SCHEMAS.items() if kind is BenchmarkRecord)
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / name).read_text()))
    statuses = []
    for file, count in (("records.json", 3), ("measured.json", 4)):
        found = json.loads((written / file).read_text())
        assert len(found) == count
        for each in found:
            validator.validate(each)
            record = documents.parse(BenchmarkRecord, json.dumps(each), source=file, error=RecordError)
            statuses.append(record.status)
            assert record.device.kind == "phone"
            assert record.artifact.target == "coreml"
    assert statuses.count(Status.FAILED) == 2
    assert statuses.count(Status.MEASURED) == 5


def test_records_are_imported(written: Path, tmp_path: Path, pocketclip: object) -> None:
    store = f"sqlite:///{tmp_path}/store.sqlite"
    imported = pocketclip("results", "import", written / "measured.json", "--store", store)  # type: ignore[operator]
    assert imported.returncode == 0, imported.stdout + imported.stderr
    listed = pocketclip("results", "--store", store, "--out", tmp_path / "found.json")  # type: ignore[operator]
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "iphone16,1" in (tmp_path / "found.json").read_text()
