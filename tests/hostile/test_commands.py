"""Hostile folders through the command line: one line, exit code 2, and nothing written outside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocketclip import models
from pocketclip.cli import app
from pocketclip.export.artifact.manifest import MANIFEST_NAME
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.precision import Tower
from pocketclip.models.errors import PocketClipError
from tests.export.bundle.tiny_artifacts import build_artifact
from tests.hostile.bundles import write_cases

# Of each kind of fault one; every one of them is held against the reader itself in test_refusals.
BUNDLES = (
    "hash-of-artefact-is-a-path",
    "path-through-a-folder",
    "path-with-nul",
    "file-is-a-link",
    "key-twice",
    "manifest-deep",
    "tensor-of-gigabytes",
    "kept-id-twice",
    "pattern-that-matches-nothing",
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every case's folder; nothing may write to them."""
    return write_cases(tmp_path_factory.mktemp("hostile"))


def _tree(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def _refused(arguments: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command says; it must end with 2 and write nothing, wherever it may."""
    work = tmp_path / "work" / "deep" / "below"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("TMPDIR", str(work))
    before = _tree(tmp_path)
    result = CliRunner().invoke(app, [*arguments])
    assert isinstance(result.exception, PocketClipError), result.output
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)
    assert _tree(tmp_path) == before
    return str(result.exception)


@pytest.mark.parametrize("name", BUNDLES)
def test_bench(cases: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused(["bench", "--artifact", str(cases[name]), "--store", str(tmp_path / "s.sqlite")], tmp_path, monkeypatch)


@pytest.mark.parametrize("name", BUNDLES)
def test_selftest(cases: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused(["selftest", str(cases[name])], tmp_path, monkeypatch)


@pytest.mark.parametrize("name", BUNDLES)
def test_classify(cases: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "x.png"
    from PIL import Image

    Image.new("RGB", (20, 20)).save(picture)
    _refused(["classify", "--bundle", str(cases[name]), str(picture)], tmp_path, monkeypatch)


ARTEFACTS = {
    "hash": ("files", 0, "sha256", "../../../../DCIM".ljust(64, "0")),
    "path": ("files", 0, "path", "a/../../x"),
    "entry-point": ("entry_point", "/etc/passwd"),
    "golden": ("golden", "inputs", "file", "../golden.bin"),
}


@pytest.mark.parametrize("name", ARTEFACTS)
@pytest.mark.parametrize("command", ["bench", "bundle", "verify"])
def test_artefacts(name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "artifacts"
    image, text = build_artifact(root, Tower.IMAGE).folder, build_artifact(root, Tower.TEXT).folder
    content = json.loads((text / MANIFEST_NAME).read_text())
    *way, last, value = ARTEFACTS[name]
    inner = content
    for part in way:
        inner = inner[part]
    inner[last] = value
    (text / MANIFEST_NAME).write_text(json.dumps(content))
    arguments = {
        "bench": ["bench", "--artifact", str(text), "--store", str(tmp_path / "s.sqlite")],
        "bundle": ["bundle", "--image", str(image), "--text", str(text), "--out", str(tmp_path / "clip.bundle")],
        "verify": ["verify", str(text)],
    }[command]
    assert str(text) in _refused(arguments, tmp_path, monkeypatch)


@pytest.mark.parametrize("command", ["bench", "bundle"])
def test_links_in_artefacts_are_not_followed(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "artifacts"
    image, text = build_artifact(root, Tower.IMAGE).folder, build_artifact(root, Tower.TEXT).folder
    secret = tmp_path / "secret"
    shutil.move(text / "model.onnx", secret)
    (text / "model.onnx").symlink_to(secret)
    arguments = {
        "bench": ["bench", "--artifact", str(text), "--store", str(tmp_path / "s.sqlite")],
        "bundle": ["bundle", "--image", str(image), "--text", str(text), "--out", str(tmp_path / "clip.bundle")],
    }[command]
    assert "is a link" in _refused(arguments, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b", "", ".hidden", "a\nb"])
def test_the_name_of_a_configuration_is_no_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Artefacts lie in a folder of that name."""
    content = json.loads((Path(models.__file__).parent / "configs" / "pocketclip_nano.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(content | {"name": name}))
    said = _refused(["export", "--model", str(tmp_path / "model.json"), "--target", "onnx"], tmp_path, monkeypatch)
    assert "name: must be a plain name" in said


def test_the_sound_bundle_passes_its_self_test(cases: dict[str, Path]) -> None:
    assert (cases["sound"] / BUNDLE_NAME).is_file()
    result = CliRunner().invoke(app, ["selftest", str(cases["sound"])])
    assert result.exit_code == 0, result.output
