"""Bundles of version 2, whose towers have variants for the NPUs of chips: a sound one, and its damages.

The variants are made by hand: readers check hashes and facts, and no file is run. Swift reads version 1 alone.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.artifact.manifest import list_files
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.precision import Tower
from pocketclip.models import documents
from tests.export.bundle.tiny_artifacts import edit
from tests.hostile.damages import Damage, append, drop, move_model, put, revalue

SOUND_WITH_VARIANTS = "sound-with-variants"
SOCS = ("SM8550", "SM8650")


def add_variants(folder: Path) -> None:
    """Makes a bundle of version 1 one of version 2: each tower has a graph for each of two chips."""

    def change(content: dict[str, Any]) -> None:
        content |= {
            "schema_version": 2,
            "variants": [_variant(content, folder, each, soc) for each in Tower for soc in SOCS],
        }
        listed = (entry for entry in list_files(folder) if entry.path != BUNDLE_NAME)
        content["files"] = [documents.to_builtin(entry) for entry in listed]

    edit(folder, change)


def _variant(content: dict[str, Any], folder: Path, tower: Tower, soc: str) -> dict[str, Any]:
    place, chip = f"{tower}-onnx-qnn-{soc.lower()}", soc.lower()
    (folder / place / "contexts").mkdir(parents=True)
    for suffix in (".onnx", "_qnn.bin"):
        (folder / place / "contexts" / f"{chip}{suffix}").write_bytes(f"{tower} {soc} {suffix}".encode())
    variant = copy.deepcopy(content[tower])
    outputs = variant["golden"]["outputs"]
    given = f"golden/{tower}_onnx-qnn_outputs.bin"
    shutil.copyfile(folder / outputs["file"], folder / given)
    outputs["file"] = given
    return variant | {
        "target": "onnx-qnn",
        "scheme": "onnx-qnn-fp16",
        "precision": "fp16",
        "entry_point": f"{place}/contexts/{chip}.onnx",
        "artifact_sha256": "e" * 64,
        "tower": tower,
        "soc": soc,
        "sdk": "v2.49.40.260810104044",
        "graphs": 1,
        "on_cpu": 0,
    }


def _many(folder: Path) -> None:
    edit(folder, lambda content: content.update(variants=content["variants"] * 65))


VARIANT_CASES: Mapping[str, Damage] = {
    # The list.
    "variants-in-version-1": put("schema_version", 1),
    "variants-missing": drop("variants"),
    "variants-none": put("variants", []),
    "variants-null": put("variants", None),
    "variants-in-words": put("variants", "all"),
    "variants-by-name": put("variants", {"SM8650": {}}),
    "variants-of-hundreds": _many,
    "variant-is-a-number": put("variants.0", 7),
    "variant-is-null": append("variants", None),
    "variant-is-empty": append("variants", {}),
    # Types.
    "variant-field-unknown": put("variants.0.library", "libQnnHtp.so"),
    "variant-tower-unknown": put("variants.0.tower", "audio"),
    "variant-tower-missing": drop("variants.0.tower"),
    "variant-of-the-other-tower": put("variants.0.tower", "text"),
    "variant-chip-is-a-number": put("variants.0.soc", 8650),
    "variant-chip-is-null": put("variants.0.soc", None),
    "variant-chip-is-a-path": put("variants.0.soc", "../x"),
    "variant-chip-in-small-letters": put("variants.0.soc", "sm8650"),
    "variant-chip-with-a-line-feed": put("variants.0.soc", "SM8450\n"),
    "variant-sdk-is-a-command": put("variants.0.sdk", "v2; rm"),
    "variant-sdk-is-a-number": put("variants.0.sdk", 2.49),
    "variant-sdk-endless": put("variants.0.sdk", "v" + "2." * 100),
    "variant-graphs-in-quotes": put("variants.0.graphs", "1"),
    "variant-graphs-is-true": put("variants.0.graphs", True),
    "variant-graphs-is-a-fraction": put("variants.0.graphs", 1.5),
    "variant-graphs-negative": put("variants.0.graphs", -1),
    "variant-graphs-missing": drop("variants.0.graphs"),
    "variant-graphs-not-a-number": put("variants.0.graphs", float("nan")),
    "variant-of-400-digits": put("variants.0.on_cpu", 10**399),
    "variant-hash-is-a-path": put("variants.0.artifact_sha256", "../../../../DCIM".ljust(64, "0")),
    "variant-precision-unknown": put("variants.0.precision", "fp7"),
    "variant-shape-in-words": put("variants.0.input.shape", "1x3"),
    # Paths.
    "variant-entry-point-up": put("variants.0.entry_point", "../../secret.onnx"),
    "variant-entry-point-through-a-folder": put("variants.0.entry_point", "image/../../secret.onnx"),
    "variant-entry-point-absolute": put("variants.0.entry_point", "/data/local/tmp/model.onnx"),
    "variant-entry-point-is-null": put("variants.0.entry_point", None),
    "variant-entry-point-not-listed": put("variants.0.entry_point", "image/other.onnx"),
    "variant-entry-point-of-the-tower": put("variants.0.entry_point", "image/model.onnx"),
    "variant-entry-point-of-another-variant": put(
        "variants.0.entry_point", "text-onnx-qnn-sm8550/contexts/sm8550.onnx"
    ),
    "variant-entry-point-without-a-folder": move_model("variants.0", "sm8550.onnx"),
    "variant-entry-point-among-golden-data": move_model("variants.0", "golden/sm8550.onnx"),
    "variant-golden-up": put("variants.0.golden.outputs.file", "../../outputs.bin"),
    "variant-golden-not-listed": put("variants.0.golden.outputs.file", "golden/other.bin"),
    "variant-file-missing": lambda folder: (folder / "image-onnx-qnn-sm8550/contexts/sm8550_qnn.bin").unlink(),
    # No tower for the CPU.
    "tower-of-the-cpu-missing": drop("image"),
    "tower-of-the-cpu-is-null": put("text", None),
    "tower-of-the-cpu-is-for-chips": put("text.target", "tflite-qnn"),
    "variant-is-for-the-cpu": put("variants.0.target", "onnx"),
    "variant-runtime-of-another-target": put("variants.0.runtime", "litert"),
    "variant-leaves-ops-to-the-cpu": put("variants.0.on_cpu", 3),
    "variant-in-pieces": put("variants.0.graphs", 2),
    "variant-twice": put("variants.0.soc", "SM8650"),
    # What does not fit the towers.
    "variant-raw": put("variants.0.normalized", False),
    "variant-of-another-width": put("variants.0.output.shape", [1, 9]),
    "variant-of-another-size": put("variants.0.input.shape", [1, 3, 17, 17]),
    "variant-text-of-floats": put("variants.2.input.dtype", "float32"),
    "variant-golden-of-another-shape": put("variants.0.golden.outputs.shape", [4, 16]),
    # Not finite, or beyond all ranges.
    "variant-tolerance-not-a-number": put("variants.0.tolerances.same.max_abs", float("nan")),
    "variant-tolerance-infinite": put("variants.3.tolerances.other.max_abs", float("inf")),
    "variant-tolerance-below-any-cosine": put("variants.0.tolerances.other.cosine_min", -2.0),
    "variant-parity-not-a-number": put("variants.0.parity.cosine_min", float("nan")),
    "variant-input-infinite": put("variants.0.input.maximum", float("inf")),
    "variant-golden-not-finite": revalue(
        "golden/text_onnx-qnn_outputs.bin", "<f4", lambda values: np.put(values, 3, np.inf)
    ),
}
