"""The `export` and `classify` programs: what they make, and one clear line for each bad request."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from PIL import Image

from pocketclip.models.scenes import SceneDataset, Split, heldout_classes

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.mark.slow
def test_export_and_classify(pocketclip, tmp_path: Path) -> None:
    made = pocketclip("export", "--target", "onnx", "--tower", "both", "--out", tmp_path / "artifacts")
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("passed") == 2
    dataset = SceneDataset(Split.HELDOUT, 24, seed=5, size=96)
    names = [entry.name for entry in heldout_classes()]
    hits = 0
    for index in (0, 5, 11):
        sample = dataset[index]
        Image.fromarray(sample.image).save(tmp_path / "scene.png")
        ranked = pocketclip(
            "classify",
            tmp_path / "scene.png",
            "--labels",
            ",".join(names),
            "--artifact",
            tmp_path / "artifacts",
            # Captions of scenes are phrases: a name without an article is none.
            "--templates",
            "scenes",
        )
        assert ranked.returncode == 0, ranked.stderr
        best = next(line for line in ranked.stdout.splitlines() if "%" in line)
        assert sample.label is not None
        hits += names[sample.label] in best
    assert hits >= 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--target", "onnx", "--model", "resnet"], "choose among: pocketclip_nano"),
        (
            ["--target", "ncnn"],
            "choose among: onnx, coreml, coreai, executorch, executorch-coreml, executorch-vulkan, executorch-qnn, "
            "onnx-qnn, tflite, tflite-qnn, tflite-mediatek, tflite-google, tflite-samsung, or all",
        ),
        (["--target", "onnx", "--quantize", "int3"], "choose among: fp32, fp16, int8-dynamic"),
        (["--target", "onnx", "--quantize", "palette4"], "does not offer 'palette4' (tables of values and sparse"),
        (["--target", "coreml", "--quantize", "int8-dynamic"], "choose among: fp32, fp16, int8-weights, int8-static"),
        (["--target", "coreml", "--quantize", "int8-static", "--ios", "16"], "int8-static for iOS 17 to 18, not"),
        (["--target", "onnx", "--ios", "17"], "--ios applies only to Core ML"),
        (["--target", "onnx", "--memory", "plenty"], "write it as 16GB"),
        (["--target", "onnx", "--calibration", "nowhere"], "no calibration data at 'nowhere'"),
        (["--target", "onnx", "--calibration", "scenes:3"], "too few; use at least 8"),
        (["--target", "onnx", "--tower", "audio"], "choose among: image, text, both"),
        (["--target", "onnx", "--weights", "missing.pt"], "no checkpoint at missing.pt"),
        (
            ["--target", "onnx", "--for", "riscv"],
            "--for 'riscv' is unknown; choose among: arm64, x86_64, apple, or a phone",
        ),
        (
            ["--target", "onnx", "--for", "galaxy-s24"],
            "--for galaxy-s24 applies only to executorch-qnn, onnx-qnn, tflite",
        ),
        (
            ["--target", "onnx", "--soc", "sm8650"],
            "--soc applies only to executorch-qnn, onnx-qnn, tflite-qnn, tflite-mediatek, tflite-google, tflite-",
        ),
        (["--target", "onnx", "--for", "pixel9"], "--for pixel9 applies only to executorch-qnn, onnx-qnn, tflite"),
        (["--target", "tflite-samsung", "--soc", "sm8650"], "prepares no graphs for SM8650; choose among: E9965"),
        (["--target", "tflite-google", "--soc", "tensor-g7"], "choose among those that are near: Tensor_G"),
        (["--target", "tflite-mediatek", "--quantize", "int4-weights"], "(not tried on these NPUs, which are made for"),
        (["--target", "onnx-qnn", "--soc", "sm8651"], "choose among those that are near: SM8650"),
        (["--model", "pocketclip_nano"], "give a --target"),
    ],
)
def test_bad_requests(pocketclip, error_line, tmp_path: Path, arguments: list[str], complaint: str) -> None:
    result = pocketclip("export", *arguments, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert complaint in error_line(result)
    assert not (tmp_path / "out").exists()


def test_unwritable_folder(pocketclip, error_line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = pocketclip("export", "--target", "onnx", "--out", tmp_path / "file" / "artifacts")
    assert result.returncode == 2
    assert "cannot write" in error_line(result)


@pytest.mark.slow
def test_full_disk(tmp_path: Path) -> None:
    """A limit on file sizes, which every process below inherits, stops the write in its middle as a full disk does."""
    command = [sys.executable, "-m", "pocketclip", "export", "--target", "onnx", "--tower", "text"]
    script = f"ulimit -f 500; exec {shlex.join([*command, '--out', str(tmp_path / 'a')])}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 2
    assert "cannot write" in ended.stderr
    assert "free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path.name for path in (tmp_path / "a").rglob("*") if path.is_file()} == {"export.log"}
    log = (tmp_path / "a" / "export.log").read_text()
    (reason,) = (line for line in log.splitlines() if line.startswith("failed   pocketclip_nano onnx-fp32 text: "))
    assert "cannot write" in reason and "free some space" in reason


@pytest.mark.slow
def test_foreign_checkpoint(pocketclip, error_line, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "resnet.pt")
    result = pocketclip(
        "export",
        "--target",
        "onnx",
        "--tower",
        "text",
        "--weights",
        tmp_path / "resnet.pt",
        "--out",
        tmp_path / "a",
    )
    assert result.returncode == 2
    assert "does not fit the model" in error_line(result)
    assert not (tmp_path / "a").exists()


def test_list_shows_the_matrix(pocketclip) -> None:
    result = pocketclip("export", "--list")
    assert result.returncode == 0
    from pocketclip.export.precision import Precision, TargetName

    for name in (*TargetName, *Precision):
        assert result.stdout.count(name) >= 1
    assert "not offered: Core ML has no op that finds an activation's range at run" in result.stdout


def test_missing_packages_leave_a_target_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketclip.export import targets
    from pocketclip.export.errors import TargetUnavailableError
    from pocketclip.export.precision import TargetName

    monkeypatch.setattr(targets.opening, "_version", lambda name: None if name == "coremltools" else "1.0")
    availability = targets.probe(TargetName.COREML)
    assert not availability.available
    assert availability.install is not None
    assert "[coreml]" in availability.install
    with pytest.raises(TargetUnavailableError, match="pip install"):
        targets.load_target(TargetName.COREML)
    assert targets.probe(TargetName.ONNX).available


@pytest.mark.parametrize(
    ("labels", "picture", "complaint"),
    [
        (" , ", "photo.png", "label list is empty"),
        ("a cat", "missing.png", "there is no file"),
        ("a cat", "words.txt", "not an image"),
        ("a cat", "photo.png", "does not exist"),
    ],
)
def test_bad_classify_requests(
    pocketclip, error_line, tmp_path: Path, labels: str, picture: str, complaint: str
) -> None:
    Image.new("RGB", (20, 30)).save(tmp_path / "photo.png")
    (tmp_path / "words.txt").write_text("words")
    result = pocketclip("classify", tmp_path / picture, "--labels", labels, "--artifact", tmp_path / "nowhere")
    assert result.returncode == 2
    assert complaint in error_line(result)


def test_templates_of_classify_are_checked(pocketclip, error_line, tmp_path: Path) -> None:
    photo = EXAMPLES / "cat.jpg"
    (tmp_path / "templates.txt").write_text("a photo\n")
    request = ("classify", photo, "--labels", "cat,dog")
    beside_bundle = pocketclip(*request, "--bundle", tmp_path, "--templates", "simple")
    assert beside_bundle.returncode == 2
    assert "a bundle holds its own" in error_line(beside_bundle)
    for templates, complaint in (("templates.txt", "have no {} for the class"), ("missing.txt", "No such file")):
        result = pocketclip(*request, "--artifact", tmp_path, "--templates", tmp_path / templates)
        assert result.returncode == 2
        assert complaint in error_line(result)


@pytest.mark.slow
def test_interrupted_export_keeps_finished_artefacts_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pocketclip", "export", "--target", "onnx,tflite", "--jobs", "1"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 600

    def finished() -> list[Path]:
        # A folder whose name starts with a dot is still being written.
        return [file for file in tmp_path.rglob("manifest.json") if not file.parent.name.startswith(".")]

    while not finished() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "finished work is kept" in stderr
    from pocketclip.export.artifact.reading import find_artifacts

    # Workers unwind after their parent, on a busy computer after seconds.
    deadline = time.monotonic() + 30
    while (unfinished := [path for path in tmp_path.rglob(".*") if path.is_dir()]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not unfinished
    assert find_artifacts([tmp_path])


def _spawned(parent: psutil.Process) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for child in parent.children():
        # A child that has just ended has no command line any more.
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_terminated_export_ends_its_workers(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pocketclip", "export", "--target", "onnx", "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 120
    workers: list[psutil.Process] = []
    while not workers and time.monotonic() < deadline:
        workers = _spawned(parent)
        time.sleep(0.05)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in stderr
    assert workers
    assert not psutil.wait_procs(workers, timeout=15)[1]


@pytest.mark.slow
def test_killed_worker_costs_no_finished_work(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pocketclip", "export", "--target", "onnx", "--jobs", "1"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 240
    while not list(tmp_path.rglob("manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    for child in _spawned(parent):
        child.kill()
    stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert stdout.count("passed") == 2


def test_help_is_quick_enough_to_import_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'onnx', 'pydantic', 'sqlalchemy'}"
    code = f"import sys, pocketclip; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_module_programs_answer_help() -> None:
    for module in ("export", "benchmark", "pocketclip"):
        answer = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True)
        assert answer.returncode == 0
        assert "Usage" in answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("picture", "label"), [("cat.jpg", "cat"), ("ladybug.png", "ladybug")])
def test_the_shipped_model_knows_the_pictures_of_the_readme(pocketclip, nano_exports, picture: str, label: str) -> None:
    """A photograph and a drawing that training never saw."""
    folder = nano_exports["onnx", "fp32", "image"].folder.parent
    labels = "cat,dog,tiger,ladybug,house,pear"
    result = pocketclip("classify", EXAMPLES / picture, "--labels", labels, "--artifact", folder, "--top", "1")
    assert result.returncode == 0, result.stderr
    name, percent = result.stdout.splitlines()[-1].split()
    assert name == label and float(percent.removesuffix("%")) > 50
