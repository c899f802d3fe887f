"""What is fuzzed: for each reader a good input, the file of it that is damaged, and the command that reads it."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

Call = Callable[[Path], None]


class Content(Enum):
    """How a file is damaged: as JSON (values, keys, structure) or as bytes."""

    JSON = auto()
    BYTES = auto()


@dataclass(frozen=True)
class Subject:
    """One reader.

    `make` writes a good input into an empty folder; `damaged` are its files of which one is damaged in each try, by
    glob; `read` is given the folder. `weight` is its share of the tries, by how much its readers can get wrong and how
    long they take.
    """

    name: str
    make: Callable[[Path], None]
    damaged: tuple[str, ...]
    content: Content
    read: Call
    weight: int = 4


def run_command(*arguments: str | Path) -> None:
    """Runs `pocketclip ARGUMENTS...` in this process; its errors are raised as they are."""
    from pocketclip.cli import app

    app([str(each) for each in arguments], standalone_mode=False)


def _image(seed: int, side: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side + 9, 3), np.uint8))


def _encoded(form: str, seed: int) -> bytes:
    stream = io.BytesIO()
    _image(seed).save(stream, form)
    return stream.getvalue()


def _make_images(folder: Path) -> None:
    for form in ("png", "jpeg", "webp", "tiff", "gif", "bmp"):
        (folder / f"photo.{form}").write_bytes(_encoded(form, 1))
    alpha = _image(2).convert("RGBA")
    alpha.putalpha(128)
    alpha.save(folder / "sticker.png")
    exif = Image.Exif()
    exif[274] = 6
    _image(3).save(folder / "turned.jpg", exif=exif)


def _read_images(folder: Path) -> None:
    from pocketclip.models.errors import ImageError
    from pocketclip.models.pixels.preprocess import load_image, preprocess
    from pocketclip.models.registry import load_config

    spec = load_config("pocketclip_nano").preprocess
    for path in sorted(folder.iterdir()):
        try:
            preprocess(load_image(path), spec)
        except ImageError:
            continue


def _make_shards(folder: Path) -> None:
    (folder / "classnames.txt").write_text("a red circle\na blue square\n")
    with tarfile.open(folder / "0.tar", "w") as archive:
        for place in range(6):
            members = {
                "jpg": _encoded("jpeg", place),
                "cls": str(place % 2).encode(),
                "txt": b"a red circle on a table",
                "json": json.dumps({"syn_text": ["a circle"]}).encode(),
            }
            for suffix, content in members.items():
                entry = tarfile.TarInfo(f"{place:06d}.{suffix}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def _evaluate_shards(folder: Path) -> None:
    from pocketclip.models.errors import ImageError
    from pocketclip.models.evaluation.shards import open_shards
    from pocketclip.models.registry import load_config

    spec = load_config("pocketclip_nano").preprocess
    data = open_shards(f"{folder}/*.tar", None, None)
    for sample in data.source(0):
        try:
            sample.load(spec)
        except ImageError:
            continue


def _train_shards(folder: Path) -> None:
    from pocketclip.models.data.opening import open_batches
    from pocketclip.models.registry import load_config

    batches = open_batches(
        f"webdataset:{folder}/*.tar", config=load_config("pocketclip_nano"), batch_size=2, seed=0, max_skipped_share=0.9
    )
    for _ in range(3):
        batches.next_batch()


def _make_table(folder: Path) -> None:
    (folder / "a.png").write_bytes(_encoded("png", 1))
    (folder / "b.png").write_bytes(_encoded("png", 2))
    rows = "\n".join(f'{"ab"[place % 2]}.png,"caption {place}, with a comma"' for place in range(6))
    (folder / "pairs.csv").write_text(f"image,caption\n{rows}\n")


def _train_table(folder: Path) -> None:
    from pocketclip.models.data.opening import open_batches
    from pocketclip.models.registry import load_config

    config = load_config("pocketclip_nano")
    batches = open_batches(f"csv:{folder}/pairs.csv", config=config, batch_size=2, seed=0, max_skipped_share=0.9)
    batches.next_batch()


def _make_checkpoints(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from pocketclip.models.registry import build_model, load_config

    config = load_config("pocketclip_nano")
    state = build_model(config).state_dict()
    (folder / "model.json").write_text("")
    save_file(state, folder / "weights.safetensors")
    torch.save(state, folder / "weights.pt")
    (folder / "model.json").unlink()


def _read_checkpoints(folder: Path) -> None:
    from pocketclip.models.checkpoints.checkpoint import read_state_dict

    for path in sorted(folder.iterdir()):
        read_state_dict(path)


def _make_configuration(folder: Path) -> None:
    from pocketclip.models import documents
    from pocketclip.models.registry import load_config

    documents.write(load_config("pocketclip_nano"), folder / "model.json")


def _make_records(folder: Path, records: Path) -> None:
    shutil.copy(records, folder / records.name)


def _import_records(folder: Path) -> None:
    store = f"sqlite:///{folder}/store.sqlite"
    (path,) = (each for each in folder.iterdir() if each.name.startswith("records."))
    try:
        run_command("results", "import", path, "--store", store)
    finally:
        if (folder / "store.sqlite").is_file():
            run_command("results", "--store", store)


def _make_devices(folder: Path) -> None:
    from importlib import resources

    (folder / "devices.toml").write_bytes((resources.files("benchmark") / "devices.toml").read_bytes())


def _read_devices(folder: Path) -> None:
    from pocketclip.benchmark.devices.table import load_table

    load_table(folder / "devices.toml")


def _make_copy(folder: Path, source: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, folder / source.name)
    else:
        shutil.copy(source, folder / source.name)


def _on_only_entry(folder: Path, command: Sequence[str]) -> None:
    (entry,) = folder.iterdir()
    run_command(*(str(entry) if part == "SUBJECT" else part for part in command))


def _make_pair(folder: Path, scheme: Path) -> None:
    """Both towers of an export, a labelled folder, and the labels."""
    for tower in ("image", "text"):
        shutil.copytree(scheme / tower, folder / "artifacts" / tower)
    for place, label in enumerate(("a red circle", "a blue square")):
        (folder / "photos" / label).mkdir(parents=True)
        (folder / "photos" / label / "0.png").write_bytes(_encoded("png", place))
    (folder / "labels.txt").write_text("a red circle\na blue square\n")


def _hash_again(folder: Path) -> None:
    """Has the manifests say what the files are, as whoever made a hostile artefact would."""
    for manifest in folder.rglob("manifest.json"):
        content = json.loads(manifest.read_text())
        for entry in content["files"]:
            data = (manifest.parent / entry["path"]).read_bytes()
            entry |= {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest.write_text(json.dumps(content))


def _evaluate_pair(folder: Path) -> None:
    _hash_again(folder)
    run_command("eval", "--artifact", folder / "artifacts", "--dataset", f"folder:{folder}/photos",
                "--store", f"sqlite:///{folder}/store.sqlite", "--cache", folder / "cache")  # fmt: skip


def _bundle_pair(folder: Path) -> None:
    """Bundles it, and runs the self-test of what came of that."""
    _hash_again(folder)
    image, text = (folder / "artifacts" / tower for tower in ("image", "text"))
    made = folder / "made.bundle"
    run_command("bundle", "--image", image, "--text", text, "--labels-file", folder / "labels.txt", "--out", made)
    run_command("selftest", made)


def subjects(artifacts: Path, bundle: Path, records: Path) -> list[Subject]:
    """All of them.

    Args:
        artifacts: exported `pocketclip_nano`: onnx-fp32, tflite-fp32, executorch-fp32, and the text tower of
            coreml-fp16.
        bundle: a bundle of it.
        records: a folder with records.json and records.csv that `results --out` wrote.
    """
    towers = {
        "onnx": artifacts / "onnx-fp32" / "text",
        "tflite": artifacts / "tflite-fp32" / "text",
        "executorch": artifacts / "executorch-fp32" / "text",
        "coreml": artifacts / "coreml-fp16" / "text",
    }
    files = {name: next(folder.glob(f"*.{suffix}")) for (name, folder), suffix in zip(
        towers.items(), ("onnx", "tflite", "pte", "mlpackage"), strict=True)}  # fmt: skip
    classify = ("classify", str(bundle.parent / "photo.png"), "--labels", "a red circle,a blue square", "--bundle")
    found = [
        Subject("images", _make_images, ("*",), Content.BYTES, _read_images, 12),
        Subject("shards, evaluation", _make_shards, ("*",), Content.BYTES, _evaluate_shards, 8),
        Subject("shards, training", _make_shards, ("*.tar",), Content.BYTES, _train_shards, 8),
        Subject("table of captions", _make_table, ("*",), Content.BYTES, _train_table, 6),
        Subject("checkpoints", _make_checkpoints, ("*",), Content.BYTES, _read_checkpoints, 8),
        Subject("model configuration", _make_configuration, ("*",), Content.JSON,
                lambda folder: run_command("models", folder / "model.json"), 4),
        Subject("table of devices", _make_devices, ("*",), Content.BYTES, _read_devices, 6),
        Subject("records as JSON", partial(_make_records, records=records / "records.json"), ("*.json",), Content.JSON,
                _import_records, 8),
        Subject("records as CSV", partial(_make_records, records=records / "records.csv"), ("*.csv",), Content.BYTES,
                _import_records, 6),
        Subject("artifact's manifest", partial(_make_copy, source=towers["onnx"]), ("*/manifest.json",), Content.JSON,
                partial(_on_only_entry, command=("lint", "SUBJECT")), 10),
        Subject("bundle's manifest", partial(_make_copy, source=bundle), ("*/bundle.json",), Content.JSON,
                partial(_on_only_entry, command=(*classify, "SUBJECT")), 12),
        Subject("bundle's files", partial(_make_copy, source=bundle), ("*/**/*",), Content.BYTES,
                partial(_on_only_entry, command=("selftest", "SUBJECT")), 4),
    ]  # fmt: skip
    for name in ("onnx", "tflite", "executorch"):
        for command, read in (("eval", _evaluate_pair), ("bundle", _bundle_pair)):
            make = partial(_make_pair, scheme=towers[name].parent)
            found.append(Subject(f"{command} of {name}", make, ("artifacts/*/model.*",), Content.BYTES, read, 2))
    for name, path in files.items():
        for command in ("inspect", "lint"):
            damaged = ("*/**/*",) if path.is_dir() else ("*",)
            found.append(
                Subject(f"{command} of {name}", partial(_make_copy, source=path), damaged, Content.BYTES,
                        partial(_on_only_entry, command=(command, "SUBJECT")), 3)
            )  # fmt: skip
    return found


def choose(seed: int, number: int, among: Sequence[Subject]) -> tuple[Subject, random.Random]:
    """The subject of try `number`, and the source of its damage; the same for the same seed."""
    source = random.Random(f"{seed}/{number}")
    return source.choices(among, [each.weight for each in among])[0], source
