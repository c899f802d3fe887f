"""Artefacts and bundles free to be damaged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.precision import Tower

from .tiny_artifacts import LABELS, build_artifact

Build = Callable[..., Artifact]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """`build_artifact` in a folder of the test's own."""
    return functools.partial(build_artifact, tmp_path / "artifacts")


@pytest.fixture
def bundle(build: Build, tmp_path: Path) -> Path:
    """A sound bundle of ONNX towers, free to be damaged."""
    write_bundle(BundleRequest(build(Tower.IMAGE), build(Tower.TEXT), LABELS), tmp_path / "clip.bundle")
    return tmp_path / "clip.bundle"
