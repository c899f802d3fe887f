"""Towers for Snapdragon's NPU by ExecuTorch: one program for each chip, proven by Qualcomm's emulator."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactCorruptError, ConversionError
from pocketclip.export.job import ExportResult
from pocketclip.export.npu.executorch_program import EmulatedProgram
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target, open_model, probe
from pocketclip.export.targets.base import LoweringRequest
from tests.nano_cells import Cell, cells_of

TARGET = TargetName.EXECUTORCH_QNN
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not probe(TARGET).available, reason=str(probe(TARGET).reason or "available")),
]

Exports = dict[tuple[str, str, str], ExportResult]


def lower(module: nn.Module, example: Tensor, folder: Path, precision: Precision, *socs: str) -> str:
    calibration = [example.numpy() * scale for scale in (0.5, 1.0)] if precision.needs_calibration else []
    request = LoweringRequest(module.eval(), example, "image", "embedding", precision, calibration, socs=socs)
    return load_target(TARGET).lower(request, folder)


@pytest.mark.parametrize("cell", cells_of(TARGET), ids="-".join)
def test_the_whole_tower_is_one_graph(cell: Cell, nano_exports: Exports) -> None:
    result = nano_exports[cell]
    for context in read_report(result.folder).contexts:
        assert (context.graphs, context.on_cpu, context.binary) == (1, 0, None)
        assert context.size_bytes == (result.folder / context.file).stat().st_size
        assert (context.spill_bytes, context.fill_bytes) == (0, 0)
    parity = result.manifest.parity
    assert parity is not None
    assert parity.passed
    assert parity.samples == 134
    assert parity.executed_by == (
        f"emulated Hexagon NPU, onnxruntime-qnn {metadata.version('onnxruntime-qnn')}, "
        f"executorch {metadata.version('executorch')}"
    )
    assert result.manifest.model_size_bytes == (result.folder / result.manifest.entry_point).stat().st_size


def test_every_chip_computes_the_golden_samples(tmp_path: Path, nano_exports: Exports) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Flatten(), nn.Linear(8 * 36, 16))
    example = torch.rand(1, 3, 8, 8)
    lower(module, example, tmp_path, Precision.W8A16_STATIC, "SM8550", "SM8750")
    with torch.inference_mode():
        expected = module(example).numpy()
    for soc in ("sm8550", "sm8750"):
        session = EmulatedProgram(tmp_path / "contexts" / f"{soc}.pte")
        (found,) = session.run([example.numpy()])
        session.close()
        assert np.abs(found - expected).max() < 0.02
    # An artefact of the fixture holds what its manifest says.
    artifact = load_artifact(nano_exports[TARGET, Precision.W8A16_STATIC, Tower.TEXT].folder)
    assert artifact.model_path.suffix == ".pte"


def test_a_channel_that_training_gave_up(tmp_path: Path) -> None:
    """Without a smallest scale, the emulated NPU computes every channel of such a layer wrong."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(16, 64, 1), nn.GELU(), nn.Conv2d(64, 16, 1), nn.Flatten())
    last = module[2]
    assert isinstance(last, nn.Conv2d)
    with torch.no_grad():
        last.weight[3] *= 1e-5
    example = torch.rand(1, 16, 1, 24)
    path = tmp_path / lower(module, example, tmp_path, Precision.W8A16_STATIC, "SM8650")
    session = EmulatedProgram(path)
    (found,) = session.run([example.numpy()])
    session.close()
    with torch.inference_mode():
        expected = module(example).numpy()
    assert float((found * expected).sum() / np.linalg.norm(found) / np.linalg.norm(expected)) > 0.999


def test_an_op_that_stays_on_the_cpu_is_named_with_its_module(tmp_path: Path) -> None:
    class Determinant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.linalg.det(x)

    with pytest.raises(ConversionError, match=r"the NPU of SM8650 .*det"):
        lower(nn.Sequential(nn.Linear(4, 4), Determinant()), torch.eye(4)[None] * 2, tmp_path, Precision.FP16, "SM8650")


def test_a_program_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "sm8650.pte"
    path.write_bytes(b"no program at all" * 20)
    session = open_model(TARGET, path)
    with pytest.raises(
        ArtifactCorruptError, match=r"emulated Hexagon NPU, .* cannot run .*sm8650.pte: .*export it again"
    ):
        session.run([np.zeros((1, 32), np.int32)])


def test_inspect_shows_what_each_chip_has(pocketclip, nano_exports: Exports) -> None:
    result = pocketclip("inspect", nano_exports[TARGET, Precision.FP16, Tower.TEXT].folder)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("SM")]
    # Graphs, ops on the CPU, MB, bytes moved.
    assert [row[-4:-2] for row in rows] == [["1", "0"]] * len(rows)
    assert rows
