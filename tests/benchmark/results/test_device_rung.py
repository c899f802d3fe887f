"""The ladder's last rung, from the records of benchmarks; and the command's answers to what cannot be verified."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.errors import NoRecordError, StoreError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, GoldenCheck, Status
from pocketclip.benchmark.results.device_rung import read_benchmarks, with_device_rungs
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.ladder import report as ladder
from pocketclip.models import documents

Make = Callable[..., BenchmarkRecord]
SAME = GoldenCheck(4, 0.9999999, 1e-6, 0.9999999)


@pytest.fixture
def artifact(build_artifact: Callable[..., Artifact]) -> Artifact:
    return build_artifact()


@pytest.fixture
def record(make: Any, artifact: Artifact) -> Make:
    """A record of the artefact, with changes."""

    def build(golden_check: GoldenCheck | None = SAME, **changes: Any) -> BenchmarkRecord:
        made = make.benchmark(**changes)
        identity = dataclasses.replace(made.artifact, sha256=artifact.manifest.sha256)
        return dataclasses.replace(made, artifact=identity, golden_check=golden_check)

    return build


def report_of(artifact: Artifact, status: ladder.Status = ladder.Status.PASSED) -> ladder.LadderReport:
    rung = ladder.Rung(ladder.RungName.ARTEFACT, "planted", status, 4)
    return ladder.LadderReport(artifact.label, artifact.manifest.sha256, "9" * 64, (rung,), None, "now", {})


def test_latest_record_of_each_device_is_judged(artifact: Artifact, record: Make) -> None:
    wrong = GoldenCheck(4, 0.5, 0.3, 0.5)
    records = [record(wrong, device="phone"), record(device="phone"), record(device="board")]
    rungs = with_device_rungs(report_of(artifact), artifact, records).rungs[1:]
    assert [rung.status for rung in rungs] == [ladder.Status.PASSED] * 2
    assert [rung.executed_by.split(":")[0] for rung in rungs] == ["phone", "board"]
    assert rungs[0].against_eager == ladder.Agreement(cosine_min=0.9999999, max_abs=1e-6)


def test_device_that_computes_something_else(artifact: Artifact, record: Make) -> None:
    report = with_device_rungs(report_of(artifact), artifact, [record(GoldenCheck(4, 0.99, 0.1, 0.98))])
    rung = report.first_failure
    assert rung is not None and rung.name is ladder.RungName.DEVICE
    assert rung.failures == (
        "against eager: cosine_min 0.99 is below 0.999999",
        "against the rung before: cosine_min 0.98 is below 0.999999",
    )
    assert rung.divergence is not None and "the device's kernels" in str(rung.divergence)


def test_measurement_that_failed(artifact: Artifact, record: Make) -> None:
    failed = record(None, status=Status.FAILED, reason="golden-mismatch: planted")
    rung = with_device_rungs(report_of(artifact), artifact, [failed]).rungs[-1]
    assert (rung.status, rung.failures) == (ladder.Status.FAILED, ("golden-mismatch: planted",))


def test_not_reached_behind_a_failure(artifact: Artifact, record: Make) -> None:
    report = with_device_rungs(report_of(artifact, ladder.Status.FAILED), artifact, [record()])
    assert report.rungs[-1].status is ladder.Status.NOT_REACHED


def test_records_come_from_a_store_or_a_file(artifact: Artifact, record: Make, tmp_path: Path) -> None:
    stored = record()
    with open_store(str(tmp_path / "store.sqlite")) as store:
        store.append(stored)
    documents.write(stored, tmp_path / "record.json")
    for name in ("store.sqlite", "record.json"):
        assert read_benchmarks(str(tmp_path / name), pytest.fail) == [stored]
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(StoreError, match=r"other.json is not a valid BenchmarkRecord"):
        read_benchmarks(str(tmp_path / "other.json"), pytest.fail)
    with pytest.raises(StoreError, match="there is no store"):
        read_benchmarks(str(tmp_path / "none.sqlite"), pytest.fail)


def test_record_of_another_artefact(artifact: Artifact, make: Any) -> None:
    with pytest.raises(NoRecordError, match=r"none of 1 records is of .*; measure it first: pocketclip bench"):
        with_device_rungs(report_of(artifact), artifact, [make.benchmark()])
    assert NoRecordError.exit_code == 2


@pytest.mark.slow
def test_command_refuses_in_one_line(pocketclip, error_line, artifact: Artifact, tmp_path: Path) -> None:
    for arguments, complaint in (
        ((tmp_path / "nowhere",), "does not exist"),
        ((artifact.folder, "--record", tmp_path / "none.json"), "none.json"),
        ((artifact.folder,), "config.json"),
    ):
        result = pocketclip("verify", *arguments)
        assert result.returncode == 2, result.stderr
        assert complaint in error_line(result)
