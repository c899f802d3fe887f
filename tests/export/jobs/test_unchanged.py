"""An export of what is there already does nothing; of what has changed in any way, all of it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from pocketclip.export.artifact.drop_budget import parse_max_drop
from pocketclip.export.artifact.manifest import CalibrationRecord
from pocketclip.export.artifact.reading import find_artifacts, load_artifact, select_pair
from pocketclip.export.encoders import open_pair
from pocketclip.export.inputs.calibration import CalibrationRequest
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs.fingerprint import inputs_sha256
from pocketclip.export.jobs.pipeline import export_artifact
from pocketclip.export.jobs.unchanged import prepare
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import load_config

Exports = dict[tuple[str, str, str], ExportResult]


def _job(out: Path, precision: Precision = Precision.FP32, tower: Tower = Tower.TEXT) -> ExportJob:
    return ExportJob(load_config("pocketclip_nano"), None, TargetName.ONNX, precision, tower, out)


@pytest.fixture
def exported(nano_exports: Exports, tmp_path: Path) -> Path:
    """A folder with some finished artefacts, free to be damaged."""
    for precision in ("fp32", "int8-static"):
        for tower in Tower:
            folder = nano_exports["onnx", precision, tower].folder
            shutil.copytree(folder, tmp_path / "pocketclip_nano" / f"onnx-{precision}" / tower)
    return tmp_path


@pytest.mark.slow
def test_finished_artefacts_are_unchanged(exported: Path) -> None:
    done = [
        _job(exported, precision, tower) for precision in (Precision.FP32, Precision.INT8_STATIC) for tower in Tower
    ]
    new = _job(exported, Precision.INT8_WEIGHTS)
    prepared = prepare([*done, new], force=False)
    assert [job for job, _ in prepared.unchanged] == done
    assert prepared.jobs == (new,)
    assert all(result.unchanged for _, result in prepared.unchanged)
    assert prepare(done, force=True).jobs == tuple(done)


@pytest.mark.slow
def test_changes_are_noticed(exported: Path, tmp_path: Path) -> None:
    job = _job(exported, Precision.INT8_STATIC)
    changed = [
        dataclasses.replace(job, raw=True),
        dataclasses.replace(job, calibration=CalibrationRequest("scenes", 16)),
        dataclasses.replace(job, config=dataclasses.replace(job.config, description="another")),
    ]
    for other in changed:
        assert prepare([other], force=False).jobs == (other,), other


@pytest.mark.slow
def test_other_calibration_of_a_search_is_noticed(tmp_path: Path) -> None:
    """Modules are ranked on these samples, though the precision has no ranges of activations."""
    job = dataclasses.replace(
        _job(tmp_path, Precision.INT8_WEIGHTS),
        calibration=CalibrationRequest("scenes", 16),
        budget=parse_max_drop("cosine=0.5", None),
    )
    assert export_artifact(job).manifest.calibration is None
    assert [each for each, _ in prepare([job], force=False).unchanged] == [job]
    other = dataclasses.replace(job, calibration=CalibrationRequest("scenes", 24))
    assert prepare([other], force=False).jobs == (other,)


@pytest.mark.slow
def test_a_damaged_artefact_is_made_again(exported: Path) -> None:
    job = _job(exported)
    model = job.folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    assert prepare([job], force=False).jobs == (job,)


def test_every_input_of_an_export_counts(tmp_path: Path) -> None:
    job = _job(tmp_path, Precision.INT8_STATIC)
    record = CalibrationRecord("scenes", 8, "a" * 64)
    hashes = {
        inputs_sha256(job, "w", record),
        inputs_sha256(job, "v", record),
        inputs_sha256(job, "w", dataclasses.replace(record, inputs_sha256="b" * 64)),
        inputs_sha256(dataclasses.replace(job, tower=Tower.IMAGE), "w", record),
        inputs_sha256(dataclasses.replace(job, precision=Precision.FP32), "w", record),
        inputs_sha256(dataclasses.replace(job, target=TargetName.TFLITE), "w", record),
        inputs_sha256(dataclasses.replace(job, raw=True), "w", record),
        inputs_sha256(dataclasses.replace(job, ios=17), "w", record),
    }
    assert len(hashes) == 8
    # Where it goes, and by what name the same samples were found, changes nothing.
    moved = dataclasses.replace(job, out=tmp_path / "elsewhere")
    assert inputs_sha256(moved, "w", dataclasses.replace(record, source="folder")) in hashes


@pytest.mark.slow
def test_command_says_unchanged_and_resumes(pocketclip, nano_exports: Exports, exported: Path) -> None:
    arguments = ["export", "--target", "onnx", "--quantize", "fp32", "--out", exported]
    shutil.rmtree(exported / "pocketclip_nano" / "onnx-fp32" / "image")
    resumed = pocketclip(*arguments)
    assert resumed.returncode == 0, resumed.stderr
    lines = resumed.stdout + resumed.stderr
    assert "unchanged pocketclip_nano onnx-fp32 text" in lines
    assert "exported pocketclip_nano onnx-fp32 image" in lines
    again = pocketclip(*arguments)
    assert (again.stdout + again.stderr).count("unchanged pocketclip_nano") == 2


@pytest.mark.slow
def test_raw_embeddings_are_normalised_by_the_host(pocketclip, nano_exports: Exports, tmp_path: Path) -> None:
    made = pocketclip("export", "--target", "onnx", "--raw", "--out", tmp_path)
    assert made.returncode == 0, made.stderr
    raw = find_artifacts([tmp_path])
    assert all(not artifact.manifest.normalized for artifact in raw)
    outputs = raw[0].golden(raw[0].manifest.golden.outputs)
    assert not np.allclose(np.linalg.norm(outputs, axis=1), 1, atol=0.1)
    usual = [load_artifact(nano_exports["onnx", "fp32", tower].folder) for tower in Tower]
    embeddings = []
    for pair in (raw, usual):
        with open_pair(*select_pair(pair)) as encoders:
            embeddings.append(encoders.encode_text("a red circle"))
    np.testing.assert_allclose(*embeddings, atol=1e-5)
