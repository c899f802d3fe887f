"""Wheels of other versions than those that were tested are named with both versions, before anything is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pocketclip.export.precision import MAKER_TARGETS, TargetName
from pocketclip.export.targets.table import TARGETS
from pocketclip.export.targets.tested_versions import untested

try:
    metadata.version("pocketclip")
except metadata.PackageNotFoundError:
    pytest.skip("PocketCLIP is not installed, so no bounds are known", allow_module_level=True)


def _install(site: Path, name: str, version: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize("target", [each for each in TargetName if each not in MAKER_TARGETS])
def test_every_package_of_a_target_has_bounds(
    target: TargetName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = TARGETS[target]
    monkeypatch.syspath_prepend(tmp_path)
    for name in entry.packages:
        _install(tmp_path, name, "0.0.1")
        reason = untested([name], entry.extra) or ""
        assert reason.startswith(f"{name} 0.0.1 is installed; PocketCLIP was tested with {name}>="), name


@pytest.mark.parametrize(("version", "fits"), [("1.32.0", True), ("1.32.5+cpu", True), ("1.33.0", False)])
def test_bounds_hold_at_both_ends(version: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    _install(tmp_path, "onnxruntime", version)
    assert (untested(["onnxruntime"], "onnx") is None) == fits


def test_an_older_wheel_is_refused_in_one_line(tmp_path: Path) -> None:
    _install(tmp_path, "onnxruntime", "1.20.0")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "pocketclip", "export", "--target", "onnx", "--out", str(tmp_path / "out")]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert found.returncode != 0
    assert "onnxruntime 1.20.0 is installed; PocketCLIP was tested with onnxruntime>=1." in found.stderr
    assert "pip install -e '.[onnx]'" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
