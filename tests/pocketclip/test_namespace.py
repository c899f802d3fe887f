"""Programs and their workers in a folder that holds packages named as ours were: only `pocketclip` is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's repository: importing any of its packages ends the program."""
    folder = tmp_path_factory.mktemp("crowded")
    for name in ("models", "export", "benchmark", "tests"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise SystemExit('the user\\'s {name} was imported')\n")
    return folder


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout + ended.stderr


def test_export_bench_and_eval(crowded: Path) -> None:
    run(crowded, "pocketclip", "export", "--target", "onnx", "--quantize", "fp32", "--tower", "both")
    quick = ("--launches", "1", "--iterations", "5", "--cooldown", "0")
    run(crowded, "pocketclip.benchmark", "--artifact", "artifacts", *quick)
    assert "pytorch" in run(crowded, "pocketclip", "eval", "--artifact", "artifacts", "--count", "24").lower()


def test_train_with_workers(crowded: Path) -> None:
    run(
        crowded,
        "pocketclip",
        "train",
        "--steps",
        "2",
        "--batch-size",
        "8",
        "--workers",
        "2",
        "--data",
        "scenes:64",
        "--out",
        "run",
    )
    assert (crowded / "run" / "weights.safetensors").is_file()


def test_lint_reads_in_a_process_of_its_own(crowded: Path) -> None:
    if not (crowded / "artifacts").is_dir():
        run(crowded, "pocketclip", "export", "--target", "onnx", "--quantize", "fp32", "--tower", "both")
    run(crowded, "pocketclip", "lint", "artifacts")
