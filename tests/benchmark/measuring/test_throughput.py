"""`bench --throughput`: photographs a second, on real artefacts of two runtimes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketclip.benchmark.errors import MeasurementError, OptionError
from pocketclip.benchmark.measuring.photo_folder import MOST_PHOTOS, read_photos
from pocketclip.benchmark.records.throughput import ThroughputRecord
from pocketclip.export.job import ExportResult
from pocketclip.models import documents

pytestmark = pytest.mark.slow

Exports = dict[tuple[str, str, str], ExportResult]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photographs, a damaged one and a file that is none."""
    folder, random = tmp_path / "photos", np.random.default_rng(0)
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "more/c.jpg"):
        Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).save(folder / name)
    (folder / "damaged.jpg").write_bytes((folder / "a.jpg").read_bytes()[:200])
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def test_photographs_a_second(photos: Path, nano_exports: Exports, tmp_path: Path, pocketclip: Any) -> None:
    onnx, tflite = (nano_exports[target, "fp32", "image"].folder for target in ("onnx", "tflite"))
    out = tmp_path / "throughput.json"
    done = pocketclip(
        *("bench", "--throughput", photos, "--artifact", onnx, "--artifact", tflite.parent, "--decoders", "1,2"),
        *("--launches", "2", "--min-seconds", "0.2", "--json", out),
    )
    assert done.returncode == 0, done.stderr
    assert "Photographs a second" in done.stdout
    assert "1 photographs that cannot be read (first: damaged.jpg" in done.stderr
    assert "1 files with the suffix .txt (first: notes.txt)" in done.stderr
    records = [
        documents.parse(ThroughputRecord, json.dumps(each), source="a record", error=MeasurementError)
        for each in json.loads(out.read_text())
    ]
    assert [(record.artifact.target, record.decoders) for record in records] == [
        ("onnx", 1),
        ("onnx", 2),
        ("tflite", 1),
        ("tflite", 2),
    ]
    for record in records:
        assert (record.photographs.count, record.photographs.mean_pixels) == (3, 4800)
        assert len(record.launches) == 2
        for launch in record.launches:
            assert launch.elapsed_ns >= 0.2e9
            assert launch.photos_per_second == pytest.approx(launch.photos / launch.elapsed_ns * 1e9)
            assert min(launch.decode_ns, launch.resize_ns, launch.inference_ns) > 0


@pytest.mark.parametrize(
    ("cell", "options", "words"),
    [
        (("onnx", "fp32", "text"), (), "no image tower is among them; give the artefact of an image tower"),
        (("coreml", "fp16", "image"), (), "Core ML on Linux: parity only"),
        (("executorch-vulkan", "fp16", "image"), (), "ExecuTorch's Vulkan delegate on Linux: parity only"),
        (("onnx", "fp32", "image"), ("--decoders", "none"), "--decoders takes comma-separated positive numbers"),
        (("onnx", "fp32", "image"), ("--device", "pixel7", "--profile"), "does not take --device, --profile"),
    ],
)
def test_what_cannot_be_measured(
    cell: tuple[str, str, str],
    options: tuple[str, ...],
    words: str,
    photos: Path,
    nano_exports: Exports,
    cli_error: Any,
) -> None:
    folder = nano_exports[cell].folder
    assert words in cli_error("bench", "--throughput", photos, "--artifact", folder, *options)


def test_options_of_a_throughput_alone(tmp_path: Path, cli_error: Any) -> None:
    assert "give --throughput FOLDER" in cli_error("bench", "--artifact", tmp_path, "--decoders", "2")


@pytest.fixture
def cli_error(pocketclip: Any, error_line: Any) -> Any:
    """The error line of a command that is refused."""

    def run(*arguments: object) -> str:
        done = pocketclip(*arguments)
        assert done.returncode == 2, done.stdout
        return error_line(done)

    return run


def test_folders_without_photographs(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="there is no folder"):
        read_photos(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("not a photograph")
    with pytest.raises(OptionError, match="holds no photograph that can be read; give JPEG"):
        read_photos(tmp_path)


def test_of_many_photographs_the_first_are_used(tmp_path: Path) -> None:
    for place in range(MOST_PHOTOS + 2):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{place:04}.png")
    found = read_photos(tmp_path)
    assert len(found.paths) == MOST_PHOTOS
    assert found.paths[-1].name == f"{MOST_PHOTOS - 1:04}.png"
    assert found.left_out == "left out: 2 photographs beyond the first 256 (first: 0256.png)"
