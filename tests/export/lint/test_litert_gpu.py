"""`lint --gpu`: what LiteRT's own GPU delegate says, on whatever Vulkan device there is, and without any."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pocketclip
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import LintRuleError
from pocketclip.export.lint import gpu_rules, litert_gpu
from pocketclip.export.lint.litert_gpu import GpuAnswer, NoGpuError
from pocketclip.export.lint.run import Linted

pytest.importorskip("ai_edge_litert.compiled_model")

Exports = Mapping[tuple[str, str, str], Any]
_ADAPTER = "I0000 environment.cc:532] Selected adapter: Card 9 (Name), arch=a, vendor=v, backend=Vulkan, adapterType="
_LOADED = "INFO: [gpu_registry.cc:138] Dynamically loaded GPU accelerator(libLiteRtWebGpuAccelerator.so) registered.\n"


def asked(exports: Exports, precision: str, tower: str) -> Linted:
    folder = exports["tflite", precision, tower].folder
    (found,) = pocketclip.lint(folder, gpu=True)
    device_is_missing = [words for words in found.not_looked_at if "Vulkan device" in words]
    if device_is_missing:
        pytest.skip(device_is_missing[0])
    return found


@pytest.mark.parametrize("tower", ["image", "text"])
def test_fp32_runs_whole_and_gives_the_same(nano_exports: Exports, tower: str) -> None:
    found = asked(nano_exports, "fp32", tower)
    assert not {"PC018", "PC019"} & {finding.code for finding in found.findings}
    assert "takes the whole file on" in found.gpu
    assert "minimum cosine 1.0000" in found.gpu or "minimum cosine 0.9999" in found.gpu


def test_ops_that_it_leaves_are_named(nano_exports: Exports) -> None:
    found = asked(nano_exports, "fp16", "text")
    (finding,) = [each for each in found.findings if each.code == "PC018"]
    assert "EMBEDDING_LOOKUP" in finding.message and "stay on the processor" in finding.message
    assert "ops of" in found.gpu


def test_a_file_that_it_cannot_prepare(nano_exports: Exports, pocketclip: Callable[..., Any]) -> None:
    asked(nano_exports, "int8-weights", "image")
    folder = nano_exports["tflite", "int8-weights", "image"].folder
    result = pocketclip("lint", str(folder), "--gpu", "--json")
    assert result.returncode == 0
    (content,) = json.loads(result.stdout)
    assert "PC018" in {finding["code"] for finding in content["findings"]}
    assert content["gpu"].startswith("LiteRT's GPU delegate")
    # What the libraries write stays off the terminal.
    assert "INFO" not in result.stderr
    ignored = pocketclip("lint", str(folder), "--gpu", "--ignore", "PC018", "--json")
    assert "PC018" not in ignored.stdout


def test_without_a_vulkan_device(
    nano_exports: Exports, pocketclip: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nonexistent.json")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nonexistent.json")
    result = pocketclip("lint", str(nano_exports["tflite", "fp32", "text"].folder), "--gpu")
    assert result.returncode == 0
    assert "not looked at: what LiteRT's GPU delegate takes: " in result.stdout
    assert "GPU:" not in result.stdout


def test_other_files_and_models(nano_exports: Exports) -> None:
    (found,) = pocketclip.lint(nano_exports["onnx", "fp32", "text"].folder, gpu=True)
    assert not found.gpu and not found.not_looked_at
    with pytest.raises(LintRuleError, match="--gpu is for LiteRT files"):
        pocketclip.lint(pocketclip.load_model("pocketclip_nano"), gpu=True)


@pytest.mark.parametrize(
    ("log", "failure", "expected"),
    [
        (f"{_ADAPTER}CPU / Software\n", "", GpuAnswer("Card 9 (Name)", True)),
        (f"{_ADAPTER}Discrete GPU\n", "", GpuAnswer("Card 9 (Name)", False)),
        (
            f"{_ADAPTER}Discrete GPU\nERROR: Following operations are not supported by GPU delegate:\nCUMSUM: \n"
            "PACK: PACK: no more than 4 dimensions\n7 operations will run on the GPU, and the remaining 2 operations "
            "will run on the CPU.\n",
            "ERROR: x\n└ Some ops are not accelerated.",
            GpuAnswer("Card 9 (Name)", False, ("CUMSUM", "PACK: no more than 4 dimensions"), (7, 2)),
        ),
        (
            f"{_ADAPTER}Discrete GPU\nE0000 Failed to create litert::ml_drift::DelegateKernelLiteRt: INTERNAL: why\n",
            "ERROR: x\n└ Failed to modify graph with delegate",
            GpuAnswer("Card 9 (Name)", False, failure="INTERNAL: why"),
        ),
        (f"{_ADAPTER}Discrete GPU\n", "ERROR: x\n└ why", GpuAnswer("Card 9 (Name)", False, failure="why")),
    ],
)
def test_what_it_writes_is_understood(log: str, failure: str, expected: GpuAnswer) -> None:
    answer = litert_gpu._answer(log, failure, None)
    assert answer == expected
    assert answer.whole == (not failure)


@pytest.mark.parametrize(
    ("log", "failure", "words"),
    [
        (f"{_LOADED}INTERNAL: No adapters found\n", "ERROR", "no Vulkan device; .* or Chromium and libvulkan1"),
        (_LOADED, "ERROR: x\n└ Failed to build TFL interpreter", r"cannot load the file \(Failed to build TFL"),
        ("", "", "no GPU delegate for this system"),
    ],
)
def test_why_it_cannot_be_asked(log: str, failure: str, words: str) -> None:
    with pytest.raises(NoGpuError, match=words):
        litert_gpu._answer(log, failure, None)


@pytest.mark.parametrize(("spoiled", "code"), [("turned", "PC019"), ("nan", "PC019"), ("same", None)])
def test_other_results_are_an_error(
    nano_exports: Exports, monkeypatch: pytest.MonkeyPatch, spoiled: str, code: str | None
) -> None:
    artifact = load_artifact(nano_exports["tflite", "fp32", "text"].folder)
    rows = np.array(artifact.golden(artifact.manifest.golden.reference))
    if spoiled == "turned":
        rows = np.roll(rows, 1, axis=1)
    elif spoiled == "nan":
        rows[3, 0] = np.nan
    monkeypatch.setattr(gpu_rules, "ask_gpu", lambda *_: GpuAnswer("Card", False, outputs=rows))
    found = gpu_rules.with_gpu(Linted("label", ()), artifact)
    assert [finding.code for finding in found.findings] == ([code] if code else [])


@pytest.mark.skipif(not Path("/dev").is_dir(), reason="chooses a device by Linux's files")
def test_swiftshader_is_taken_where_nothing_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    description = tmp_path / "icd.json"
    description.write_text("{}")
    environment: dict[str, str] = {}
    monkeypatch.setattr(litert_gpu, "_SWIFTSHADER", (tmp_path / "missing.json", description))
    monkeypatch.setattr(litert_gpu, "_RENDER_NODES", ((str(tmp_path), "renderD*"),))
    monkeypatch.setattr(litert_gpu, "os", SimpleNamespace(environ=environment))
    monkeypatch.setattr(litert_gpu, "sys", SimpleNamespace(platform="linux"))
    litert_gpu._choose_device()
    assert environment.pop("VK_ICD_FILENAMES") == str(description)
    environment["VK_DRIVER_FILES"] = "mine.json"
    litert_gpu._choose_device()
    assert environment == {"VK_DRIVER_FILES": "mine.json"}
    environment.clear()
    (tmp_path / "renderD128").touch()
    litert_gpu._choose_device()
    assert not environment


def test_a_crash_is_a_finding() -> None:
    found = gpu_rules.crashed(Linted("label", ()), "the file cannot be run: the library crashed (SIGSEGV)")
    assert [finding.code for finding in found.findings] == ["PC018"]
    assert "SIGSEGV" in found.findings[0].message
    assert replace(found, findings=()).gpu == "LiteRT's GPU delegate fails"
