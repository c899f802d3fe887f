"""`python -m pocketclip.benchmark.encoder_study` on a small set: trains, judges, keeps, and goes on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pocketclip
from pocketclip.benchmark.encoder_study import speed
from pocketclip.benchmark.encoder_study.__main__ import app
from pocketclip.benchmark.encoder_study.speed import SPEED_FILE, SpeedSettings
from pocketclip.benchmark.encoder_study.study_records import StudyRun, StudySpeed, TowerSpeed
from pocketclip.benchmark.encoder_study.variants import PRECISIONS, Size, Variant
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
    earlier = TowerSpeed("relu", Tower.IMAGE, "tflite", Precision.FP32, 1, 2, 3, (4.0,), 5.0, "cortex-a76")
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


SPEED_WORDS = ["--target", "onnx", "--no-train"]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The variants of each session, without exporting or measuring anything: a median is the session's number."""
    found: list[list[str]] = []

    def exports(settings: SpeedSettings, variant: Variant, *rest: object) -> list[TowerSpeed]:
        # Those of pocketclip_nano.
        parameters = {Tower.IMAGE: 1218080, Tower.TEXT: 1156096}
        return [
            TowerSpeed(variant.name, tower, target, precision, parameters[tower], 1, 1, (1.0,))
            for tower in variant.towers
            for target in settings.targets
            for precision in PRECISIONS
        ]

    def timed(settings: SpeedSettings, artifacts: list[TowerSpeed], say: object) -> StudySpeed:
        found.append(list(dict.fromkeys(each.variant for each in artifacts)))
        return StudySpeed("a host", tuple(replace(each, launch_medians_ns=(float(len(found)),)) for each in artifacts))

    monkeypatch.setattr(speed, "_exports", exports)
    monkeypatch.setattr(speed, "_timed", timed)
    monkeypatch.setattr(speed, "_counted", lambda artifacts, say: ((each, 7.0, "cortex-a76") for each in artifacts))
    monkeypatch.setattr(speed, "_key", lambda each: each.key)
    return found


def test_another_variant_is_measured_beside_those_that_are_there(tmp_path: Path, sessions: list[list[str]]) -> None:
    words = [*SPEED_WORDS, "--out", str(tmp_path)]
    CliRunner().invoke(app, [*words, "--variant", "relu"], catch_exceptions=False)
    CliRunner().invoke(app, [*words, "--variant", "narrow", "--no-counts"], catch_exceptions=False)
    assert sessions == [["base", "relu"], ["base", "relu", "narrow"]]
    stored = documents.read(StudySpeed, tmp_path / SPEED_FILE, error=RecordError)
    assert {each.launch_medians_ns for each in stored.speeds} == {(2.0,)}
    assert {each.variant for each in stored.speeds if each.instructions == 7.0} == {"base", "relu"}
    assert {each.variant for each in stored.speeds if each.instructions is None} == {"narrow"}
    CliRunner().invoke(app, [*words, "--variant", "relu", "--variant", "narrow"], catch_exceptions=False)
    assert len(sessions) == 2


@pytest.mark.parametrize("more", [[], ["--no-speed"]])
def test_speeds_of_another_size_are_refused(tmp_path: Path, sessions: list[list[str]], more: list[str]) -> None:
    words = [*SPEED_WORDS, "--out", str(tmp_path), "--variant", "relu"]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    with pytest.raises(RecordError, match="is not of size s0: its image tower has 1218080 parameters, mobileclip_s0"):
        CliRunner().invoke(app, [*words, "--size", "s0", *more], catch_exceptions=False)


@pytest.mark.parametrize("size", Size)
def test_recorded_speeds_are_of_their_size(size: Size) -> None:
    folder = Path(__file__).parents[3] / "docs" / "records" / f"encoders-{size}"
    assert (speed.read_speed(folder, size) is not None) == (folder / SPEED_FILE).is_file()
