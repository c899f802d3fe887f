"""The Kotlin sources, built and tested by Maven on a nano bundle that this session exported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pocketclip.export.precision import Precision, TargetName, Tower
from tests.hostile.bundles import write_cases

from .expected import write_fixtures
from .maven_build import Build, build, require_maven

if TYPE_CHECKING:
    from pocketclip.export.job import ExportResult


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def onnx_artifacts(request: pytest.FixtureRequest) -> dict[Tower, Path]:
    """Both towers of pocketclip_nano for ONNX Runtime in fp32."""
    require_maven()
    exports: dict[tuple[str, str, str], ExportResult] = request.getfixturevalue("nano_exports")
    return {tower: Path(exports[TargetName.ONNX, Precision.FP32, tower].folder) for tower in Tower}


@pytest.fixture(scope="session")
def fixtures(onnx_artifacts: dict[Tower, Path], session_folder: Path) -> Path:
    """The bundle and what Python makes of it; the Kotlin tests leave what they found beside it."""
    folder = session_folder / "android-fixtures"
    with FileLock(session_folder / "android-fixtures.lock"):
        if not (folder / "rankings.json").is_file():
            folder.mkdir(exist_ok=True)
            write_cases(folder / "hostile")
            write_fixtures(onnx_artifacts[Tower.IMAGE], onnx_artifacts[Tower.TEXT], folder)
    return folder


@pytest.fixture(scope="session")
def proof(fixtures: Path, session_folder: Path) -> Build:
    """All Kotlin tests, run; takes about a minute, once for a session."""
    return build(session_folder, "verify", f"-Dpocketclip.fixtures={fixtures}")
