"""Finding, opening and running exported artefacts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketclip.export.artifact.checks import check_artifact
from pocketclip.export.artifact.manifest import MANIFEST_NAME, GoldenTensor, Manifest, read_manifest
from pocketclip.export.artifact.stored_tensors import MOST_BYTES, read_values
from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError
from pocketclip.export.precision import Tower
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.files import reading_errors


@dataclass(frozen=True)
class Artifact:
    """An artefact on disk whose manifest was read and whose files match their hashes."""

    folder: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The model file, or the package folder of formats that are folders."""
        return self.folder / self.manifest.entry_point

    @property
    def label(self) -> str:
        """A name for messages and tables, e.g. `pocketclip_nano onnx-fp32 image`."""
        return f"{self.manifest.model.name} {self.manifest.scheme} {self.manifest.tower}"

    def golden(self, tensor: GoldenTensor) -> np.ndarray:
        """A stored golden tensor, first axis samples.

        Raises:
            ArtifactCorruptError: its file has changed since the artefact was read, or a value is NaN or infinite.
        """
        return read_values(
            self.folder / tensor.file,
            tensor.shape,
            tensor.dtype,
            most_bytes=MOST_BYTES,
            error=ArtifactCorruptError,
            fix="export the artefact again",
        )


def load_artifact(folder: Path) -> Artifact:
    """Reads an artefact and checks all of it: its manifest, the paths in it, and every file against its hash.

    Raises:
        ArtifactNotFoundError: the folder holds no manifest.
        ManifestError: the manifest is malformed, newer than this version, or does not fit together.
        ArtifactCorruptError: a file is missing, truncated, altered, not listed, or a link.
        ArtifactError: the folder or a file in it may not be read.
    """
    with reading_errors(folder, error=ArtifactError):
        if not (folder / MANIFEST_NAME).is_file():
            below = sorted(_artifact_folders(folder))
            fix = f"choose one of its subfolders: {choices(below)}" if below else "create one with `pocketclip export`"
            raise ArtifactNotFoundError(f"there is no artefact at {folder}: it has no {MANIFEST_NAME}; {fix}")
        manifest = read_manifest(folder)
        check_artifact(folder, manifest)
    return Artifact(folder, manifest)


def find_artifacts(paths: Iterable[Path]) -> list[Artifact]:
    """Artefacts at the paths or in any folder below them, in path order, each once.

    Raises:
        ArtifactNotFoundError: a path does not exist or holds no artefact; and as `load_artifact`.
    """
    folders: dict[Path, None] = {}
    for path in paths:
        with reading_errors(path, error=ArtifactError):
            found = sorted(_artifact_folders(path))
            if not found:
                raise ArtifactNotFoundError(_nothing_at(path))
            folders.update(dict.fromkeys(folder.resolve() for folder in found))
    return [load_artifact(folder) for folder in folders]


def _nothing_at(path: Path) -> str:
    # Imported here: what it brings with it is for this message alone.
    from pocketclip.export.artifact.names import BUNDLE_NAME

    if (path / BUNDLE_NAME).is_file():
        return f"{path} is a bundle, not an artefact; give the artefacts that it was made from"
    if path.is_dir():
        return f"{path} holds no artefact; create some with `pocketclip export --out {path}`"
    if path.exists():
        return f"{path} is a file; give an artefact's folder or a folder of artefacts"
    return f"{path} does not exist; give an artefact's folder or a bundle (`pocketclip export`, `pocketclip bundle`)"


def _artifact_folders(path: Path) -> Iterator[Path]:
    # Names are compared here, not by the file system: on macOS a `.mlpackage` holds a `manifest.json` too.
    for folder, subfolders, files in os.walk(path):
        if MANIFEST_NAME in files:
            yield Path(folder)
            subfolders.clear()
        # Unfinished exports live in hidden folders beside the finished ones.
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]


def select_pair(artifacts: Sequence[Artifact]) -> tuple[Artifact, Artifact]:
    """The image and the text artefact to use together: exactly one of each, of one model.

    Raises:
        ArtifactNotFoundError: a tower is missing, or several candidates leave the choice open.
    """
    by_tower = {tower: [a for a in artifacts if a.manifest.tower is tower] for tower in Tower}
    for tower, candidates in by_tower.items():
        if len(candidates) != 1:
            found = ", ".join(str(a.folder) for a in candidates) or "none"
            raise ArtifactNotFoundError(
                f"exactly one {tower} artefact is needed, found {len(candidates)} ({found})",
                fix="give one folder with both towers at one precision, or give --artifact twice",
            )
    image, text = by_tower[Tower.IMAGE][0], by_tower[Tower.TEXT][0]
    if image.manifest.model.weights_sha256 != text.manifest.model.weights_sha256:
        raise ArtifactNotFoundError(
            f"{image.label} and {text.label} come from different weights", fix="export both towers of one model"
        )
    return image, text
