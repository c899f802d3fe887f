"""Reading changes nothing: every file of what is read is the same afterwards, for every command that reads."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.export.foreign import small_models

pytestmark = pytest.mark.slow

LABELS = "a red circle,a blue square"


def tree(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every path below a folder, with the hash, mode and time of its content."""
    found: dict[str, tuple[str, int, int]] = {}
    for parent, _, names in os.walk(folder):
        for name in (".", *names):
            path = Path(parent, name)
            status = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(folder))] = (digest, status.st_mode, status.st_mtime_ns)
    return found


def test_foreign_files(pocketclip, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    small_models.package(given / "small.mlpackage")
    small_models.delegate_file(given / "small.pte")
    small_models.custom_op(given / "small.tflite")
    small_models.open_sizes(given / "small.onnx")
    before = tree(given)
    for path in sorted(given.iterdir()):
        assert pocketclip("lint", path).returncode == 0, path
    for name in ("small.mlpackage", "small.pte"):
        result = pocketclip("inspect", given / name)
        assert result.returncode == 0, result.stderr
        assert "linear" in result.stdout
    assert tree(given) == before
    # A key that coremltools does not know is still there.
    assert '"author": "somebody"' in (given / "small.mlpackage" / "Manifest.json").read_text()


def test_artefacts_and_bundles(pocketclip, nano_exports, tmp_path: Path) -> None:
    given = tmp_path / "given"
    for target, precision in (
        ("coreml", "fp16"),
        ("executorch-coreml", "fp16"),
        ("executorch", "fp32"),
        ("onnx", "fp32"),
        ("tflite", "fp32"),
    ):
        for tower in ("image", "text"):
            shutil.copytree(nano_exports[target, precision, tower].folder, given / target / tower)
    bundle = given / "clip.bundle"
    made = pocketclip("bundle", "--image", given / "coreml/image", "--text", given / "onnx/text", "--out", bundle)
    assert made.returncode == 0, made.stderr
    picture = tmp_path / "picture.png"
    _picture(picture)
    (tmp_path / "set" / "red").mkdir(parents=True)
    shutil.copyfile(picture, tmp_path / "set" / "red" / "0.png")
    (tmp_path / "set" / "blue").mkdir()
    shutil.copyfile(picture, tmp_path / "set" / "blue" / "0.png")
    store = tmp_path / "store.db"
    before = tree(given)
    for arguments in (
        ["lint", given],
        ["inspect", given / "coreml/image"],
        ["inspect", given / "executorch-coreml/text"],
        *(
            ["classify", picture, "--artifact", given / target, "--labels", LABELS]
            for target in os.listdir(given)
            if target != bundle.name
        ),
        ["classify", picture, "--bundle", bundle, "--labels", LABELS],
        ["selftest", bundle],
        ["verify", given / "coreml/text", given / "executorch-coreml/image", "--samples", "20"],
        ["eval", "--artifact", given / "coreml", "--dataset", f"folder:{tmp_path / 'set'}", "--store", store],
        [
            "bench",
            "--artifact",
            given / "onnx",
            "--iterations",
            "2",
            "--launches",
            "1",
            "--cooldown",
            "0",
            "--store",
            store,
        ],
        [
            "bench",
            "--artifact",
            given / "executorch",
            "--iterations",
            "2",
            "--launches",
            "1",
            "--cooldown",
            "0",
            "--store",
            store,
        ],
    ):
        result = pocketclip(*arguments, cwd=tmp_path)
        # A tiny bench may be too noisy, and a lint may find something: what matters is that it has read.
        assert result.returncode in (0, 1), (arguments, result.stderr)
        assert "Traceback" not in result.stderr, (arguments, result.stderr)
        assert tree(given) == before, arguments


def _picture(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (80, 64), (200, 30, 30)).save(path)


@pytest.mark.parametrize("name", ["../../esc.txt", "/tmp/a/es.txt", "aaaaaaaa/.txt"])
def test_hostile_names_in_a_payload(pocketclip, error_line, nano_exports, tmp_path: Path, name: str) -> None:
    """Not even with right hashes does an artefact write anything, whatever reads it."""
    import json

    given = tmp_path / "given"
    for tower in ("image", "text"):
        shutil.copytree(nano_exports["executorch-coreml", "fp16", tower].folder, given / tower)
    model, manifest = given / "text" / "model.pte", given / "text" / "manifest.json"
    small_models.renamed_in_payload(model, "metadata.json", name, model)
    content = json.loads(manifest.read_text())
    for entry in content["files"]:
        if entry["path"] == "model.pte":
            entry["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))
    picture = tmp_path / "picture.png"
    _picture(picture)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = tree(tmp_path)
    # All names go through one reader: each way to it needs one name alone.
    ways: dict[str, tuple[list[object], ...]] = {
        "../../esc.txt": (
            ["lint", given / "text"],
            ["classify", picture, "--artifact", given, "--labels", LABELS],
            ["verify", given / "text", "--samples", "20"],
        ),
        "/tmp/a/es.txt": (["lint", model], ["inspect", given / "text"]),
        "aaaaaaaa/.txt": (["inspect", model],),
    }
    for arguments in ways[name]:
        environment = {**os.environ, "TMPDIR": str(scratch)}
        result = _run(arguments, environment)
        assert result.returncode == 2, (arguments, result.stderr)
        assert "holds a name of a file that must be a plain name" in error_line(result)
        found = tree(tmp_path)
        # Temporary folders have been there, and torch keeps a cache of its own.
        found = {path: entry for path, entry in found.items() if not path.startswith("scratch")}
        assert found == {path: entry for path, entry in before.items() if not path.startswith("scratch")}, arguments
        assert not [each for each in scratch.rglob("*") if each.name.startswith(("esc", "es.", "pocketclip-"))]


def _run(arguments: list[object], environment: dict[str, str]):
    import subprocess

    return subprocess.run(
        [sys.executable, "-m", "pocketclip", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**environment, "COLUMNS": "160", "NO_COLOR": "1"},
        timeout=600,
    )
