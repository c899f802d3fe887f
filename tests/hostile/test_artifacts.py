"""Hostile manifests of artefacts: refused by the one reader before a path, a shape or a number in them is used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketclip.export.artifact.manifest import MANIFEST_NAME
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, ManifestError
from pocketclip.export.precision import Tower
from tests.export.bundle import tiny_artifacts
from tests.export.bundle.tiny_artifacts import build_artifact

Change = Callable[[dict[str, Any]], object]
_PATHS = [
    "../x",
    "a/../../x",
    "/etc/passwd",
    "C:/x",
    "a\\b",
    "a\0b",
    "x" * 201,
    "x/" * 150 + "x",
    "",
    ".",
    ".x",
    "a//b",
    "ü",
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound artefact; nothing may write to it."""
    return build_artifact(tmp_path_factory.mktemp("sound"), Tower.TEXT).folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy, free to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "artifact"))


def edit(folder: Path, change: Change) -> None:
    tiny_artifacts.edit(folder, change, MANIFEST_NAME)


def resign(folder: Path) -> None:
    tiny_artifacts.resign(folder, MANIFEST_NAME)


def _entry(**changes: object) -> Change:
    return lambda content: content["files"][0].update(changes)


MANIFESTS: list[tuple[Change, str]] = [
    *((_entry(path=path), r"files\.0\.path: must be a path below the folder") for path in _PATHS),
    *(
        (lambda content, path=path: content.update(entry_point=path), "entry_point: must be a path below the folder")
        for path in _PATHS
    ),
    (lambda content: content["golden"]["inputs"].update(file="../golden_inputs.bin"), r"golden\.inputs\.file: must be"),
    (lambda content: content.update(files=[]), r"the model 'model\.onnx' is not among the files"),
    (lambda content: content.update(entry_point="golden_inputs"), "the model 'golden_inputs' is not among the files"),
    (lambda content: content["golden"]["outputs"].update(file="other.bin"), "'other.bin' are not among the files"),
    (lambda content: content["files"].append(content["files"][0]), "lists a file twice"),
    (
        lambda content: content["files"].append(content["files"][-1] | {"path": "MODEL.onnx"}),
        "same file on some systems",
    ),
    (lambda content: content["files"].append(content["files"][-1] | {"path": "model.onnx/x"}), "as a file and"),
    (lambda content: content["files"].append(content["files"][-1] | {"path": MANIFEST_NAME}), "lists itself"),
    (_entry(sha256="A" * 64), "must be 64 hex digits"),
    (_entry(sha256="../" * 21 + "x"), "must be 64 hex digits"),
    (_entry(size_bytes=-1), "size_bytes"),
    (_entry(size_bytes=1 << 60), "size_bytes"),
    (lambda content: content["golden"]["inputs"].update(shape=[-8, -24]), r"golden\.inputs\.shape"),
    (lambda content: content["golden"]["inputs"].update(shape=[]), r"golden\.inputs\.shape"),
    (lambda content: content["golden"]["inputs"].update(shape=[9, 24]), "golden_inputs.bin has|golden reference are"),
    (lambda content: content["golden"]["inputs"].update(dtype="object"), r"golden\.inputs\.dtype"),
    (lambda content: content["golden"]["inputs"].update(dtype="float32"), "where int32 .* belongs"),
    (lambda content: content["golden"]["reference"].update(shape=[8, 1 << 20]), "where float32 .* belongs"),
    (lambda content: content["model"].update(logit_scale=-1e308), "logit_scale"),
    (lambda content: content["model"].update(embedding_dim=0), "embedding_dim"),
    (lambda content: content["model"].update(weights_sha256="../x"), "must be 64 hex digits"),
    (lambda content: content["model"].update(parameters=10**30), "64 bits hold"),
    (lambda content: content["inputs"][0].update(layout="../"), "layout"),
    (lambda content: content["inputs"][0].update(shape=[1, 77]), "belongs"),
    (lambda content: content.update(inputs=[]), "has no input"),
    (lambda content: content.update(outputs=[]), "output is not its embedding"),
    (lambda content: content["tokenizer"].update(vocabulary="../../vocabulary.json"), "vocabulary .* is not among"),
    (lambda content: content["tokenizer"].update(vocabulary="/etc/passwd"), "vocabulary .* is not among"),
]


@pytest.mark.parametrize(("change", "message"), MANIFESTS)
def test_manifests(folder: Path, change: Change, message: str) -> None:
    edit(folder, change)
    with pytest.raises(ArtifactError, match=message) as caught:
        load_artifact(folder)
    assert "\n" not in str(caught.value) and "\0" not in str(caught.value)


TEXTS = [
    ('"normalized": true', '"normalized": true, "normalized": true', "'normalized' twice"),
    ('"logit_scale": 20.0', '"logit_scale": 1e999', "infinite"),
    ('"parameters": 1000', '"parameters": ' + "9" * 400, "400 digits"),
    ('"lint": []', '"lint": ' + "[" * 1500 + "]" * 1500, "deeper than"),
]


@pytest.mark.parametrize(("old", "new", "message"), TEXTS)
def test_texts(folder: Path, old: str, new: str, message: str) -> None:
    text = (folder / MANIFEST_NAME).read_text()
    assert old in text
    (folder / MANIFEST_NAME).write_text(text.replace(old, new, 1))
    with pytest.raises(ManifestError, match=message):
        load_artifact(folder)


def test_endless_manifest(folder: Path) -> None:
    with (folder / MANIFEST_NAME).open("a") as stream:
        stream.write(" " * (17 << 20))
    with pytest.raises(ManifestError, match="at most 16777216 are read"):
        load_artifact(folder)


def _link_up(folder: Path) -> None:
    """A link beside, and a path that goes through it and back: what was resolved instead of checked."""
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "x").write_bytes(b"content")
    (folder / "a").symlink_to(folder.parent / "elsewhere")


def _link_model(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "model.onnx")
    (folder / "model.onnx").symlink_to(folder.parent / "model.onnx")


def _not_finite(folder: Path) -> None:
    values = np.fromfile(folder / "golden_outputs.bin", "<f4")
    values[0] = np.inf
    values.tofile(folder / "golden_outputs.bin")
    resign(folder)


FILES: list[tuple[Callable[[Path], object], str]] = [
    (_link_up, "holds a, which its manifest does not list"),
    (_link_model, "is a link"),
    (lambda folder: (folder / "model.onnx.data").write_bytes(b"?"), r"holds model\.onnx\.data, which"),
    (lambda folder: (folder / "deep").mkdir() or (folder / "deep" / "x").write_bytes(b"?"), "holds deep/x, which"),
    (lambda folder: os.mkfifo(folder / "pipe"), "holds pipe, which"),
]


@pytest.mark.parametrize(("damage", "message"), FILES)
def test_files(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(ArtifactCorruptError, match=message):
        load_artifact(folder)


def test_golden_tensors_that_are_not_finite(folder: Path) -> None:
    _not_finite(folder)
    artifact = load_artifact(folder)
    with pytest.raises(ArtifactCorruptError, match="NaN or infinite"):
        artifact.golden(artifact.manifest.golden.outputs)


def test_finders_own_file_does_no_harm(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"Finder")
    assert load_artifact(folder).manifest.tower is Tower.TEXT


_LEAVES = [
    ("entry_point",), ("files", 0, "path"), ("files", 0, "sha256"), ("files", 0, "size_bytes"), ("model", "name"),
    ("model", "weights_sha256"), ("golden", "inputs", "file"), ("golden", "inputs", "shape"),
    ("golden", "inputs", "dtype"), ("inputs", 0, "shape"), ("inputs", 0, "layout"), ("model", "logit_scale"),
    ("tokenizer", "vocabulary"), ("tokenizer", "context_length"), ("tower",), ("precision",), ("requires",),
    ("versions",),
]  # fmt: skip
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(_PATHS)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(_LEAVES), value=_JSON)
def test_any_value_in_any_field_is_read_or_refused_in_one_line(sound: Path, place: tuple[Any, ...], value: Any) -> None:
    manifest = sound / MANIFEST_NAME
    text = manifest.read_text()
    content = json.loads(text)
    inner = content
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    message = "one line"
    try:
        manifest.write_text(json.dumps(content))
        artifact = load_artifact(sound)
        for path in (artifact.manifest.entry_point, *(entry.path for entry in artifact.manifest.files)):
            assert (sound / path).resolve().is_relative_to(sound.resolve())
    except ArtifactError as error:
        message = str(error)
    finally:
        manifest.write_text(text)
    assert "\n" not in message
