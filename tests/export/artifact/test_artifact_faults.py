"""A damaged, foreign or newer artefact is refused with one worded line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from pocketclip.export.artifact.manifest import MANIFEST_NAME, list_files
from pocketclip.export.artifact.reading import find_artifacts, load_artifact, select_pair
from pocketclip.export.errors import ArtifactCorruptError, ArtifactNotFoundError, ManifestError
from pocketclip.export.targets import open_session

pytestmark = pytest.mark.slow


def edit(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_truncated_model(onnx_text: Path) -> None:
    model = onnx_text / "model.onnx"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(ArtifactCorruptError, match="truncated"):
        load_artifact(onnx_text)


def test_flipped_bit(onnx_text: Path) -> None:
    model = onnx_text / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match="altered"):
        load_artifact(onnx_text)


def test_missing_file(onnx_text: Path) -> None:
    (onnx_text / "golden_inputs.bin").unlink()
    with pytest.raises(ArtifactCorruptError, match=r"golden_inputs.bin is missing"):
        load_artifact(onnx_text)


def test_every_file_but_the_manifest_is_listed_and_model_files_are_summed(onnx_text: Path) -> None:
    """A converter may put weights beside its model, and a manifest of its own inside a package."""
    model_bytes = load_artifact(onnx_text).manifest.model_size_bytes
    assert model_bytes == (onnx_text / "model.onnx").stat().st_size
    (onnx_text / "model.onnx.data").write_bytes(b"weights")
    (onnx_text / "package").mkdir()
    (onnx_text / "package" / MANIFEST_NAME).write_text("{}")
    files = list_files(onnx_text)
    assert {"model.onnx.data", f"package/{MANIFEST_NAME}"} < {entry.path for entry in files}
    assert MANIFEST_NAME not in {entry.path for entry in files}
    edit(onnx_text, files=[asdict(entry) for entry in files])
    (artifact,) = find_artifacts([onnx_text])
    assert artifact.manifest.model_size_bytes == model_bytes + len(b"weights") + len(b"{}")


def test_path_outside_the_folder(onnx_text: Path) -> None:
    files = json.loads((onnx_text / MANIFEST_NAME).read_text())["files"]
    edit(onnx_text, files=[{**files[0], "path": "../../../secret"}, *files[1:]])
    with pytest.raises(ManifestError, match="must be a path below the folder"):
        load_artifact(onnx_text)


def test_newer_schema_and_malformed_manifests(onnx_text: Path) -> None:
    edit(onnx_text, schema_version=5)
    with pytest.raises(ManifestError, match="schema version 5; this version reads up to 4"):
        load_artifact(onnx_text)
    edit(onnx_text, schema_version=2, tower="audio")
    with pytest.raises(ManifestError, match="tower"):
        load_artifact(onnx_text)
    (onnx_text / MANIFEST_NAME).write_text("{")
    with pytest.raises(ManifestError, match="not JSON"):
        load_artifact(onnx_text)


def test_manifest_of_the_first_schema_is_read(onnx_text: Path) -> None:
    path = onnx_text / MANIFEST_NAME
    content = json.loads(path.read_text())
    for added in ("calibration", "requires", "inputs_sha256"):
        del content[added]
    path.write_text(json.dumps(content | {"schema_version": 1}))
    manifest = load_artifact(onnx_text).manifest
    assert manifest.schema_version == 1
    assert (manifest.calibration, manifest.requires, manifest.inputs_sha256) == (None, None, None)


def test_model_that_its_runtime_refuses(onnx_text: Path) -> None:
    artifact = load_artifact(onnx_text)
    artifact.model_path.write_bytes(b"not a model")
    with pytest.raises(ArtifactCorruptError, match=r"onnxruntime .* cannot load"):
        open_session(artifact)


def test_places_without_artefacts(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="does not exist"):
        find_artifacts([tmp_path / "nowhere"])
    with pytest.raises(ArtifactNotFoundError, match="holds no artefact"):
        find_artifacts([tmp_path])
    with pytest.raises(ArtifactNotFoundError, match="no artefact at"):
        load_artifact(tmp_path)


def test_pairs_must_be_whole_and_of_one_model(onnx_text: Path, nano_exports) -> None:
    text = load_artifact(onnx_text)
    with pytest.raises(ArtifactNotFoundError, match="exactly one image artefact is needed, found 0"):
        select_pair([text])
    image = load_artifact(nano_exports["onnx", "fp32", "image"].folder)
    assert select_pair([text, image]) == (image, text)
    with pytest.raises(ArtifactNotFoundError, match="found 2"):
        select_pair([image, text, image])
    manifest = json.loads((onnx_text / MANIFEST_NAME).read_text())
    edit(onnx_text, model=manifest["model"] | {"weights_sha256": "0" * 64})
    with pytest.raises(ArtifactNotFoundError, match="different weights"):
        select_pair([image, load_artifact(onnx_text)])
