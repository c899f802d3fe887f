"""Artefacts free to be damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.export.job import ExportResult
from pocketclip.export.precision import TargetName, Tower


@pytest.fixture
def onnx_text(nano_exports: dict[tuple[str, str, str], ExportResult], tmp_path: Path) -> Path:
    """A copy of one artefact, free to be damaged."""
    import shutil

    return Path(
        shutil.copytree(
            nano_exports[TargetName.ONNX, "fp32", Tower.TEXT].folder,
            tmp_path / "pocketclip_nano" / "onnx-fp32" / "text",
        )
    )
