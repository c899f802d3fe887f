"""Hostile bundles that Python, Kotlin and Swift read: one sound bundle, damaged in every way that the table names.

`write_cases` makes the same folders each time. `refusals.json` says which reader refuses which; tests of all three hold
their reader against it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.bundle.writing import BundleRequest, write_bundle
from pocketclip.export.precision import Tower
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact, edit, resign

TABLE = Path(__file__).parent / "refusals.json"
SOUND = "sound"

Damage = Callable[[Path], object]


@dataclass(frozen=True)
class Refusals:
    """Which readers refuse a case; `schema`: whether the JSON Schema does too."""

    python: bool
    kotlin: bool
    swift: bool
    schema: bool


def refusals() -> dict[str, Refusals]:
    """The table, by the names of cases."""
    return {name: Refusals(**row) for name, row in json.loads(TABLE.read_text()).items()}


def write_cases(root: Path) -> dict[str, Path]:
    """Writes every case into a folder of its own, `root/cases/NAME`, and the table beside them."""
    parts = root / "parts"
    write_bundle(
        BundleRequest(build_artifact(parts, Tower.IMAGE), build_artifact(parts, Tower.TEXT), LABELS), parts / "bundle"
    )
    folders = {name: root / "cases" / name for name in (SOUND, *CASES)}
    for name, folder in folders.items():
        # Files are shared until a damage writes them anew.
        shutil.copytree(parts / "bundle", folder, copy_function=os.link)
        _own(folder / BUNDLE_NAME)
        if name != SOUND:
            CASES[name](folder)
    shutil.copyfile(TABLE, root / TABLE.name)
    return folders


def _own(path: Path) -> Path:
    """Gives a file a content of its own."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


def _set(place: str, value: object) -> Damage:
    """A field of the manifest, by keys and numbers between dots."""

    def damage(folder: Path) -> None:
        def change(content: dict[str, Any]) -> None:
            *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
            inner: Any = content
            for part in way:
                inner = inner[part]
            inner[last] = value

        edit(folder, change)

    return damage


def _text(old: str, new: str) -> Damage:
    """The manifest's text, in which the first place of `old` becomes `new`."""

    def damage(folder: Path) -> None:
        text = (folder / BUNDLE_NAME).read_text()
        assert old in text, old
        (folder / BUNDLE_NAME).write_text(text.replace(old, new, 1))

    return damage


def _values(file: str, dtype: str, change: Callable[[np.ndarray], object]) -> Damage:
    """Values of a stored tensor, with sizes and hashes brought in line."""

    def damage(folder: Path) -> None:
        path = _own(folder / file)
        values = np.fromfile(path, dtype)
        change(values)
        values.tofile(path)
        resign(folder)

    return damage


def _link(folder: Path) -> None:
    path = folder / "image/model.onnx"
    path.rename(folder.parent / f"{folder.name}.elsewhere")
    path.symlink_to(folder.parent / f"{folder.name}.elsewhere")


def _linked_folder(folder: Path) -> None:
    (folder / "image").rename(folder.parent / f"{folder.name}.elsewhere")
    (folder / "image").symlink_to(folder.parent / f"{folder.name}.elsewhere")


def _linked_manifest(folder: Path) -> None:
    path = folder / BUNDLE_NAME
    path.rename(folder.parent / f"{folder.name}.json")
    path.symlink_to(folder.parent / f"{folder.name}.json")


def _endless(folder: Path) -> None:
    """Valid JSON, larger than any manifest."""
    with (folder / BUNDLE_NAME).open("a") as stream:
        stream.write(" " * (17 << 20))


_HUGE = (1 << 22) * 90 * 4


def _huge_tensor(folder: Path) -> None:
    """Label embeddings of 1.5 GB that take no room on a disk, as a zip of a few megabytes would hold."""
    path = folder / "labels/embeddings.bin"
    path.unlink()
    with path.open("wb") as stream:
        stream.truncate(_HUGE)

    def change(content: dict[str, Any]) -> None:
        entry = next(each for each in content["files"] if each["path"] == "labels/embeddings.bin")
        entry |= {"size_bytes": _HUGE}
        content["labels"]["embeddings"]["shape"] = [1 << 22, 90]

    edit(folder, change)


def _file_entry(**changes: object) -> Damage:
    return lambda folder: edit(folder, lambda content: content["files"][0].update(changes))


def _listed(path: str) -> Damage:
    added = {"path": path, "size_bytes": 1, "sha256": "0" * 64}
    return lambda folder: edit(folder, lambda content: content["files"].append(added))


def _merge_of_itself(values: np.ndarray) -> None:
    values[0] = 512


def _repeat(values: np.ndarray) -> None:
    values[550] = values[551]


def _exchange(values: np.ndarray) -> None:
    values[[550, 551]] = values[[551, 550]]


def _without_a_byte(values: np.ndarray) -> None:
    # In ascending order still: an id that was dropped takes the place.
    gap = 512 + int(np.flatnonzero(np.diff(values[512:]) > 1)[0])
    added = values[gap] + 1
    values[7:gap] = values[8 : gap + 1]
    values[gap] = added


def _first(values: np.ndarray, value: float) -> None:
    values[0] = value


_DCIM = "../../../../DCIM".ljust(64, "0")
_MERGES, _KEPT = "tokenizer/merges.bin", "tokenizer/kept_ids.bin"

CASES: Mapping[str, Damage] = {
    # Hashes that become names of folders.
    "hash-of-artefact-is-a-path": _set("image.artifact_sha256", _DCIM),
    "hash-of-artefact-in-capitals": _set("text.artifact_sha256", "A" * 64),
    "hash-of-artefact-empty": _set("image.artifact_sha256", ""),
    "hash-with-a-line-feed": _set("text.artifact_sha256", "a" * 64 + "\n"),
    "hash-of-weights-is-a-path": _set("model.weights_sha256", _DCIM),
    "hash-of-configuration-short": _set("model.config_sha256", "abc"),
    "hash-of-file-in-capitals": _file_entry(sha256="A" * 64),
    # Paths.
    "path-up": _listed("../secret"),
    "path-through-a-folder": _listed("a/../../x"),
    "path-absolute": _listed("/etc/passwd"),
    "path-of-a-drive": _listed("C:/secret"),
    "path-with-backslash": _listed("..\\secret"),
    "path-with-nul": _listed("a\0b"),
    "path-too-long": _listed("x" * 201),
    "path-hidden": _listed(".hidden"),
    "path-empty": _listed(""),
    "path-in-two-cases": _listed("image/MODEL.onnx"),
    "path-file-and-folder": _listed("image/model.onnx/weights"),
    "path-twice": lambda folder: edit(folder, lambda content: content["files"].append(content["files"][0])),
    "path-of-the-manifest": _listed(BUNDLE_NAME),
    "entry-point-up": _set("image.entry_point", "../model.onnx"),
    "entry-point-absolute": _set("image.entry_point", "/model.onnx"),
    "entry-point-not-listed": _set("text.entry_point", "text/other.onnx"),
    "tensor-file-up": _set("end_to_end.token_ids.file", "../../ids.bin"),
    "tensor-file-not-listed": _set("end_to_end.token_ids.file", "golden/other.bin"),
    "no-files": _set("files", []),
    # Files.
    "file-unlisted": lambda folder: (folder / "image/model.onnx.data").write_bytes(b"?"),
    "file-missing": lambda folder: (folder / "image/model.onnx").unlink(),
    "file-is-a-link": _link,
    "folder-is-a-link": _linked_folder,
    "manifest-is-a-link": _linked_manifest,
    "file-is-a-pipe": lambda folder: os.mkfifo(folder / "image/pipe"),
    "file-with-impossible-size": _file_entry(size_bytes=1 << 50),
    "file-with-negative-size": _file_entry(size_bytes=-1),
    # The text of the manifest.
    "manifest-endless": _endless,
    "manifest-deep": _text('"licences": [', '"licences": [' + "[" * 1500 + "]" * 1500 + ","),
    "key-twice": _text('"generator":', '"generator": "another", "generator":'),
    "key-twice-by-escape": _text('"generator":', '"gener\\u0061tor": "another", "generator":'),
    "number-infinite": _text('"logit_scale": 20.0', '"logit_scale": 1e999'),
    "number-not-a-number": _text('"logit_scale": 20.0', '"logit_scale": NaN'),
    "number-of-400-digits": _text('"parameters": 1000', '"parameters": ' + "9" * 400),
    "number-in-quotes": _set("model.embedding_dim", "8"),
    "field-unknown": _set("surprise", 1),
    # Ranges of numbers.
    "logit-scale-negative": _set("model.logit_scale", -1e308),
    "logit-scale-huge": _set("model.logit_scale", 1e308),
    "dimension-zero": _set("model.embedding_dim", 0),
    "parameters-negative": _set("model.parameters", -1),
    "tolerance-below-any-cosine": _set("image.tolerances.other.cosine_min", -2.0),
    "tolerance-above-any-error": _set("image.tolerances.same.max_abs", 1e9),
    "tolerance-negative": _set("text.tolerances.same.max_abs", -1.0),
    "pixel-tolerance-huge": _set("end_to_end.pixel_tolerance", 1e9),
    "parity-cosine-above-one": _set("image.parity.cosine_min", 2.0),
    "parity-share-negative": _set("image.parity.top1_agreement", -0.5),
    "system-impossible": _set("image.minimum_ios", -3),
    "probability-above-one": _set("end_to_end.images.0.ranking.probabilities.0", 1.5),
    "ranking-of-a-missing-label": _set("end_to_end.images.0.ranking.places", [7, 0, 1]),
    "ranking-uneven": _set("end_to_end.images.0.ranking.cosines", [0.5]),
    "type-unknown": _set("text.input.dtype", "float64"),
    "layout-unknown": _set("image.output.layout", "../N"),
    "text-input-of-floats": _set("text.input.dtype", "float32"),
    "preprocessing-without-deviation": _set("preprocess.std", [0.0, 0.2, 0.3]),
    # Shapes and values of tensors.
    "shape-negative": _set("tokenizer.merges.shape", [-48894, -2]),
    "shape-of-zero": _set("tokenizer.merges.shape", [0, 2]),
    "shape-without-sides": _set("tokenizer.merges.shape", []),
    "shape-beyond-64-bits": _set("labels.embeddings.shape", [1 << 24] * 4),
    "shape-other": _set("end_to_end.token_ids.shape", [1, 24]),
    "tensor-of-gigabytes": _huge_tensor,
    "tensor-not-finite": _values("golden/sentence_embeddings.bin", "<f4", lambda values: _first(values, np.nan)),
    # The tokenizer.
    "merge-of-itself": _values(_MERGES, "<u2", _merge_of_itself),
    "kept-id-twice": _values(_KEPT, "<u2", _repeat),
    "kept-ids-unordered": _values(_KEPT, "<u2", _exchange),
    "kept-ids-without-a-byte": _values(_KEPT, "<u2", _without_a_byte),
    "kept-id-beyond-the-vocabulary": _values(_KEPT, "<u2", lambda values: values[-1:].fill(60000)),
    "kept-ids-missing": _set("tokenizer.kept_ids", None),
    "special-id-huge": _set("tokenizer.special_texts.0.id", 2**31 - 1),
    "special-id-negative": _set("tokenizer.special_texts.0.id", -1),
    "special-text-empty": _set("tokenizer.special_texts.0.text", ""),
    "pad-id-outside": _set("tokenizer.pad_id", 49_407),
    "context-too-short": _set("tokenizer.context_length", 2),
    "bytes-not-all": _set("tokenizer.byte_order", [0] * 256),
    "pattern-that-is-none": _set("tokenizer.pattern", "("),
    "pattern-with-groups": _set("tokenizer.pattern", "(a)|[\\p{L}]+"),
    "pattern-that-matches-nothing": _set("tokenizer.pattern", "a*"),
    "pattern-that-looks-ahead": _set("tokenizer.pattern", "(?=a)"),
    "pattern-without-an-end": _set("tokenizer.pattern", "(a+)+b"),
    "pattern-empty": _set("tokenizer.pattern", ""),
    "pattern-of-no-category": _set("tokenizer.pattern", "[\\p{Lx}]+"),
    # Labels and templates.
    "label-twice": _set("labels.names", ["cat", "cat", "dog"]),
    "template-without-a-place": _set("templates.texts", ["a photo"]),
    "templates-missing": _set("templates.texts", []),
}
