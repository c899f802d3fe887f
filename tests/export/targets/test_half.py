"""Half floats where Arm computes in them: the form of the files, and what does not fit into half a float."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert.tools import flatbuffer_utils
from torch import Tensor, nn

from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs.pipeline import export_artifact
from pocketclip.export.lint.read_executorch import read_executorch
from pocketclip.export.passes.activations import HalfGelu, half_gelu
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.export.targets.litert_half import METADATA_NAME, check_half_range
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.registry import load_config

Exports = dict[tuple[str, str, str], ExportResult]


def model_path(result: ExportResult) -> Path:
    return result.folder / result.manifest.entry_point


def exported_for_x86(target: TargetName, out: Path) -> Path:
    config = load_config("pocketclip_nano")
    job = ExportJob(config, None, target, Precision.FP16, Tower.TEXT, out, instruction_set=InstructionSet.X86_64)
    return model_path(export_artifact(job))


def metadata(path: Path) -> dict[str, bytes]:
    model: Any = flatbuffer_utils.read_model(str(path))
    return {entry.name.decode(): bytes(model.buffers[entry.buffer].data) for entry in model.metadata or ()}


@pytest.mark.slow
@pytest.mark.parametrize("tower", Tower)
def test_litert_may_compute_in_half_on_arm(nano_exports: Exports, tower: Tower) -> None:
    assert metadata(model_path(nano_exports["tflite", "fp16", tower]))[METADATA_NAME] == b"fp16accfp16"
    assert METADATA_NAME not in metadata(model_path(nano_exports["tflite", "fp32", tower]))


@pytest.mark.slow
def test_litert_computes_in_float_on_x86(tmp_path: Path) -> None:
    assert METADATA_NAME not in metadata(exported_for_x86(TargetName.TFLITE, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("tower", Tower)
def test_executorch_leaves_no_activation_and_no_norm_outside(nano_exports: Exports, tower: Tower) -> None:
    graph = read_executorch(model_path(nano_exports["executorch", "fp16", tower]))
    outside = Counter(op.name for op in graph.ops if not op.delegated)
    assert not [name for name in outside if "gelu" in name or "layer_norm" in name]
    # One conversion on the way in, one on the way out, and those of the text tower's end of text.
    assert sum(count for name, count in outside.items() if "_to_copy" in name) <= 7
    assert not [name for name in outside if "dim_order" in name]


def element_types(path: Path) -> dict[str, set[int]]:
    """The types that the ops of each kind give."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    types = {entry.name: entry.type.tensor_type.elem_type for entry in (*model.graph.value_info, *model.graph.output)}
    found: dict[str, set[int]] = {}
    for node in model.graph.node:
        found.setdefault(node.op_type, set()).add(types.get(node.output[0], 0))
    return found


@pytest.mark.slow
def test_onnx_keeps_slow_ops_in_float_on_arm(nano_exports: Exports, tmp_path: Path) -> None:
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    arm = element_types(model_path(nano_exports["onnx", "fp16", Tower.TEXT]))
    assert arm["MatMul"] == arm["Conv"] == arm["Gelu"] == {half}
    assert arm["LayerNormalization"] == arm["Softmax"] == {single}
    x86 = element_types(exported_for_x86(TargetName.ONNX, tmp_path))
    assert x86["LayerNormalization"] == {half}


def test_half_gelu_is_gelu_wherever_half_floats_go() -> None:
    exact = nn.GELU()
    inputs = torch.linspace(-12, 12, 4001)
    for form, shape in ((HalfGelu(None), (1, -1, 1)), (HalfGelu(1), (1, 1, -1, 1))):
        x = inputs.reshape(shape)
        assert (form(x) - exact(x)).abs().max() < 5e-4
        largest = torch.tensor([-65_504.0, -300.0, 0.0, 300.0, 65_504.0]).half().reshape(shape)
        assert torch.equal(form.half()(largest), torch.relu(largest))


class Activations(nn.Module):
    """GELUs over a map, over a sequence, and one over both."""

    def __init__(self) -> None:
        super().__init__()
        self.of_map, self.of_sequence, self.of_both = nn.GELU(), nn.GELU(), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.of_both(self.of_map(x))
        return self.of_both(self.of_sequence(x.flatten(2)))


def test_half_gelu_takes_the_form_that_its_input_asks_for() -> None:
    tower = Activations()
    x = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    rewritten = half_gelu(tower, x)
    assert sorted(rewritten.sites) == ["of_both", "of_map", "of_sequence"]
    assert isinstance(rewritten.module.get_submodule("of_map.polynomial"), nn.Conv2d)
    assert not isinstance(rewritten.module.get_submodule("of_sequence.polynomial"), nn.Conv2d)
    assert not isinstance(rewritten.module.get_submodule("of_both.polynomial"), nn.Conv2d)
    torch.testing.assert_close(rewritten.module(x), tower(x), atol=2e-3, rtol=0)


class Squares(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.rsqrt((x * x).sum(1))


def test_a_tower_beyond_half_floats_is_refused() -> None:
    small, large = np.full((1, 4), 10, np.float32), np.full((1, 4), 300, np.float32)
    check_half_range(Squares(), [small])
    with pytest.raises(NonFiniteError, match=r"in half precision a value of 3.6e.05 becomes infinite"):
        check_half_range(Squares(), [small, large])
