"""Artefacts free to be damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Has this process refused to look into a folder, or to open a file: no mode of a file stops a superuser."""
    inner_stat, inner_open = Path.stat, Path.open

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def run(locked: Path) -> None:
        is_folder = locked.is_dir()

        def stat(path: Path, **options: Any) -> os.stat_result:
            if is_folder and locked in path.parents:
                refuse(path)
            return inner_stat(path, **options)

        def open_(path: Path, *arguments: Any, **options: Any) -> Any:
            if path == locked or locked in path.parents:
                refuse(path)
            return inner_open(path, *arguments, **options)

        monkeypatch.setattr(Path, "stat", stat)
        monkeypatch.setattr(Path, "open", open_)

    return run
