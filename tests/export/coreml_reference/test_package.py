"""Opening Core ML packages: which files are read, and that none is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import coremltools as ct
import pytest

from pocketclip.export.coreml_reference.package import MANIFEST_NAME, open_package, private_copy
from pocketclip.export.errors import ArtifactCorruptError
from tests.export.foreign import small_models

MODEL = Path("Data/com.apple.CoreML/model.mlmodel")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return small_models.package(tmp_path / "small.mlpackage")


def content(package: Path) -> dict[str, bytes]:
    return {str(path.relative_to(package)): path.read_bytes() for path in package.rglob("*") if path.is_file()}


def test_the_same_specification_as_coremltools_reads(package: Path, tmp_path: Path) -> None:
    before = content(package)
    opened = open_package(package)
    copied = private_copy(package, tmp_path / "copy")
    assert opened.specification == ct.utils.load_spec(str(copied))
    assert opened.weights == package / "Data/com.apple.CoreML/weights"
    assert content(package) == before
    # coremltools does write what it reads, which is why.
    assert content(copied)[MANIFEST_NAME] != before[MANIFEST_NAME]


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "..", "", "a\0b", 3, None])
def test_model_outside_the_package(package: Path, path: object) -> None:
    manifest = json.loads((package / MANIFEST_NAME).read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = path
    (package / MANIFEST_NAME).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactCorruptError, match="manifest or model file is truncated or altered"):
        open_package(package)


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"rootModelIdentifier": "x"}', "[" * 2000, '{"a": 1, "a": 1}'])
def test_manifests_that_name_no_model(package: Path, manifest: str) -> None:
    (package / MANIFEST_NAME).write_text(manifest)
    with pytest.raises(ArtifactCorruptError, match="manifest or model file is truncated or altered"):
        open_package(package)


def test_what_is_no_file(package: Path) -> None:
    os.mkfifo(package / "Data/com.apple.CoreML/weights/more.bin")
    with pytest.raises(ArtifactCorruptError, match=r"weights/more\.bin, which is not a regular file"):
        open_package(package)


def test_links_to_files_are_read(package: Path, tmp_path: Path) -> None:
    """A model hub's cache keeps the files of a package elsewhere."""
    (package / MODEL).rename(tmp_path / "blob")
    (package / MODEL).symlink_to(tmp_path / "blob")
    assert open_package(package).specification.WhichOneof("Type") == "mlProgram"
    (tmp_path / "blob").unlink()
    with pytest.raises(ArtifactCorruptError, match=r"model\.mlmodel: No such file"):
        open_package(package)
