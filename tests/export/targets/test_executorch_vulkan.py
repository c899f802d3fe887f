"""Programs for Vulkan: whole towers, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.errors import ConversionError, UnsupportedPrecisionError
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target, parse_precisions
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.vulkan_reference import read_program

pytestmark = pytest.mark.slow

Exports = dict[tuple[str, str, str], ExportResult]


def _lower(module: nn.Module, example: Tensor, precision: Precision, folder: Path) -> None:
    request = LoweringRequest(module.eval(), example, "image", "embedding", precision, ())
    load_target(TargetName.EXECUTORCH_VULKAN).lower(request, folder)


@pytest.mark.parametrize("tower", Tower)
def test_towers_have_no_gelu_and_no_truth_values(tower: Tower, nano_exports: Exports) -> None:
    """The shader's GELU has no value below -13, and truth values need buffers that not every GPU has."""
    artifact = nano_exports[TargetName.EXECUTORCH_VULKAN, "fp16", tower]
    graph = read_program(artifact.folder / artifact.manifest.entry_point)
    assert {call.op for call in graph.calls}.isdisjoint({"aten.gelu.default", "aten.eq.Scalar"})
    kinds = {graph.tensor(place).dtype.name for call in graph.calls for place in graph.tensors((call.result,))}
    assert kinds == ({"float16"} if tower is Tower.IMAGE else {"float16", "int32"})


def test_what_vulkan_does_not_take_is_named(tmp_path: Path) -> None:
    class Cumulative(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cumsum(x, 1) * 2

    with pytest.raises(ConversionError, match=r"does not take these ops: .*cumsum"):
        _lower(Cumulative(), torch.ones(1, 4), Precision.FP32, tmp_path)


def test_weights_beyond_half_precision_are_not_clamped(tmp_path: Path) -> None:
    linear = nn.Linear(4, 4)
    with torch.no_grad():
        linear.weight[0, 0] = 1e5
    with pytest.raises(ConversionError, match=r"weight has values up to 1e\+05, beyond 65504.*; export fp32"):
        _lower(linear, torch.ones(1, 4), Precision.FP16, tmp_path)
    _lower(linear, torch.ones(1, 4), Precision.FP32, tmp_path)


def test_there_is_no_main_scheme_of_eight_bits() -> None:
    assert parse_precisions("base,int8", TargetName.EXECUTORCH_VULKAN) == [Precision.FP16]
    with pytest.raises(UnsupportedPrecisionError, match=r"does not offer 'int8' \(of 8 and 4 bits.*base \(fp16\), all"):
        parse_precisions("int8", TargetName.EXECUTORCH_VULKAN)
