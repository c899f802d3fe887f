"""`bench --throughput`: photographs a second, on real artefacts of two runtimes."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.errors import MeasurementError, OptionError
from pocketclip.benchmark.records.throughput import ThroughputRecord
from pocketclip.benchmark.runners.photo_folder import HERE, ON_PHONES, PhotoLimits, read_photos
from pocketclip.benchmark.runners.throughput_runner import ThroughputSettings
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.job import ExportResult
from pocketclip.models import documents
from pocketclip.models.errors import WorkerEndedError

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
        *(
            "bench",
            "--throughput",
            photos,
            "--cooldown",
            "0",
            "--artifact",
            onnx,
            "--artifact",
            tflite.parent,
            "--decoders",
            "1,2",
        ),
        *("--launches", "2", "--min-seconds", "0.2", "--cooldown", "0", "--json", out),
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
            assert launch.after is not None
            assert launch.before.at < launch.after.at
            assert (launch.unreadable, launch.first_unreadable) == (0, ())
        assert record.runtime.accelerator_requested == "cpu"
        assert (record.runtime.version or "").split()[0] in ("onnxruntime", "ai-edge-litert", "litert")
        assert (record.kind, record.schema_version, record.reason) == ("throughput", 2, None)


@pytest.mark.parametrize(
    ("cell", "options", "words"),
    [
        (("onnx", "fp32", "text"), (), "no image tower is among them; give the artefact of an image tower"),
        (("coreml", "fp16", "image"), (), "Core ML on Linux: parity only"),
        (("executorch-vulkan", "fp16", "image"), (), "ExecuTorch's Vulkan delegate on Linux: parity only"),
        (("onnx", "fp32", "image"), ("--decoders", "none"), "--decoders takes comma-separated positive numbers"),
        (("onnx", "fp32", "image"), ("--tag", "x", "--profile"), "does not take --profile, --tag"),
        (("onnx", "fp32", "image"), ("--device", "no-such"), "there is no device 'no-such'"),
        (("onnx", "fp32", "image"), ("--device", "emulator-arm64"), "use --device host, or a phone that the app"),
        (("onnx", "fp32", "image"), ("--min-seconds", "4000"), "seconds above zero up to 3600, got 5 and 4000"),
        (("onnx", "fp32", "image"), ("--accelerator", "gpu"), "--accelerator 'gpu' is only for phones"),
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
    with pytest.raises(OptionError, match=r"holds no photograph that can be read \(left out: 1 files .*\); give JPEG"):
        read_photos(tmp_path)


@pytest.mark.parametrize("limits", [HERE, ON_PHONES])
def test_of_many_photographs_the_first_are_used(limits: PhotoLimits, tmp_path: Path) -> None:
    for place in range(limits.photos + 2):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{place:04}.png")
    found = read_photos(tmp_path, limits)
    assert found.content.count == len(found.photos) == limits.photos
    assert found.photos[-1].name == f"{limits.photos - 1:04}.png"
    assert found.left_out == (
        f"left out: 2 photographs beyond the first {limits.photos} (first: {limits.photos:04}.png)"
    )


def test_large_photographs_are_left_out(photos: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in photos.rglob("*.*")}
    assert sizes["b.png"] > sizes["a.jpg"]
    found = read_photos(photos, PhotoLimits(9, sizes["b.png"] - 1, 10**9))
    assert [photo.name for photo in found.photos] == ["a.jpg", "more/c.jpg"]
    assert "1 photographs of more than 0 MB (first: b.png)" in (found.left_out or "")
    found = read_photos(photos, PhotoLimits(9, 10**9, sizes["a.jpg"] + sizes["b.png"]))
    assert [photo.name for photo in found.photos] == ["a.jpg", "b.png"]
    assert "2 photographs beyond 0 MB together (first: damaged.jpg)" in (found.left_out or "")


def test_photographs_that_vanish_are_named_and_counted(photos: Path, nano_exports: Exports) -> None:
    """Between the reading of the folder and a launch, one is gone and one damaged; then all are gone."""
    artifact = load_artifact(nano_exports["onnx", "fp32", "image"].folder)
    found, host = read_photos(photos), HostDevice()
    (photos / "a.jpg").unlink()
    (photos / "b.png").write_bytes(b"no picture")
    settings = ThroughputSettings(threads=1, decoders=2, seconds=0.1, accelerator="cpu")
    with host.open_throughput() as runner:
        launch = runner.run(artifact, "onnxruntime", found, settings, timeout_seconds=60).launch
        assert launch.photos > 1
        assert launch.unreadable == 2
        assert [each.name for each in launch.first_unreadable] == ["a.jpg", "b.png"]
        assert "there is no file" in launch.first_unreadable[0].reason
        with pytest.raises(MeasurementError, match=r"the photograph a\.jpg can no longer be read"):
            found.photos[0].check_unchanged()
        with pytest.raises(MeasurementError, match=r"the photograph b\.png changed"):
            found.photos[1].check_unchanged()
        found.photos[2].check_unchanged()
        (photos / "more" / "c.jpg").unlink()
        with pytest.raises(MeasurementError, match=r"none of the 3 photographs can be read any more \(first: a\.jpg"):
            runner.run(artifact, "onnxruntime", found, settings, timeout_seconds=60)


def test_a_launch_that_takes_too_long_is_ended(photos: Path, nano_exports: Exports) -> None:
    artifact = load_artifact(nano_exports["onnx", "fp32", "image"].folder)
    settings = ThroughputSettings(threads=1, decoders=1, seconds=60, accelerator="cpu")
    started = time.monotonic()
    with HostDevice().open_throughput() as runner, pytest.raises(WorkerEndedError, match=r"took over 1 s; .*--timeout"):
        runner.run(artifact, "onnxruntime", read_photos(photos), settings, timeout_seconds=-59)
    assert time.monotonic() - started < 30


def test_one_failure_leaves_the_others(photos: Path, nano_exports: Exports, tmp_path: Path, pocketclip: Any) -> None:
    """A damaged artefact of two: the other one is measured, and the file has both."""
    damaged = shutil.copytree(nano_exports["tflite", "fp32", "image"].folder, tmp_path / "tflite-fp32" / "image")
    out = tmp_path / "throughput.json"
    model = next(damaged.glob("*.tflite"))
    model.write_bytes(b"x" * model.stat().st_size)
    manifest = json.loads((damaged / "manifest.json").read_text())
    for entry in manifest["files"]:
        if entry["path"] == model.name:
            entry["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    (damaged / "manifest.json").write_text(json.dumps(manifest))
    done = pocketclip(
        *(
            "bench",
            "--throughput",
            photos,
            "--cooldown",
            "0",
            "--artifact",
            nano_exports["onnx", "fp32", "image"].folder,
        ),
        *("--artifact", damaged, "--launches", "2", "--min-seconds", "0.1", "--cooldown", "0", "--json", out),
    )
    assert done.returncode == 1, done.stderr
    assert "1 of 2 throughputs failed" in done.stderr
    assert "failed: pocketclip_nano tflite-fp32 image, 1 + 1 threads: " in " ".join(done.stderr.split())
    onnx, tflite = json.loads(out.read_text())
    assert (len(onnx["launches"]), onnx["reason"]) == (2, None)
    assert (tflite["launches"], bool(tflite["reason"])) == ([], True)
