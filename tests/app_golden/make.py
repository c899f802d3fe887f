"""Writes the golden files that the tests of Kotlin, Swift and Python share: `python -m tests.app_golden.make`.

The same sources and pins give the same bytes. README.md says what each file holds.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import ftfy
import numpy as np

from pocketclip.export.bundle.tensors import write_tensor
from pocketclip.export.bundle.tokenizer import BundleTokenizer, write_tokenizer
from pocketclip.models import documents
from pocketclip.models.registry import load_config
from pocketclip.models.text.tokenizer import Tokenizer, load_tokenizer
from tests.app_golden import protocol_examples
from tests.app_golden.captions import LEFT_OUT, captions
from tests.app_golden.encoded import encoded_images
from tests.app_golden.gallery_example import write_gallery
from tests.app_golden.images import SPECS, images, orientation_files, resized, tensor_specs, tower_input
from tests.app_golden.litert_models import litert_models
from tests.app_golden.onnx_models import onnx_models
from tests.app_golden.statistics_cases import statistics_cases

FOLDER = Path(__file__).parent
REFERENCE = FOLDER.parent / "data" / "reference" / "tokenizer.golden.json"
# The tower's input is kept of so many images, in every form.
_INPUTS = 4
_SUFFIXES = (".json", ".jsonl", ".f16", ".bin", ".rgb", ".rgba", ".onnx", ".tflite", ".png", ".jpg", ".webp", ".gif")


def write_all(folder: Path) -> None:
    """Writes every golden file below `folder`."""
    _write_text_goldens(folder)
    _write_image_goldens(folder)
    _write_encoded_goldens(folder)
    _write_json(folder / "orientations.json", orientation_files())
    _write_json(folder / "statistics.json", statistics_cases())
    (folder / "onnx").mkdir(exist_ok=True)
    for name, model in onnx_models().items():
        (folder / "onnx" / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "litert").mkdir(exist_ok=True)
    for name, content in litert_models().items():
        (folder / "litert" / f"{name}.tflite").write_bytes(content)
    write_gallery(folder / "gallery")
    for name, document in protocol_examples.examples().items():
        _write(folder / "protocol" / name, documents.to_json(document))


def _write_text_goldens(folder: Path) -> None:
    pruned = load_config("pocketclip_nano").tokenizer
    tokenizers = {"full": Tokenizer(77), "pruned": load_tokenizer(pruned)}
    readers = {}
    for name, tokenizer in tokenizers.items():
        # Both name the same merges.
        spec = write_tokenizer(folder, tokenizer)
        documents.write(spec, folder / f"tokenizer_{name}.json")
        readers[name] = BundleTokenizer(spec, folder)
    for text in captions():
        if ftfy.fix_text(text) != ftfy.fix_text(text, fix_encoding=False):
            raise SystemExit(f"ftfy mends {text!r} beyond what the apps do: leave it out")
    rows = [{"text": text, **{name: _ids(reader, text) for name, reader in readers.items()}} for text in captions()]
    left_out = [text for text in LEFT_OUT if ftfy.fix_text(text) != ftfy.fix_text(text, fix_encoding=False)]
    assert len(left_out) == len(LEFT_OUT), left_out
    _write_json(folder / "captions.json", {"captions": rows, "left_out": left_out})
    reference = [
        {"text": each["text"], "ids": _trimmed(np.array(each["ids"]))} for each in json.loads(REFERENCE.read_text())
    ]
    _write_json(folder / "tokenizer_reference.json", reference)


def _ids(reader: BundleTokenizer, text: str) -> list[int]:
    return _trimmed(reader(text)[0])


def _trimmed(ids: np.ndarray) -> list[int]:
    """Without the zeros that fill up after the end."""
    return ids[: int(np.flatnonzero(ids)[-1]) + 1].tolist()


def _write_image_goldens(folder: Path) -> None:
    entries = []
    all_images = images()
    for image in all_images:
        write_tensor(folder, f"images/{image.name}.rgb", np.asarray(image.stored))
        width, height = image.stored.size
        entries.append({"name": image.name, "width": width, "height": height, "orientation": image.orientation})
    specs: list[dict[str, Any]] = []
    for name, spec in SPECS.items():
        pixels = np.stack([resized(image.upright, spec) for image in all_images])
        stored = write_tensor(folder, f"resized/{name}.rgb", pixels)
        inputs = []
        for tensor in tensor_specs(spec):
            # Sizes of every kind: a line, a square, wide, turned.
            chosen = [all_images[place] for place in range(4, len(all_images), len(all_images) // _INPUTS)][:_INPUTS]
            values = np.concatenate([tower_input(image.upright, spec, tensor) for image in chosen])
            file = f"inputs/{name}_{tensor.layout.lower()}_{tensor.dtype}.bin"
            inputs.append(
                {
                    "input": documents.to_builtin(tensor),
                    "images": [image.name for image in chosen],
                    "values": documents.to_builtin(write_tensor(folder, file, values)),
                }
            )
        # Every form of input once is enough: the others follow from it by order and table.
        if name not in ("shortest_bilinear", "squash_bicubic"):
            for each in inputs:
                (folder / each["values"]["file"]).unlink()
            inputs = []
        specs.append(
            {
                "name": name,
                "preprocess": documents.to_builtin(spec),
                "pixels": documents.to_builtin(stored),
                "inputs": inputs,
            }
        )
    _write_json(folder / "images.json", {"images": entries, "specs": specs})


def _write_encoded_goldens(folder: Path) -> None:
    entries = []
    for image in encoded_images():
        path = f"encoded/{image.name}"
        write_tensor(folder, f"{path}.rgba", image.decoded)
        write_tensor(folder, f"{path}.rgb", image.upright)
        (folder / path).write_bytes(image.content)
        stored, upright = ({"height": each.shape[0], "width": each.shape[1]} for each in (image.decoded, image.upright))
        entries.append(
            {
                "name": image.name,
                "orientation": image.orientation,
                "stored": stored,
                "upright": upright,
                "tolerance": image.tolerance,
            }
        )
    _write_json(folder / "encoded.json", entries)


def _write_json(path: Path, content: Any) -> None:
    """One line for each entry of the outermost list, so that changes can be read."""
    if isinstance(content, list):
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in content)
        _write(path, f"[\n{lines}\n]\n")
        return
    parts = []
    for key, value in content.items():
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in value)
        parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
    _write(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def made_files(folder: Path) -> dict[str, bytes]:
    """The golden files below a folder by their paths, without sources and README."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in _SUFFIXES
    }


if __name__ == "__main__":
    for stale in itertools.chain.from_iterable(FOLDER.rglob(f"*{suffix}") for suffix in _SUFFIXES):
        stale.unlink()
    write_all(FOLDER)
    found = made_files(FOLDER)
    print(f"{len(found)} files, {sum(map(len, found.values()))} bytes", file=sys.stderr)
