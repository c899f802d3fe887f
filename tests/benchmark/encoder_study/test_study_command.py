"""`python -m pocketclip.benchmark.encoder_study` on a small set: trains, judges, keeps, and goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pocketclip
from pocketclip.benchmark.encoder_study.__main__ import app
from pocketclip.benchmark.encoder_study.speed import SPEED_FILE
from pocketclip.benchmark.encoder_study.study_records import StudyRun, StudySpeed, TowerSpeed
from pocketclip.benchmark.errors import RecordError
from pocketclip.export.precision import Precision, Tower
from pocketclip.models import documents
from pocketclip.models.pictures import catalogue as catalogue_module
from tests.models.pictures.small_packages import make_catalogue

pytest.importorskip("resvg_py")


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_catalogue(tmp_path / "cache", tmp_path / "lists")
    monkeypatch.setattr(catalogue_module, "default_catalogue", lambda: made)
    monkeypatch.setenv("PATH", str(tmp_path))
    pocketclip.build_pictures(tmp_path / "pictures", cache=tmp_path / "cache", compositions=3, workers=1)
    return tmp_path / "pictures"


@pytest.mark.slow
def test_a_study_is_kept_and_goes_on(tmp_path: Path, pictures: Path) -> None:
    words = ["--out", str(tmp_path / "study"), "--records", str(tmp_path / "kept"), "--pictures", str(pictures)]
    words += ["--variant", "base", "--steps", "2", "--inherited-steps", "2"]
    words += ["--batch-size", "8", "--scenes", "16", "--samples", "8", "--no-speed", "--seeds", "1"]
    first = CliRunner().invoke(app, words, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert "1 of 2: base-fresh-1: scenes " in first.output and "2 of 2: base-inherited-1: scenes " in first.output
    results = (tmp_path / "kept" / "results").glob("*.json")
    runs = {run.key.name: run for path in results for run in [documents.read(StudyRun, path, error=RecordError)]}
    assert runs.keys() == {"base-fresh-1", "base-inherited-1"}
    judged = {name: {(each.split, each.precision) for each in run.answers} for name, run in runs.items()}
    scenes = {("scenes", Precision.FP32), ("scenes", Precision.INT8_STATIC)}
    # So few steps from fresh weights teach nothing of pictures: they are on scenes.
    assert judged["base-fresh-1"] == scenes
    assert judged["base-inherited-1"] > scenes | {("pictures-design", Precision.INT8_STATIC)}
    page = (tmp_path / "study" / "encoders.md").read_text()
    assert "| base | 1 |" in page and "| int8-static | runs | scenes |\n" in page
    assert "| int8-static | runs | scenes | pictures-design |" in page
    again = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "2 of 2 runs are there" in again.output and "base-fresh-1: scenes" not in again.output
    # Runs of another length are not mixed with these.
    with pytest.raises(RecordError, match="other settings"):
        CliRunner().invoke(app, [*words, "--steps", "3"], catch_exceptions=False)


@pytest.mark.slow
def test_speeds_are_measured_once(tmp_path: Path) -> None:
    words = ["--out", str(tmp_path), "--variant", "base", "--target", "onnx", "--no-train", "--no-counts"]
    words += ["--launches", "2"]
    earlier = TowerSpeed("base", Tower.TEXT, "tflite", Precision.FP32, 1, 2, 3, (4.0,), 5.0, "cortex-a76")
    documents.write(StudySpeed("another host", (earlier,)), tmp_path / SPEED_FILE)
    first = CliRunner().invoke(app, words, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert "measuring 4 artefacts, 2 launches each" in first.output
    page = (tmp_path / "encoders.md").read_text()
    assert re.search(r"^\| base \| none \| 2\.\d+ \| 0\.07\d \| \d+\.\d+ \| \d+\.\d+ \|$", page, re.MULTILINE)
    assert re.search(r"^\| base \| \d+\.\d+ ms \| \d+\.\d+ ms \|$", page, re.MULTILINE)
    # What was measured of another target stays.
    stored = documents.read(StudySpeed, tmp_path / SPEED_FILE, error=RecordError)
    assert earlier in stored.speeds and len(stored.speeds) == 5
    again = CliRunner().invoke(app, words, catch_exceptions=False)
    assert again.exit_code == 0 and "measuring" not in again.output
    assert (tmp_path / "encoders.md").read_text() == page
