"""Untrained weights never pass silently: export refuses or marks them, and every command after it says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.benchmark.store import open_store
from pocketclip.cli import app
from pocketclip.export.artifact.manifest import read_manifest
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.errors import BundleError
from pocketclip.models import documents
from pocketclip.models.errors import UntrainedError
from pocketclip.models.registry import MODELS, load_config
from pocketclip.models.run_folder import MODEL_FILE, WEIGHTS_FILE

WARNING = "untrained random weights"


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_folder(folder: Path, *, finished: bool) -> Path:
    """A run of pocketclip_nano under another name, so that what we ship does not stand in for it."""
    folder.mkdir()
    content = documents.to_builtin(load_config("pocketclip_nano")) | {"name": "mine"}
    (folder / MODEL_FILE).write_text(json.dumps(content))
    if finished:
        shipped = MODELS["pocketclip_nano"].weights_path
        assert shipped is not None
        shutil.copyfile(shipped, folder / WEIGHTS_FILE)
    return folder


def export(model: str | Path, out: Path, *arguments: str | Path) -> Any:
    return invoke("export", "--model", model, "--target", "onnx", "--out", out, *arguments)


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("run/model.json", ()),
        ("mobileclip_s0", ()),
        ("pocketclip_nano", ("--set", "image.activation=relu")),
        ("open_clip:ViT-B-32", ()),
    ],
)
def test_export_without_weights_names_the_option(tmp_path: Path, monkeypatch: Any, model: str, arguments: Any) -> None:
    run_folder(tmp_path / "run", finished=False)
    monkeypatch.chdir(tmp_path)
    result = export(model, tmp_path / "out", *arguments)
    assert isinstance(result.exception, UntrainedError) and result.exception.exit_code == 2
    assert "--weights CHECKPOINT" in str(result.exception) and "--fresh-weights" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_weights_and_fresh_weights_exclude_each_other(tmp_path: Path) -> None:
    result = export("pocketclip_nano", tmp_path / "out", "--fresh-weights", "--weights", tmp_path / "x.safetensors")
    assert isinstance(result.exception, UntrainedError) and "cannot be used together" in str(result.exception)


@pytest.mark.slow
def test_run_folder_is_exported_with_its_weights(tmp_path: Path) -> None:
    result = export(run_folder(tmp_path / "run", finished=True), tmp_path / "out", "--tower", "text")
    assert result.exit_code == 0, result.output
    assert WARNING not in result.stderr
    manifest = read_manifest(tmp_path / "out/mine/onnx-fp32/text")
    assert manifest.trained is True
    by_name = export("pocketclip_nano", tmp_path / "out", "--tower", "text")
    assert by_name.exit_code == 0
    assert read_manifest(tmp_path / "out/pocketclip_nano/onnx-fp32/text").model.weights_sha256 == (
        manifest.model.weights_sha256
    )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both towers of pocketclip_nano with fresh weights, though trained ones come with it."""
    out = tmp_path_factory.mktemp("fresh")
    result = export("pocketclip_nano", out, "--fresh-weights")
    assert result.exit_code == 0, result.output
    assert "warning: pocketclip_nano gets untrained random weights" in result.stderr
    return out / "pocketclip_nano" / "onnx-fp32"


@pytest.mark.slow
def test_manifest_says_so(fresh: Path) -> None:
    trained = {json.loads((fresh / tower / "manifest.json").read_text())["trained"] for tower in ("image", "text")}
    assert trained == {False}


@pytest.mark.slow
def test_manifest_of_before_is_read_as_unknown(fresh: Path, tmp_path: Path) -> None:
    old = shutil.copytree(fresh / "text", tmp_path / "text")
    content = json.loads((old / "manifest.json").read_text())
    del content["trained"]
    (old / "manifest.json").write_text(json.dumps(content | {"schema_version": 3}))
    assert read_manifest(old).trained is None


@pytest.mark.slow
def test_bundle_refuses_or_marks_them(fresh: Path, tmp_path: Path) -> None:
    arguments = ("bundle", "--image", fresh / "image", "--text", fresh / "text", "--labels", "a cat,a dog")
    refused = invoke(*arguments, "--out", tmp_path / "clip.bundle")
    assert isinstance(refused.exception, BundleError) and "--allow-untrained" in str(refused.exception)
    assert not (tmp_path / "clip.bundle").exists()
    made = invoke(*arguments, "--out", tmp_path / "clip.bundle", "--allow-untrained", "--weights-licence", "MIT")
    assert made.exit_code == 0, made.output
    assert "licence of the weights: MIT (untrained: random weights" in made.stdout
    note = next(
        note for note in read_bundle(tmp_path / "clip.bundle").manifest.licences if note.part == "model weights"
    )
    assert note.source.startswith("untrained")

    Image.new("RGB", (40, 30), "red").save(tmp_path / "photo.png")
    bench = ("bench", "--iterations", "3", "--launches", "1", "--cooldown", "0", "--store", tmp_path / "s.sqlite")
    for command in (
        ("selftest", tmp_path / "clip.bundle"),
        ("classify", tmp_path / "photo.png", "--bundle", tmp_path / "clip.bundle"),
        (*bench, "--artifact", tmp_path / "clip.bundle"),
        ("eval", "--artifact", tmp_path / "clip.bundle", "--count", "48", "--store", tmp_path / "s.sqlite"),
    ):
        result = invoke(*command)
        assert result.exit_code == 0, result.output
        assert WARNING in result.stderr, command
    with open_store(str(tmp_path / "s.sqlite")) as store:
        records = list(store.records())
    assert {record.artifact.trained for record in records if record.kind == "benchmark"} == {False}
    judged = [record for record in records if record.kind == "accuracy"]
    assert {(record.target, record.weights.trained) for record in judged} == {(None, False), ("onnx", False)}


@pytest.mark.slow
def test_every_command_on_artefacts_says_so(fresh: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photo.png")
    store = tmp_path / "s.sqlite"
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("classify", tmp_path / "photo.png", "--labels", "a cat,a dog", "--artifact", fresh),
        ("eval", "--artifact", fresh, "--count", "48", "--store", store),
        ("bench", "--artifact", fresh, "--iterations", "3", "--launches", "1", "--cooldown", "0", "--store", store),
        ("verify", fresh / "text", "--samples", "20"),
    )
    for command in commands:
        result = invoke(*command)
        assert result.exit_code == 0, (command, result.output, result.exception)
        assert f"warning: pocketclip_nano has {WARNING}" in result.stderr, command
    with open_store(str(store)) as opened:
        records = list(opened.records())
    judged = [record for record in records if record.kind == "accuracy"]
    assert {(record.target, record.weights.trained) for record in judged} == {(None, False), ("onnx", False)}
    assert {record.artifact.trained for record in records if record.kind == "benchmark"} == {False}
    report = invoke("report", "--store", store, "--out", tmp_path / "report.html")
    assert report.exit_code == 0, report.output
    assert "untrained random ones" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_eval_of_a_model_without_weights_says_so(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", finished=False)
    result = invoke("eval", "--model", run / MODEL_FILE, "--count", "24", "--store", tmp_path / "s.sqlite")
    assert result.exit_code == 0, result.output
    assert "warning: evaluating random weights" in result.stderr and "mine (untrained)" in result.stdout
    with open_store(str(tmp_path / "s.sqlite")) as store:
        (record,) = store.records()
    assert record.weights.trained is False  # type: ignore[union-attr]
