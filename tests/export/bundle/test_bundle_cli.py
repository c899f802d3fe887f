"""The commands from outside: exit codes, one line per error, labels as users give them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.cli import app
from pocketclip.export.bundle.prompts import read_labels
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.errors import ArtifactNotFoundError, BundleCorruptError, SelfTestError
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.errors import LabelError, PromptError

from .conftest import Build
from .tiny_artifacts import edit


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def make(build: Build, out: Path, *arguments: str | Path) -> Any:
    image, text = build(Tower.IMAGE), build(Tower.TEXT)
    return invoke("bundle", "--image", image.folder, "--text", text.folder, "--out", out, *arguments)


def test_bundle_and_selftest(build: Build, tmp_path: Path) -> None:
    made = make(build, tmp_path / "clip.bundle", "--labels", "red circle, orange star")
    assert made.exit_code == 0, made.output
    assert "2 labels, 7 templates (scenes)" in made.stdout
    assert "licence of the weights: unknown" in made.stdout
    tested = invoke("selftest", tmp_path / "clip.bundle")
    assert tested.exit_code == 0, tested.output
    assert "golden outputs" in tested.stdout and "FAIL" not in tested.stdout
    report = json.loads(invoke("selftest", tmp_path / "clip.bundle", "--json").stdout)
    assert report["failures"] == 0 and len(report["checks"]) > 10

    photograph = tmp_path / "photo.png"
    Image.new("RGB", (40, 30), "red").save(photograph)
    ranked = invoke("classify", photograph, "--bundle", tmp_path / "clip.bundle")
    assert ranked.exit_code == 0 and "red circle" in ranked.stdout and "clip.bundle" in ranked.stdout
    others = invoke("classify", photograph, "--bundle", tmp_path / "clip.bundle", "--labels", "a dog,a cat")
    assert others.exit_code == 0 and "a dog" in others.stdout
    for neither_or_both in ((), ("--bundle", tmp_path, "--artifact", tmp_path)):
        refused = invoke("classify", photograph, *neither_or_both)
        assert isinstance(refused.exception, ArtifactNotFoundError)


@pytest.mark.slow
def test_exit_codes(
    pocketclip: Callable[..., Any], error_line: Callable[[Any], str], bundle: Path, tmp_path: Path
) -> None:
    edit(bundle, lambda content: content["templates"].update(texts=["not a {}"]))
    failing = pocketclip("selftest", bundle)
    assert failing.returncode == 1
    assert "checks failed" in error_line(failing) and "FAIL" in failing.stdout
    unusable = pocketclip("selftest", tmp_path / "nowhere")
    assert unusable.returncode == 2 and unusable.stdout == ""
    assert "there is no bundle at" in error_line(unusable)


def test_failures_are_in_the_report_too(bundle: Path) -> None:
    edit(bundle, lambda content: content["preprocess"].update(interpolation="bilinear"))
    result = invoke("selftest", bundle, "--json")
    assert isinstance(result.exception, SelfTestError)
    assert json.loads(result.stdout)["failures"] > 0
    (bundle / "image/model.onnx").unlink()
    assert isinstance(invoke("selftest", bundle).exception, BundleCorruptError)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--labels", " , "), LabelError, "empty"),
        (("--labels", "cat,dog,cat"), LabelError, "'cat' occurs more than once"),
        (("--labels", "cat", "--labels-file", "x"), LabelError, "either"),
        (("--labels-file", "nowhere.txt"), LabelError, "cannot read labels"),
        (("--labels", "cat", "--templates", "nowhere.txt"), PromptError, "cannot read templates"),
    ],
)
def test_bad_labels(
    build: Build, tmp_path: Path, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    result = make(build, tmp_path / "clip.bundle", *arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert not (tmp_path / "clip.bundle").exists()


def test_encodings_of_label_files(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("café\nthé\n".encode("utf-8-sig"))
    assert read_labels(None, path) == ("café", "thé")
    for content in ("café\n".encode("latin-1"), "cat\n".encode("utf-16"), "cat\ndog\n".encode("utf-16-le"), b"\n \n"):
        path.write_bytes(content)
        with pytest.raises(LabelError, match=r"UTF-8|empty"):
            read_labels(None, path)


@pytest.mark.slow
def test_exported_towers_of_different_runtimes(nano_exports: Any, tmp_path: Path) -> None:
    """Real artefacts of all runtimes, one in each place."""
    pairs = [
        ((TargetName.ONNX, Precision.FP32), (TargetName.TFLITE, Precision.INT8_STATIC)),
        ((TargetName.COREML, Precision.FP16), (TargetName.EXECUTORCH, Precision.FP32)),
        ((TargetName.EXECUTORCH, Precision.INT8_STATIC), (TargetName.COREML, Precision.INT8_WEIGHTS)),
    ]
    for number, (image, text) in enumerate(pairs):
        out = tmp_path / f"{number}.bundle"
        made = invoke(
            "bundle", "--image", nano_exports[(*image, Tower.IMAGE)].folder,
            "--text", nano_exports[(*text, Tower.TEXT)].folder, "--out", out, "--labels", "red circle,orange star",
        )  # fmt: skip
        assert made.exit_code == 0, made.exception
        assert "Apache-2.0 (trained on generated scenes and drawings" in made.stdout
        tested = invoke("selftest", out)
        assert tested.exit_code == 0, tested.stdout
        manifest = read_bundle(out).manifest
        (weights,) = [note for note in manifest.licences if note.part == "model weights"]
        assert weights.copyright is not None and "Twemoji by Twitter, Inc." in weights.copyright
        assert "CC-BY-SA" not in weights.copyright and "GPL" not in weights.copyright
        scene = next(each for each in manifest.end_to_end.images if each.name == "scene")
        assert scene.ranking is not None and manifest.tokenizer.kept_ids is not None
