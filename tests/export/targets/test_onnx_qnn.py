"""Towers for Snapdragon's NPU: one graph for each chip, proven by Qualcomm's emulator, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactCorruptError, ConversionError, ManifestError
from pocketclip.export.job import ExportResult
from pocketclip.export.npu.emulator import EmulatedSession
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target, probe
from pocketclip.export.targets.base import LoweringRequest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not probe(TargetName.ONNX_QNN).available, reason=str(probe(TargetName.ONNX_QNN).reason or "available")
    ),
]

Exports = dict[tuple[str, str, str], ExportResult]
PRECISIONS = (Precision.FP16, Precision.INT8_STATIC, Precision.W8A16_STATIC)


def _lower(module: nn.Module, example: Tensor, folder: Path, *socs: str) -> None:
    request = LoweringRequest(module.eval(), example, "image", "embedding", Precision.FP16, (), socs=socs)
    load_target(TargetName.ONNX_QNN).lower(request, folder)


@pytest.mark.parametrize("tower", Tower)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_chip_has_the_whole_tower_as_one_graph(precision: Precision, tower: Tower, nano_exports: Exports) -> None:
    result = nano_exports[TargetName.ONNX_QNN, precision, tower]
    report = read_report(result.folder)
    assert [context.soc for context in report.contexts] == ["SM8550", "SM8650", "SM8750"]
    for context in report.contexts:
        (node,) = onnx.load(result.folder / context.file).graph.node
        assert node.op_type == "EPContext"
        assert (context.graphs, context.on_cpu) == (1, 0)
        sizes = [(result.folder / name).stat().st_size for name in (context.file, context.binary)]
        assert context.size_bytes == sum(sizes)
    parity = result.manifest.parity
    assert parity is not None
    assert parity.passed
    assert parity.samples == 134
    assert parity.executed_by.startswith("emulated Hexagon NPU, onnxruntime-qnn 2.5.0, onnxruntime ")


@pytest.mark.parametrize(("tower", "wide"), [(Tower.IMAGE, True), (Tower.TEXT, False)])
def test_what_no_residual_branch_passes_gives_16_bits(tower: Tower, wide: bool, nano_exports: Exports) -> None:
    model = onnx.load(nano_exports[TargetName.ONNX_QNN, Precision.INT8_STATIC, tower].folder / "model.onnx")
    types = {each.name: each.data_type for each in model.graph.initializer}
    zeros = [types[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert (onnx.TensorProto.UINT16 in zeros) == wide
    assert zeros.count(onnx.TensorProto.UINT16) < len(zeros) / 2


def test_inspect_shows_what_each_chip_has(pocketclip, nano_exports: Exports) -> None:
    result = pocketclip("inspect", nano_exports[TargetName.ONNX_QNN, Precision.FP16, Tower.TEXT].folder)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("SM")]
    # The chip and what it is sold as; graphs, ops on the CPU, MB, bytes moved.
    assert [row[0] for row in rows] == ["SM8550", "SM8650", "SM8750"]
    assert all(row[-4:-2] == ["1", "0"] for row in rows)


def test_bundles_take_it_as_a_variant_alone(pocketclip, error_line, nano_exports: Exports, tmp_path: Path) -> None:
    image, text = (nano_exports[TargetName.ONNX_QNN, Precision.FP16, tower].folder for tower in Tower)
    result = pocketclip("bundle", "--image", image, "--text", text, "--labels", "a cat", "--out", tmp_path / "b")
    assert result.returncode == 2
    assert "runs on some Snapdragon chips alone, and a bundle's towers on every phone" in error_line(result)


def test_the_size_is_that_of_the_portable_model(nano_exports: Exports) -> None:
    result = nano_exports[TargetName.ONNX_QNN, Precision.INT8_STATIC, Tower.TEXT]
    assert result.manifest.model_size_bytes == (result.folder / "model.onnx").stat().st_size


def test_every_chip_computes_the_golden_samples(nano_exports: Exports) -> None:
    result = nano_exports[TargetName.ONNX_QNN, Precision.W8A16_STATIC, Tower.TEXT]
    artifact = load_artifact(result.folder)
    inputs, expected = (
        artifact.golden(each) for each in (artifact.manifest.golden.inputs, artifact.manifest.golden.reference)
    )
    for soc in ("SM8550", "SM8650", "SM8750"):
        session = EmulatedSession(result.folder, soc)
        outputs = np.concatenate([session.run([inputs[i : i + 1]])[0] for i in range(2)])
        session.close()
        assert (outputs * expected[:2]).sum(1).min() > 0.999


def test_a_chip_without_a_graph_and_a_damaged_graph(nano_exports: Exports, tmp_path: Path) -> None:
    folder = tmp_path / "text"
    shutil.copytree(nano_exports[TargetName.ONNX_QNN, Precision.INT8_STATIC, Tower.TEXT].folder, folder)
    with pytest.raises(ArtifactCorruptError, match="has no graph for SM8450; it has SM8550, SM8650, SM8750"):
        EmulatedSession(folder, "SM8450")
    (folder / "contexts" / "sm8550_qnn.bin").write_bytes(b"no graph")
    with pytest.raises(
        ArtifactCorruptError, match=r"sm8550.onnx cannot be loaded: .*prepared by onnxruntime-qnn 2.5.0"
    ):
        EmulatedSession(folder)


def test_a_graph_that_reads_another_file(nano_exports: Exports, tmp_path: Path) -> None:
    folder = tmp_path / "text"
    shutil.copytree(nano_exports[TargetName.ONNX_QNN, Precision.INT8_STATIC, Tower.TEXT].folder, folder)
    path = folder / "contexts" / "sm8550.onnx"
    model = onnx.load(path)
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "ep_cache_context":
            attribute.s = b"../../../secret.bin"
    onnx.save(model, path)
    with pytest.raises(ArtifactCorruptError, match=r"sm8550.onnx does not read one file beside it"):
        EmulatedSession(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contexts": []}, "names no prepared graph"),
        ({"sdk": "2.49; rm -rf"}, "sdk"),
    ],
)
def test_a_report_that_is_none(change: dict, words: str, nano_exports: Exports, tmp_path: Path) -> None:
    source = nano_exports[TargetName.ONNX_QNN, Precision.INT8_STATIC, Tower.TEXT].folder / "npu.json"
    (tmp_path / "npu.json").write_text(json.dumps(json.loads(source.read_text()) | change))
    with pytest.raises(ManifestError, match=words):
        read_report(tmp_path)


@pytest.mark.parametrize("file", ["../model.onnx", "/etc/passwd", "contexts/../../x"])
def test_a_report_stays_in_its_folder(file: str, nano_exports: Exports, tmp_path: Path) -> None:
    source = nano_exports[TargetName.ONNX_QNN, Precision.INT8_STATIC, Tower.TEXT].folder / "npu.json"
    report = json.loads(source.read_text())
    report["contexts"][0]["file"] = file
    (tmp_path / "npu.json").write_text(json.dumps(report))
    with pytest.raises(ManifestError):
        read_report(tmp_path)


def test_what_the_npu_does_not_take_is_named(tmp_path: Path) -> None:
    class Determinant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.linalg.det(x)

    with pytest.raises(ConversionError, match=r"the NPU of SM8650 .*Det"):
        _lower(Determinant(), torch.eye(4)[None] * 2, tmp_path, "SM8650")
