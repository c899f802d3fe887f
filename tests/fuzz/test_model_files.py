"""Nano's model files with seeded damage through the readers of lint and inspect: an answer or one worded error.

They run in the child process that the commands use; `make fuzz` has more mutations.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pocketclip.export import foreign
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactError, UnsupportedOpError
from pocketclip.export.lint.run import summary_of_file
from pocketclip.export.ranking import rank_with_pair
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.reading_child import Bounds, Child
from tests.fuzz.mutations import damage_file, mutated

pytestmark = pytest.mark.slow

# Target, precision, and how many mutations take about two seconds.
FILES = (
    ("onnx", "fp32", 60),
    ("tflite", "fp32", 50),
    ("executorch", "fp32", 20),
    ("coreml", "fp16", 25),
    ("coreai", "fp16", 60),
)
_MOST_BYTES = 2 << 30


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as running:
        yield running


def read_all(path: Path) -> int:
    """Lint, and inspect where it takes the file; in the child."""
    from pocketclip.export.api.files import _report

    found = len(summary_of_file(path).findings)
    return found + len(_report(path, False).functions) if path.suffix in (".mlpackage", ".aimodel") else found


@pytest.mark.parametrize(("target", "precision", "mutations"), FILES)
def test_damaged_model_files(
    child: Child, nano_exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, precision: str, mutations
) -> None:
    # The least that a small file may take in any case.
    monkeypatch.setattr(foreign, "reading_bounds", lambda files: Bounds(_MOST_BYTES, 60.0))
    original = load_artifact(nano_exports[target, precision, "text"].folder).model_path
    path = tmp_path / "work" / original.name
    path.parent.mkdir()
    refused: list[str] = []
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
        except (ArtifactError, UnsupportedOpError) as error:
            refused.append(str(error))
        assert digests(path) == before, seed
    # Nothing is written beside the file.
    assert list(path.parent.iterdir()) == [path]
    assert len(refused) > mutations // 4
    for words in refused:
        assert "\n" not in words and str(path) in words
        # The bounds were not needed, and nobody is told to export what somebody else made.
        assert not [each for each in ("Traceback", "gave no answer", "GiB", "more memory", "again") if each in words]


def ignore(event: object) -> None:
    del event


@pytest.mark.parametrize(("target", "mutations"), [("executorch", 12), ("tflite", 6), ("onnx", 6)])
def test_damaged_artefacts_with_right_hashes(
    child: Child, nano_exports, tmp_path: Path, target: str, mutations: int
) -> None:
    """As `classify` runs them: a runtime that crashes ends the child alone."""
    pair = []
    for tower in ("image", "text"):
        shutil.copytree(nano_exports[target, "fp32", tower].folder, tmp_path / tower)
        pair.append(load_artifact(tmp_path / tower))
    picture = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture)
    model = pair[1].model_path
    original = model.read_bytes()
    refused: list[str] = []
    for seed in range(mutations):
        model.write_bytes(mutated(original, seed))
        try:
            ranking = foreign.run(
                child,
                rank_with_pair,
                *pair,
                picture,
                ["a red circle", "a blue square"],
                about="the pair",
                files=[each.model_path for each in pair],
                on_sign=ignore,
            )
            assert len(ranking.labels) == 2
        except (ArtifactError, NonFiniteError) as error:
            refused.append(str(error))
    assert len(refused) > mutations // 4
    assert not [words for words in refused if "\n" in words or "gave no answer" in words or "GiB" in words]


def digests(path: Path) -> dict[Path, str]:
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
