"""What is installed is pinned with hashes, within bounds that were tested."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [
    Requirement(text)
    for text in [*PROJECT["dependencies"], *(text for texts in _EXTRAS.values() for text in texts)]
    if not text.startswith("pocketclip[")
]
_CONSTRAINTS = (ROOT / "constraints.txt").read_text()
CI = [path.relative_to(ROOT) for path in sorted((ROOT / ".ci").iterdir()) if path.is_file()]
# A block begins at the margin; its hashes are indented.
PINS = re.findall(r"^([a-z0-9-]+)==([^\s;]+)[^\n]*\n((?: +--hash=[^\n]+\n)*)", _CONSTRAINTS, re.MULTILINE)


def test_every_package_has_hashes() -> None:
    assert len(PINS) == len(re.findall(r"^\S", _CONSTRAINTS, re.MULTILINE)) > 150
    for name, _, hashes in PINS:
        assert re.fullmatch(r"(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", hashes), name


@pytest.mark.parametrize("needed", DIRECT, ids=str)
def test_bounds_hold_the_pin(needed: Requirement) -> None:
    versions = {name: version for name, version, _ in PINS}
    assert {each.operator for each in needed.specifier} == {">=", "<"}
    assert Version(versions[needed.name.lower().replace("_", "-")]) in needed.specifier


def test_no_address_of_a_registry() -> None:
    for name in ("pyproject.toml", "constraints.txt", "Makefile", *CI):
        assert not re.findall(r"https?://(?!\S*example)\S+", (ROOT / name).read_text()), name


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("python", "torch", "words"),
    [
        (sys.executable, "gpu", "TORCH=gpu is unknown; choose among: auto, cpu, pypi"),
        ("python-that-is-not-there", "auto", "needs Python 3.11, 3.12 or 3.13, python-that-is-not-there is"),
    ],
)
def test_setup_that_cannot_be(tmp_path: Path, python: str, torch: str, words: str) -> None:
    called = subprocess.run(
        ["bash", str(ROOT / ".ci" / "environment"), str(tmp_path / "venv"), python, "onnx", torch],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert called.returncode == 2
    assert words in called.stderr
    assert not (tmp_path / "venv").exists()
