"""Artefacts that crash, stop or starve what runs them: each command ends with one line and exit code 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.benchmark.errors import ContestantError, FailedArtifactsError
from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.store import open_store
from pocketclip.cli import app
from pocketclip.export import foreign
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import ModelRunError
from pocketclip.export.precision import TargetName, Tower
from pocketclip.models.errors import PocketClipError
from pocketclip.models.reading_child import Bounds
from tests.export.bundle.hostile_models import CRASHING_PTE, endless_onnx, greedy_onnx
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact, resign, swap_model


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def failing(*arguments: str | Path) -> PocketClipError:
    """The error that a command ends with."""
    error = invoke(*arguments).exception
    assert isinstance(error, PocketClipError), error
    assert "\n" not in str(error)
    return error


@pytest.fixture
def towers(tmp_path: Path) -> tuple[Artifact, Artifact]:
    image, text = (build_artifact(tmp_path / "good", tower) for tower in Tower)
    return image, text


@pytest.fixture
def crashing(tmp_path: Path) -> tuple[Artifact, Artifact]:
    image, text = (
        swap_model(build_artifact(tmp_path / "bad", tower), CRASHING_PTE, TargetName.EXECUTORCH) for tower in Tower
    )
    return image, text


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def dataset(tmp_path: Path, photograph: Path) -> str:
    for label in LABELS:
        folder = tmp_path / "set" / label
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(photograph.read_bytes())
    return f"folder:{tmp_path / 'set'}"


@pytest.mark.slow
def test_eval_goes_on_after_a_crash(towers: Any, crashing: Any, dataset: str, tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    arguments = ("eval", "--artifact", tmp_path / "bad", "--artifact", tmp_path / "good", "--dataset", dataset,
                 "--baseline", tmp_path / "good", "--store", store)  # fmt: skip
    result = invoke(*arguments)
    error = result.exception
    assert isinstance(error, FailedArtifactsError) and error.exit_code == 1
    # Prompts are encoded first.
    assert f"{crashing[1].model_path} cannot be run: the library that opens it crashed (SIGABRT" in str(error)
    assert "failed: tiny executorch-fp32: " in result.stderr
    with open_store(str(store)) as opened:
        (record,) = opened.records()
    assert isinstance(record, AccuracyRecord) and record.target is TargetName.ONNX
    # What was judged is not judged again.
    again = invoke(*arguments, "--resume")
    assert "resuming after 3 samples" in again.stderr
    with open_store(str(store)) as opened:
        assert [each.record_id for each in opened.records()] == [record.record_id]


def test_eval_of_an_endless_model(
    towers: tuple[Artifact, Artifact], dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = swap_model(towers[0], endless_onnx())
    monkeypatch.setattr(foreign, "running_bounds", lambda files: Bounds(4 << 30, 4.0))
    error = failing("eval", "--artifact", tmp_path / "good", "--dataset", dataset, "--baseline", tmp_path / "good",
                    "--store", tmp_path / "s.sqlite")  # fmt: skip
    assert isinstance(error, ContestantError) and error.exit_code == 1
    assert f"{image.model_path} cannot be run: the library that opens it gave no answer within" in str(error)


def test_eval_of_a_model_that_wants_all_memory(towers: Any, dataset: str, tmp_path: Path) -> None:
    image = swap_model(towers[0], greedy_onnx())
    error = failing("eval", "--artifact", tmp_path / "good", "--dataset", dataset, "--baseline", tmp_path / "good",
                    "--store", tmp_path / "s.sqlite")  # fmt: skip
    assert isinstance(error, ContestantError) and error.exit_code == 1
    assert f"{image.model_path} cannot be run: " in str(error) and "more" in str(error)


@pytest.mark.slow
def test_bundle_of_a_crashing_tower(towers: Any, crashing: Any, tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.mkdir()
    out = place / "clip.bundle"
    error = failing("bundle", "--image", crashing[0].folder, "--text", towers[1].folder, "--out", out)
    assert isinstance(error, ModelRunError) and error.exit_code == 1
    assert str(crashing[0].folder) in str(error) and "crashed (SIGABRT" in str(error)
    # Nothing is left, a half-written folder neither.
    assert list(place.iterdir()) == []


@pytest.mark.slow
def test_classify_with_a_crashing_pair(crashing: Any, photograph: Path) -> None:
    folders = [word for each in crashing for word in ("--artifact", each.folder)]
    error = failing("classify", photograph, "--labels", "a cat,a dog", *folders)
    assert error.exit_code == 1
    assert str(crashing[0].folder) in str(error) and "crashed (SIGABRT" in str(error)


def test_selftest_and_classify_with_a_bundle_that_never_ends(
    towers: tuple[Artifact, Artifact], photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "clip.bundle"
    write_bundle(BundleRequest(*towers, LABELS), bundle)
    (bundle / "image" / "model.onnx").write_bytes(endless_onnx())
    resign(bundle)
    monkeypatch.setattr(foreign, "running_bounds", lambda files: Bounds(4 << 30, 4.0))
    for arguments in (("selftest", bundle), ("classify", photograph, "--bundle", bundle)):
        error = failing(*arguments)
        assert error.exit_code == 1
        assert f"{bundle} cannot be run: the library that opens it gave no answer within" in str(error)
