"""The gate over two checkouts, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from pocketclip.benchmark.arm64.root import root_folder
from tests.conftest import one_line_error

NANO = Path(__file__).parents[3] / "models" / "configs" / "pocketclip_nano.json"

pytestmark = pytest.mark.slow


def checkout(folder: Path, blocks: int) -> Path:
    """A repository with a model of its own."""
    folder.mkdir()
    config = json.loads(NANO.read_text())
    config |= {"name": "mine", "text": config["text"] | {"blocks": ["attention"] * blocks}}
    (folder / "model.json").write_text(json.dumps(config))
    return folder


def gate(base: Path, head: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    asked = ["--model", "model.json", "--fresh-weights", "--target", "onnx", "--quantize", "fp32", "--tower", "text"]
    return subprocess.run(
        [sys.executable, "-m", "pocketclip.benchmark.gate", "--base", str(base), "--head", str(head), *asked, *options,
         "--out", str(out)],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip


def test_the_same_model_needs_no_measurement(tmp_path: Path) -> None:
    base, head = checkout(tmp_path / "base", 1), checkout(tmp_path / "head", 1)
    out = tmp_path / "gate"
    result = gate(base, head, out)
    assert result.returncode == 0, result.stderr
    assert "nothing worse in 1 artefact" in result.stdout
    assert "same files" in (out / "comment.md").read_text()
    assert not (out / "records.sqlite").exists()
    again = gate(base, head, out)
    assert again.returncode == 2
    assert "is not empty" in one_line_error(again)
    file = gate(base, head, out / "comment.md")
    assert file.returncode == 2
    assert "comment.md is no folder" in one_line_error(file)


def test_a_change_that_does_not_export(tmp_path: Path) -> None:
    base, head = checkout(tmp_path / "base", 1), checkout(tmp_path / "head", 1)
    (head / "model.json").write_text('{"name": "mine"')
    out = tmp_path / "gate"
    result = gate(base, head, out)
    assert result.returncode == 3
    assert "1 of 1 artefact worse: 1 missing" in one_line_error(result)
    comment = (out / "comment.md").read_text()
    assert "The export of the change failed:" in comment and "model.json" in comment


def test_more_layers_take_more_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = root_folder(Path(os.environ["POCKETCLIP_USER_CACHE"]))
    if os.geteuid() != 0 or not root.is_dir():
        pytest.skip("needs root, and the emulated phone that `pocketclip devices create emulator-arm64` makes")
    base, head = checkout(tmp_path / "base", 1), checkout(tmp_path / "head", 2)
    out = tmp_path / "gate"
    # Names of sockets are short: not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="pocketclip-gate-") as cache, FileLock(root.parent / "phone-tests.lock"):
        monkeypatch.setenv("POCKETCLIP_CACHE", cache)
        (Path(cache) / root.name).symlink_to(root)
        result = gate(base, head, out)
    assert result.returncode == 3, result.stderr
    assert "1 more instructions" in one_line_error(result)
    comment = (out / "comment.md").read_text()
    assert "onnx-fp32" in comment and "more instructions" in comment and "<details>" in comment
    assert (out / "report.md").is_file()
