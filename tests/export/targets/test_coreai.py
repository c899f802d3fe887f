"""Both towers for Core AI: Apple's converter, our forms of weights and activations, Apple's runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.precision_plan import KeptPrecision, PrecisionPlan, planned
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.coreai.program import Function, read_program
from pocketclip.export.errors import UnknownTargetError
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target, parse_targets, probe
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.trained_quantization import TrainedRanges
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.quantization.trained import Side

TARGET = TargetName.COREAI
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not probe(TARGET).available, reason=str(probe(TARGET).reason or "available")),
]

Exports = dict[tuple[str, str, str], ExportResult]
IMAGE = torch.linspace(-1, 1, 3 * 16).reshape(1, 3, 4, 4)


class Small(nn.Module):
    """Two convolutions and a linear layer whose weights are large enough to be stored in fewer bits."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 1)
        self.last = nn.Linear(64, 32)
        self.l2_norm = nn.Identity()
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)

    def forward(self, image: Tensor) -> Tensor:
        return self.l2_norm(self.last(self.second(torch.relu(self.first(image))).mean((2, 3))))


def lower(module: nn.Module, folder: Path, precision: Precision, **options: object) -> Path:
    request = LoweringRequest(
        module.eval(), IMAGE, "image", "embedding", precision, [IMAGE.numpy() * each for each in (1, 0.5)], **options
    )
    return folder / load_target(TARGET).lower(request, folder)


def run(path: Path) -> np.ndarray:
    session = load_target(TARGET).open(path, 1)
    output = session.run([IMAGE.numpy()])[0]
    session.close()
    return output


def main(path: Path) -> Function:
    return read_program(path).public[0]


def names(function: Function) -> list[str]:
    return [op.name for op in function.ops]


def stored(function: Function) -> list[str]:
    """Types of the large constants."""
    return sorted(each.value.dtype for each in function.constants if np.prod(each.value.shape) >= 1024)


@pytest.mark.parametrize("tower", Tower)
def test_the_towers_have_the_forms_that_the_neural_engine_takes(tower: Tower, nano_exports: Exports) -> None:
    result = nano_exports[TARGET, Precision.FP16, tower]
    function = main(load_artifact(result.folder).model_path)
    found = names(function)
    assert not {"argmax", "argsort", "gather_along_axis", "exp"} & set(found)
    assert found.count("gather_nd") == (tower is Tower.TEXT)
    assert found.count("transpose") == (3 if tower is Tower.TEXT else 1)
    ranks = {len(op.outputs[0].shape or ()) for op in function.ops if op.name in ("batch_matmul", "conv2d")}
    assert ranks == {4}
    assert [finding.code for finding in result.manifest.lint] == []
    assert result.manifest.requires == "iOS 27"
    parity = result.manifest.parity
    assert parity is not None and parity.executed_by.startswith("Core AI's runtime, coreai-core ")
    assert parity.samples < 50


def test_an_asset_names_no_folder_of_this_computer(nano_exports: Exports) -> None:
    content = (
        load_artifact(nano_exports[TARGET, Precision.FP16, Tower.TEXT].folder).model_path / "main.mlirb"
    ).read_bytes()
    assert b"four_axes.py" in content
    for place in (Path(torch.__file__).parents[1], Path(__file__).parents[3], Path.home()):
        assert str(place).encode() not in content


@pytest.mark.parametrize(
    ("precision", "types", "op"),
    [
        (Precision.FP16, ["float16", "float16", "float16"], "conv2d"),
        (Precision.INT8_WEIGHTS, ["int8", "int8", "int8"], "blockwise_shift_scale"),
        (Precision.INT4_WEIGHTS, ["int4", "int4", "int8"], "blockwise_shift_scale"),
        (Precision.PALETTE6, ["uint6", "uint6", "uint6"], "lut_to_dense"),
        (Precision.PALETTE4, ["int8", "uint4", "uint4"], "lut_to_dense"),
        (Precision.SPARSE_INT8, ["int8", "int8", "int8", "uint1", "uint1"], "sparse_with_bitmask_to_dense"),
        (Precision.INT8_STATIC, ["int8", "int8", "int8"], "dequantize"),
    ],
)
def test_weights_are_stored_as_their_precision_says(
    precision: Precision, types: list[str], op: str, tmp_path: Path
) -> None:
    module = Small()
    path = lower(module, tmp_path, precision)
    function = main(path)
    assert stored(function) == types
    assert op in names(function)
    with torch.inference_mode():
        expected = module(IMAGE).numpy()
    found = run(path)
    assert found.dtype == np.float32 and found.shape == expected.shape
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error < (0.3 if precision.traits.sparse else 0.12)


def test_a_plan_keeps_modules_finer(tmp_path: Path) -> None:
    kept = planned(["second"], KeptPrecision.FLOAT)
    plan = PrecisionPlan(1, "small", Tower.IMAGE, Precision.INT8_STATIC, kept)
    function = main(lower(Small(), tmp_path, Precision.INT8_STATIC, plan=plan))
    assert stored(function) == ["float16", "int8", "int8"]
    assert names(function).count("quantize") == 2
    finer = PrecisionPlan(1, "small", Tower.IMAGE, Precision.INT4_WEIGHTS, planned(["last"], KeptPrecision.INT8))
    assert stored(main(lower(Small(), tmp_path, Precision.INT4_WEIGHTS, plan=finer))) == ["int4", "int8", "int8"]


def test_trained_ranges_go_before_observed_ones(tmp_path: Path) -> None:
    def scale_of(path: Path) -> float:
        function = main(path)
        (quantize,) = [op for op in function.ops if op.name == "quantize" and op.inputs[0].name != "image"][:1]
        constants = {each.value.name: each for each in function.constants}
        return float(constants[quantize.inputs[1].name].content[0])

    observed = scale_of(lower(Small(), tmp_path, Precision.INT8_STATIC))
    ranges = TrainedRanges({("first", Side.INPUT): (-8.0, 8.0)})
    trained = scale_of(lower(Small(), tmp_path, Precision.INT8_STATIC, ranges=ranges))
    assert observed == pytest.approx(2 / 255, rel=0.1) and trained == pytest.approx(16 / 255, rel=0.01)


class Growing(nn.Module):
    """One module whose values leave the range of half floats."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = Small(), nn.Conv2d(3, 3, 1)
        self.l2_norm = nn.Identity()
        with torch.no_grad():
            self.large.weight.fill_(1e5)

    def forward(self, image: Tensor) -> Tensor:
        return self.small(image) + self.large(image).mean((2, 3))[:, :1]


class Normed(nn.Module):
    """A layer norm whose squares do, while all that goes in and out stays small enough."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.l2_norm = nn.LayerNorm(4), nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(image * 10_000)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Growing(), r"a value of \S+ becomes infinite in module large \(Conv2d\)"),
        (Normed(), r"a value of \S+ becomes infinite in module norm \(LayerNorm\)"),
    ],
)
def test_a_tower_beyond_half_floats_is_refused_by_module(module: nn.Module, words: str, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match=words):
        lower(module, tmp_path, Precision.FP16)
    lower(module, tmp_path, Precision.FP32)


def test_the_delegate_that_nothing_runs_is_named() -> None:
    with pytest.raises(UnknownTargetError, match=r"executorch-coreai is not offered: ExecuTorch .* no runtime"):
        parse_targets("executorch-coreai")
