"""LiteRT's two APIs: what `bench` here measures is what the apps run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pocketclip.benchmark.perf.litert_apis import compare_apis
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.job import ExportResult
from tests.conftest import one_line_error

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("precision", ["fp32", "int8-static"])
@pytest.mark.parametrize("tower", ["image", "text"])
def test_both_give_the_same_bits(
    precision: str, tower: str, nano_exports: dict[tuple[str, str, str], ExportResult]
) -> None:
    found = compare_apis(load_artifact(nano_exports["tflite", precision, tower].folder), rounds=4)
    assert found.max_abs == 0
    assert found.interpreter_ns > 0 and found.compiled_ns > 0


def test_artefacts_of_other_targets_are_refused(
    nano_exports: dict[tuple[str, str, str], ExportResult], tmp_path: Path
) -> None:
    folder = nano_exports["onnx", "fp32", "text"].folder
    result = subprocess.run(
        [sys.executable, "-m", "pocketclip.benchmark.perf.litert_apis", str(folder)], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "no artefact of target tflite" in one_line_error(result)
