"""Towers for Snapdragon's NPU by LiteRT: compiled for each chip, and what was compiled run by Qualcomm's emulator."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactCorruptError, ConversionError
from pocketclip.export.job import ExportResult
from pocketclip.export.npu import litert_libraries
from pocketclip.export.npu.compiled_file import EmulatedFile, read_graph
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target, open_session, probe, tflite
from pocketclip.export.targets.base import LoweringRequest
from tests.nano_cells import Cell, cells_of

TARGET = TargetName.TFLITE_QNN
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not probe(TARGET).available, reason=str(probe(TARGET).reason or "available")),
]

Exports = dict[tuple[str, str, str], ExportResult]


def lower(module: nn.Module, example: Tensor, folder: Path, precision: Precision) -> None:
    request = LoweringRequest(
        module.eval(), example, "image", "embedding", precision, [example.numpy()] * 4, socs=("SM8650",)
    )
    load_target(TARGET).lower(request, folder)


@pytest.mark.parametrize("cell", cells_of(TARGET), ids="-".join)
def test_each_chip_has_the_whole_tower_as_one_graph(cell: Cell, nano_exports: Exports) -> None:
    result = nano_exports[cell]
    report = read_report(result.folder)
    assert report.package == "onnxruntime-qnn 2.6.0" and report.sdk.startswith("v2.50.40.")
    assert [context.soc for context in report.contexts] == ["SM8550", "SM8650", "SM8750"]
    for context in report.contexts:
        path = result.folder / context.file
        assert (context.graphs, context.on_cpu, context.size_bytes) == (1, 0, path.stat().st_size)
        graph = read_graph(path)
        assert len(graph.content) < context.size_bytes
        assert [shape for _, _, shape in graph.outputs] == [(1, 128)]
    parity = result.manifest.parity
    assert parity is not None and parity.passed and parity.samples == 134
    assert parity.executed_by.startswith("emulated Hexagon NPU, onnxruntime-qnn 2.6.0, onnxruntime ")
    assert "compiled" in parity.executed_by
    assert not [finding for finding in result.manifest.lint if finding.code in ("PC001", "PC009", "PC013")]


def test_every_chip_computes_the_golden_samples(nano_exports: Exports) -> None:
    artifact = load_artifact(nano_exports[TARGET, Precision.W8A16_STATIC, Tower.IMAGE].folder)
    inputs, expected = (
        artifact.golden(each) for each in (artifact.manifest.golden.inputs, artifact.manifest.golden.reference)
    )
    for context in read_report(artifact.folder).contexts:
        session = EmulatedFile(artifact.folder / context.file, context.soc)
        outputs = np.concatenate([session.run([inputs[i : i + 1]])[0] for i in range(2)])
        session.close()
        assert (outputs * expected[:2]).sum(1).min() > 0.999


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: b"", "is no file of LiteRT's compiler"),
        (lambda content: content[: len(content) // 2], "with one graph for the NPU"),
        (lambda content: content[:-200_000] + bytes(200_000), "cannot be run: "),
    ],
)
def test_a_damaged_file(damage, words: str, nano_exports: Exports, tmp_path: Path) -> None:
    folder = tmp_path / "text"
    shutil.copytree(nano_exports[TARGET, Precision.INT8_STATIC, Tower.TEXT].folder, folder)
    path = folder / "contexts" / "sm8550.tflite"
    path.write_bytes(damage(path.read_bytes()))

    def run() -> None:
        EmulatedFile(path, "SM8550").run([np.zeros((1, 32), np.int32)])

    with pytest.raises(ArtifactCorruptError, match=words):
        run()


def test_a_portable_file_is_no_compiled_one(nano_exports: Exports) -> None:
    portable = nano_exports[TARGET, Precision.INT8_STATIC, Tower.TEXT].folder / "model.tflite"
    with pytest.raises(ArtifactCorruptError, match="is no file of LiteRT's compiler"):
        read_graph(portable)


def test_sessions_need_what_they_are_made_for(nano_exports: Exports) -> None:
    session = open_session(load_artifact(nano_exports[TARGET, Precision.FP16, Tower.TEXT].folder))
    with pytest.raises(ArtifactCorruptError, match="cannot be run: "):
        session.run([np.zeros((1, 3), np.int32)])
    session.close()


def test_ops_that_stay_on_the_cpu_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Depthwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 32, 1)
            self.conv = nn.Conv2d(32, 32, 7, padding=3, groups=32)

        def forward(self, image: Tensor) -> Tensor:
            return torch.relu(self.conv(self.first(image)))

    # With 16-bit activations, which the table of ops in float spares them.
    monkeypatch.setattr(tflite, "float_ops", lambda *arguments: frozenset())
    with pytest.raises(
        ConversionError, match=r"the NPU of SM8650 takes .* pieces of it and leaves .* DEPTHWISE_CONV_2D"
    ):
        lower(Depthwise(), torch.rand(1, 3, 16, 16), tmp_path, Precision.W8A16_STATIC)


def test_without_its_libraries_the_target_says_what_adds_them(
    pocketclip, error_line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(litert_libraries.ENVIRONMENT_VARIABLE, str(tmp_path / "none"))
    availability = probe(TARGET)
    assert not availability.available
    assert availability.reason == f"missing onnxruntime-qnn 2.6.0 in {tmp_path / 'none'}"
    assert availability.install is not None and "--no-deps --target" in availability.install
    result = pocketclip("export", "--target", TARGET, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "onnxruntime-qnn==2.6.0" in error_line(result)


def test_libraries_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "onnxruntime_qnn"
    package.mkdir()
    (package / "libQnnHtp.so").write_bytes(b"")
    monkeypatch.setenv(litert_libraries.ENVIRONMENT_VARIABLE, str(tmp_path))
    for facts, found in (("__version__ = '2.5.0'\n", "2.5.0"), ("nothing", "of an unknown version")):
        (package / "build_and_package_info.py").write_text(facts)
        lacking = litert_libraries.lacking()
        assert lacking is not None
        assert lacking.reason == f"{tmp_path} holds onnxruntime-qnn {found}, which does not fit: 2.6.0"
