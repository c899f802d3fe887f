"""Artefacts that the system does not let this user read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.export.artifact.reading import find_artifacts, load_artifact
from pocketclip.export.errors import ArtifactError
from pocketclip.export.precision import Tower
from tests.export.bundle.tiny_artifacts import build_artifact


@pytest.mark.parametrize("locked", [".", "model.onnx"])
@pytest.mark.parametrize("read", [load_artifact, lambda folder: find_artifacts([folder])])
def test_what_may_not_be_read(
    tmp_path: Path, lock: Callable[[Path], None], locked: str, read: Callable[[Path], object]
) -> None:
    folder = build_artifact(tmp_path, Tower.TEXT).folder
    lock(folder / locked)
    with pytest.raises(ArtifactError, match=r"^cannot read .*: Permission denied; make it readable"):
        read(folder)


def test_folder_without_a_manifest_that_may_not_be_read(tmp_path: Path, lock: Callable[[Path], None]) -> None:
    lock(tmp_path)
    with pytest.raises(ArtifactError, match=r"^cannot read .*: Permission denied"):
        find_artifacts([tmp_path])
