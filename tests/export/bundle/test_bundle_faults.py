"""A damaged, foreign, newer or hostile bundle is refused before anything in it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.errors import BundleCorruptError, BundleError
from pocketclip.models.untrusted.names import RELATIVE_PATH

from .tiny_artifacts import DIM, edit, resign

MODEL = "image/model.onnx"


def test_where_there_is_none(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleError, match="there is no bundle"):
            read_bundle(folder)


def _truncate(folder: Path) -> None:
    path = folder / MODEL
    path.write_bytes(path.read_bytes()[:-1])


def _flip(folder: Path) -> None:
    path = folder / MODEL
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _link(folder: Path) -> None:
    path = folder / MODEL
    path.rename(folder.parent / "elsewhere.onnx")
    path.symlink_to(folder.parent / "elsewhere.onnx")


def _not_a_number(folder: Path) -> None:
    path = folder / "golden/sentence_embeddings.bin"
    values = np.fromfile(path, "<f4")
    values[3] = np.nan
    values.tofile(path)
    resign(folder)


def _without_direction(folder: Path) -> None:
    path = folder / "golden/image_outputs.bin"
    values = np.fromfile(path, "<f4").reshape(-1, DIM)
    values[1] = 0
    values.tofile(path)
    resign(folder)


def _short_tensor(folder: Path) -> None:
    path = folder / "labels/embeddings.bin"
    path.write_bytes(path.read_bytes()[:-4])
    resign(folder)


FILE_FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (_truncate, "truncated"),
    (_flip, "altered"),
    (lambda folder: (folder / MODEL).unlink(), r"model\.onnx is missing"),
    (_link, "is a link"),
    (lambda folder: (folder / "image/model.onnx.data").write_bytes(b"?"), r"model\.onnx\.data.*does not list"),
    (_not_a_number, "NaN or infinite"),
    (_without_direction, "an embedding without a direction"),
    (_short_tensor, "take 96"),
    (lambda folder: (folder / BUNDLE_NAME).write_text("{"), "not JSON"),
]


@pytest.mark.parametrize(("damage", "message"), FILE_FAULTS)
def test_files(bundle: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(bundle)
    with pytest.raises(BundleCorruptError, match=message):
        read_bundle(bundle)


@pytest.mark.parametrize("locked", ["", MODEL])
def test_what_may_not_be_read(bundle: Path, lock: Callable[[Path], None], locked: str) -> None:
    lock(bundle / locked)
    with pytest.raises(BundleError, match=rf"^cannot read .*{locked}.*: Permission denied; make it readable"):
        read_bundle(bundle)


def _file(path: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["files"].append({"path": path, "size_bytes": 1, "sha256": "0" * 64})


MANIFEST_FAULTS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda content: content.update(schema_version=4), "schema version 4; this version reads up to 3"),
    (lambda content: content.pop("preprocess"), "preprocess"),
    (lambda content: content.update(surprise=1), "surprise"),
    (lambda content: content["text"].update(precision="fp7"), "precision"),
    (_file("../secret"), r"files\.\d+\.path: must be a path below the folder.*\(got '\.\./secret'\)"),
    (_file("image/../../secret"), "must be a path below the folder"),
    (_file("..\\secret"), "must be a path below the folder"),
    (_file("/etc/passwd"), "must be a path below the folder"),
    (_file("C:/secret"), "must be a path below the folder"),
    (_file("image/MODEL.onnx"), "the same file on some systems"),
    (lambda content: content["files"].append(content["files"][0]), "lists a file twice"),
    (lambda content: content["image"].update(entry_point="model.onnx"), "not among the files"),
    (lambda content: content["end_to_end"]["token_ids"].update(file="ids.bin"), "not among the files"),
    (
        lambda content: content["end_to_end"]["token_ids"].update(
            shape=content["end_to_end"]["token_ids"]["shape"][::-1]
        ),
        "belongs",
    ),
    (
        lambda content: content["tokenizer"]["merges"].update(shape=[0, 2]),
        r"shape\.0: .* greater than or equal to 1",
    ),
    (lambda content: content["labels"].update(names=["cat", "cat", "dog"]), "a label occurs twice"),
    (lambda content: content["labels"].update(names=[]), "belongs"),
    (lambda content: content["text"].update(normalized=False), "raw embeddings"),
    (lambda content: content["text"]["input"].update(shape=[1, 77]), "belongs|context length"),
    (lambda content: content["tokenizer"].update(byte_order=[0] * 256), "byte_order"),
    (lambda content: content["tokenizer"].update(end_id=5), "start and end"),
    (lambda content: content["templates"].update(texts=["a photo"]), "no place for the label"),
    (lambda content: content["preprocess"].update(mean=[0.0, 0.0, 0.0]), "takes values from"),
    (lambda content: content["end_to_end"]["images"][0]["ranking"].update(places=[7, 0, 1]), "does not exist"),
]


@pytest.mark.parametrize(("change", "message"), MANIFEST_FAULTS)
def test_manifests(bundle: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    edit(bundle, change)
    with pytest.raises(BundleCorruptError, match=message):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "path", ["", ".", "a//b", "./a", "a/", "a b", "a\0b", "nul\n", ".hidden", "a\\b", "x" * 201, "ü", "~/a", "a/./b"]
)
def test_paths_that_are_refused(path: str) -> None:
    assert RELATIVE_PATH.fault(path) is not None


def test_paths_that_are_taken() -> None:
    for path in ("model.onnx", "image/model.mlpackage/Data/com.apple.CoreML/weights/weight.bin", "a-b_c+1/0"):
        assert RELATIVE_PATH.fault(path) is None


def test_finders_own_file_does_no_harm(bundle: Path) -> None:
    (bundle / "golden/.DS_Store").write_bytes(b"Finder")
    read_bundle(bundle)
