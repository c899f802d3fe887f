"""Artefacts of pocketclip_nano, exported once for all tests of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.job import ExportJob, ExportResult
from export.precision import TargetName, Tower
from export.targets import TARGETS
from export.workers import LOG_NAME, run_jobs
from models.registry import load_config


@pytest.fixture(scope="session")
def nano_exports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], ExportResult]:
    """Every target at every precision it offers, both towers, by (target, precision, tower)."""
    out = tmp_path_factory.mktemp("artifacts")
    jobs = [
        ExportJob(load_config("pocketclip_nano"), None, target, precision, tower, out)
        for target, entry in TARGETS.items()
        for precision in entry.precisions
        for tower in Tower
    ]
    results: dict[tuple[str, str, str], ExportResult] = {}
    for job, result in run_jobs(jobs, workers=2, log=out / LOG_NAME):
        if isinstance(result, Exception):
            raise result
        results[job.target, job.precision, job.tower] = result
    return results


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
