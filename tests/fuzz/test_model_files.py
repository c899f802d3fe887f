"""Nano's model files with seeded damage through the readers of lint and inspect: an answer or one worded error.

They run in the child process that the commands use; `make fuzz` has more mutations.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from export import foreign
from export.artifact import load_artifact
from export.errors import ArtifactError, UnsupportedOpError
from export.lint.run import summary_of_file
from models.untrusted.child import Bounds, Child
from tests.fuzz.mutations import damage_file

pytestmark = pytest.mark.slow

# Target, precision, and how many mutations take about two seconds.
FILES = (("onnx", "fp32", 60), ("tflite", "fp32", 50), ("executorch", "fp32", 20), ("coreml", "fp16", 25))
_MOST_BYTES = 2 << 30


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as running:
        yield running


def read_all(path: Path) -> int:
    """Lint, and inspect where it takes the file; in the child."""
    from export.inspect_cli import _report

    found = len(summary_of_file(path).findings)
    return found + len(_report(path, False).functions) if path.suffix == ".mlpackage" else found


@pytest.mark.parametrize(("target", "precision", "mutations"), FILES)
def test_damaged_model_files(
    child: Child, nano_exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, precision: str, mutations
) -> None:
    # The least that a small file may take in any case.
    monkeypatch.setattr(foreign, "reading_bounds", lambda files: Bounds(_MOST_BYTES, 60.0))
    original = load_artifact(nano_exports[target, precision, "text"].folder).model_path
    path = tmp_path / "work" / original.name
    path.parent.mkdir()
    outcomes = {"read": 0, "refused": 0}
    for seed in range(mutations):
        if original.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(original, path)
        else:
            shutil.copyfile(original, path)
        damage_file(path, seed)
        before = digests(path)
        try:
            foreign.read(child, read_all, path, about=path, files=[path])
            outcomes["read"] += 1
        except (ArtifactError, UnsupportedOpError) as error:
            words = str(error)
            assert "\n" not in words and str(path) in words, (seed, words)
            for unwanted in ("Traceback", "gave no answer", "GiB", "more memory", "again"):
                assert unwanted not in words, (seed, words)
            outcomes["refused"] += 1
        assert digests(path) == before, seed
    # Nothing is written beside the file.
    assert list(path.parent.iterdir()) == [path]
    assert outcomes["refused"] > mutations // 4


def digests(path: Path) -> dict[Path, str]:
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
