"""Hostile bundles that Python, Kotlin and Swift read: two sound ones, damaged in every way that the table names.

`write_cases` makes the same folders each time. `refusals.json` says which reader refuses which; tests of all three hold
their reader against it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.precision import Tower
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact, edit
from tests.hostile.damages import Damage, file_entry, listed, move_model, own, put, revalue, reword
from tests.hostile.variants import SOUND_WITH_VARIANTS, VARIANT_CASES, add_variants

TABLE = Path(__file__).parent / "refusals.json"
SOUND = ("sound", SOUND_WITH_VARIANTS)


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
    plain, npu = parts / "bundle", parts / "bundle-with-variants"
    write_bundle(BundleRequest(build_artifact(parts, Tower.IMAGE), build_artifact(parts, Tower.TEXT), LABELS), plain)
    shutil.copytree(plain, npu)
    add_variants(npu)
    folders = {name: root / "cases" / name for name in (*SOUND, *CASES)}
    for name, folder in folders.items():
        # Files are shared until a damage writes them anew.
        shutil.copytree(npu if has_variants(name) else plain, folder, copy_function=os.link)
        own(folder / BUNDLE_NAME)
        if name not in SOUND:
            CASES[name](folder)
    shutil.copyfile(TABLE, root / TABLE.name)
    return folders


def has_variants(name: str) -> bool:
    """Whether a case is made of the bundle of version 2."""
    return name == SOUND_WITH_VARIANTS or name in VARIANT_CASES


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

PLAIN_CASES: Mapping[str, Damage] = {
    # Hashes that become names of folders.
    "hash-of-artefact-is-a-path": put("image.artifact_sha256", _DCIM),
    "hash-of-artefact-in-capitals": put("text.artifact_sha256", "A" * 64),
    "hash-of-artefact-empty": put("image.artifact_sha256", ""),
    "hash-with-a-line-feed": put("text.artifact_sha256", "a" * 64 + "\n"),
    "hash-of-weights-is-a-path": put("model.weights_sha256", _DCIM),
    "hash-of-configuration-short": put("model.config_sha256", "abc"),
    "hash-of-file-in-capitals": file_entry(sha256="A" * 64),
    # Paths.
    "path-up": listed("../secret"),
    "path-through-a-folder": listed("a/../../x"),
    "path-absolute": listed("/etc/passwd"),
    "path-of-a-drive": listed("C:/secret"),
    "path-with-backslash": listed("..\\secret"),
    "path-with-nul": listed("a\0b"),
    "path-too-long": listed("x" * 201),
    "path-hidden": listed(".hidden"),
    "path-empty": listed(""),
    "path-in-two-cases": listed("image/MODEL.onnx"),
    "path-file-and-folder": listed("image/model.onnx/weights"),
    "path-twice": lambda folder: edit(folder, lambda content: content["files"].append(content["files"][0])),
    "path-of-the-manifest": listed(BUNDLE_NAME),
    "entry-point-up": put("image.entry_point", "../model.onnx"),
    "entry-point-absolute": put("image.entry_point", "/model.onnx"),
    "entry-point-not-listed": put("text.entry_point", "text/other.onnx"),
    "entry-point-without-a-folder": move_model("text", "model.onnx"),
    "entry-point-among-golden-data": move_model("image", "golden/model.onnx"),
    "tensor-file-up": put("end_to_end.token_ids.file", "../../ids.bin"),
    "tensor-file-not-listed": put("end_to_end.token_ids.file", "golden/other.bin"),
    "no-files": put("files", []),
    # Files.
    "file-unlisted": lambda folder: (folder / "image/model.onnx.data").write_bytes(b"?"),
    "file-missing": lambda folder: (folder / "image/model.onnx").unlink(),
    "file-is-a-link": _link,
    "folder-is-a-link": _linked_folder,
    "manifest-is-a-link": _linked_manifest,
    "file-is-a-pipe": lambda folder: os.mkfifo(folder / "image/pipe"),
    "file-with-impossible-size": file_entry(size_bytes=1 << 50),
    "file-with-negative-size": file_entry(size_bytes=-1),
    # The text of the manifest.
    "manifest-endless": _endless,
    "manifest-deep": reword('"licences": [', '"licences": [' + "[" * 1500 + "]" * 1500 + ","),
    "key-twice": reword('"generator":', '"generator": "another", "generator":'),
    "key-twice-by-escape": reword('"generator":', '"gener\\u0061tor": "another", "generator":'),
    "number-infinite": reword('"logit_scale": 20.0', '"logit_scale": 1e999'),
    "number-not-a-number": reword('"logit_scale": 20.0', '"logit_scale": NaN'),
    "number-of-400-digits": reword('"parameters": 1000', '"parameters": ' + "9" * 400),
    "number-in-quotes": put("model.embedding_dim", "8"),
    "field-unknown": put("surprise", 1),
    # Ranges of numbers.
    "logit-scale-negative": put("model.logit_scale", -1e308),
    "logit-scale-huge": put("model.logit_scale", 1e308),
    "dimension-zero": put("model.embedding_dim", 0),
    "parameters-negative": put("model.parameters", -1),
    "tolerance-below-any-cosine": put("image.tolerances.other.cosine_min", -2.0),
    "tolerance-above-any-error": put("image.tolerances.same.max_abs", 1e9),
    "tolerance-negative": put("text.tolerances.same.max_abs", -1.0),
    "pixel-tolerance-huge": put("end_to_end.pixel_tolerance", 1e9),
    "parity-cosine-above-one": put("image.parity.cosine_min", 2.0),
    "parity-share-negative": put("image.parity.top1_agreement", -0.5),
    "system-impossible": put("image.minimum_ios", -3),
    "probability-above-one": put("end_to_end.images.0.ranking.probabilities.0", 1.5),
    "ranking-of-a-missing-label": put("end_to_end.images.0.ranking.places", [7, 0, 1]),
    "ranking-uneven": put("end_to_end.images.0.ranking.cosines", [0.5]),
    "type-unknown": put("text.input.dtype", "float64"),
    "layout-unknown": put("image.output.layout", "../N"),
    "text-input-of-floats": put("text.input.dtype", "float32"),
    "preprocessing-without-deviation": put("preprocess.std", [0.0, 0.2, 0.3]),
    # Shapes and values of tensors.
    "shape-negative": put("tokenizer.merges.shape", [-48894, -2]),
    "shape-of-zero": put("tokenizer.merges.shape", [0, 2]),
    "shape-without-sides": put("tokenizer.merges.shape", []),
    "shape-beyond-64-bits": put("labels.embeddings.shape", [1 << 24] * 4),
    "shape-other": put("end_to_end.token_ids.shape", [1, 24]),
    "tensor-of-gigabytes": _huge_tensor,
    "tensor-not-finite": revalue("golden/sentence_embeddings.bin", "<f4", lambda values: _first(values, np.nan)),
    # The tokenizer.
    "merge-of-itself": revalue(_MERGES, "<u2", _merge_of_itself),
    "kept-id-twice": revalue(_KEPT, "<u2", _repeat),
    "kept-ids-unordered": revalue(_KEPT, "<u2", _exchange),
    "kept-ids-without-a-byte": revalue(_KEPT, "<u2", _without_a_byte),
    "kept-id-beyond-the-vocabulary": revalue(_KEPT, "<u2", lambda values: values[-1:].fill(60000)),
    "kept-ids-missing": put("tokenizer.kept_ids", None),
    "special-id-huge": put("tokenizer.special_texts.0.id", 2**31 - 1),
    "special-id-negative": put("tokenizer.special_texts.0.id", -1),
    "special-text-empty": put("tokenizer.special_texts.0.text", ""),
    "pad-id-outside": put("tokenizer.pad_id", 49_407),
    "context-too-short": put("tokenizer.context_length", 2),
    "bytes-not-all": put("tokenizer.byte_order", [0] * 256),
    "pattern-that-is-none": put("tokenizer.pattern", "("),
    "pattern-with-groups": put("tokenizer.pattern", "(a)|[\\p{L}]+"),
    "pattern-that-matches-nothing": put("tokenizer.pattern", "a*"),
    "pattern-that-looks-ahead": put("tokenizer.pattern", "(?=a)"),
    "pattern-without-an-end": put("tokenizer.pattern", "(a+)+b"),
    "pattern-empty": put("tokenizer.pattern", ""),
    "pattern-of-no-category": put("tokenizer.pattern", "[\\p{Lx}]+"),
    # Labels and templates.
    "label-twice": put("labels.names", ["cat", "cat", "dog"]),
    "template-without-a-place": put("templates.texts", ["a photo"]),
    "templates-missing": put("templates.texts", []),
}

CASES: Mapping[str, Damage] = {**PLAIN_CASES, **VARIANT_CASES}
