"""Each target keeps in floating point what the plan names, and quantises the rest: seen in the file that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketclip.export.artifact.precision_plan import KeptPrecision, PrecisionPlan, covers, planned
from pocketclip.export.inputs.samples import scene_calibration_inputs
from pocketclip.export.passes.tower_module import INPUT_NAMES, OUTPUT_NAME, example_input, tower_module
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.tflite import scope_patterns
from pocketclip.models import create_model

# A transformer layer with its norms, attention and two linear layers; and a convolution by itself.
KEPT = ("encoder.transformer.1", "encoder.transformer.3.module.1.module.fc1")
# coremltools leaves smaller weights as they are.
COREML_LEAST = 2048


def _lower(target: TargetName, precision: Precision, folder: Path, kept: tuple[str, ...] = KEPT) -> Path:
    model = create_model("pocketclip_nano")
    inputs = scene_calibration_inputs(model.config, Tower.TEXT, 8) if precision.needs_calibration else []
    precise = KeptPrecision.INT8 if precision.traits.weight_bits == 4 else KeptPrecision.FLOAT
    request = LoweringRequest(
        module=tower_module(model, Tower.TEXT),
        example=example_input(model, Tower.TEXT),
        input_name=INPUT_NAMES[Tower.TEXT],
        output_name=OUTPUT_NAME,
        precision=precision,
        calibration=inputs[::4],
        plan=PrecisionPlan(1, "pocketclip_nano", Tower.TEXT, precision, planned(kept, precise)),
    )
    return folder / load_target(target).lower(request, folder)


def _matrices() -> Iterator[tuple[str, bool, tuple[int, ...]]]:
    """Each convolution's and linear layer's weight: module, whether it is kept, and shape."""
    for path, module in tower_module(create_model("pocketclip_nano"), Tower.TEXT).named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            yield path, covers(KEPT, path), tuple(module.weight.shape)


def _sorted_sizes(kept: bool) -> list[int]:
    return sorted(int(np.prod(shape)) for _, each, shape in _matrices() if each is kept)


@pytest.mark.slow
def test_onnx(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto

    graph = onnx.load(_lower(TargetName.ONNX, Precision.INT8_STATIC, tmp_path)).graph
    stored = {entry.name: entry for entry in graph.initializer}
    sources = {node.output[0]: node for node in graph.node}
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or len(node.input) < 2:
            continue
        source = sources.get(node.input[1])
        in_bytes = source is not None and source.op_type == "DequantizeLinear" and source.input[0] in stored
        if in_bytes and source is not None:
            assert stored[source.input[0]].data_type == TensorProto.INT8
        if in_bytes or node.input[1] in stored:
            weight = stored[source.input[0]] if in_bytes and source is not None else stored[node.input[1]]
            sizes[not in_bytes].append(int(np.prod(weight.dims)))
    # A rounded matrix is missing among those in floating point, and the other way round.
    assert sizes[True] and sorted(sizes[True]) == _sorted_sizes(kept=True)
    assert set(_sorted_sizes(kept=False)) <= set(sizes[False])


@pytest.mark.slow
def test_onnx_four_bits_beside_eight(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto

    graph = onnx.load(_lower(TargetName.ONNX, Precision.INT4_WEIGHTS, tmp_path)).graph
    sizes = {
        kind: sorted(int(np.prod(entry.dims)) for entry in graph.initializer if entry.data_type == kind)
        for kind in (TensorProto.INT4, TensorProto.INT8)
    }
    for size in _sorted_sizes(kept=True):
        assert size in sizes[TensorProto.INT8]
    assert 128 * 384 in sizes[TensorProto.INT4]
    # The layer beside the kept one has matrices of the same sizes: of each, one is in bytes and one in 4 bits.
    assert sizes[TensorProto.INT8].count(128 * 384) == sizes[TensorProto.INT4].count(128 * 384) == 1


@pytest.mark.slow
def test_executorch(tmp_path: Path) -> None:
    path = _lower(TargetName.EXECUTORCH, Precision.INT8_STATIC, tmp_path)
    parameters = sum(each.numel() for each in create_model("pocketclip_nano").text_encoder.parameters())
    kept = sum(_sorted_sizes(kept=True))
    # A byte for each weight, and three more for those that are kept; what else there is is small.
    assert parameters + 3 * kept < path.stat().st_size < 1.25 * (parameters + 3 * kept)
    content = path.read_bytes()
    for module, is_kept, _ in _matrices():
        weight = tower_module(create_model("pocketclip_nano"), Tower.TEXT).get_submodule(module).weight
        assert isinstance(weight, torch.Tensor)
        row = weight.detach().reshape(weight.shape[0], -1)[0].contiguous().numpy().tobytes()
        # XNNPACK stores a float weight row by row, as it is.
        assert (row in content) == is_kept, module


@pytest.mark.slow
def test_tflite(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    reader = Interpreter(model_path=str(_lower(TargetName.TFLITE, Precision.INT8_STATIC, tmp_path)))
    details = {each["index"]: each for each in reader.get_tensor_details()}
    sizes: dict[str, list[int]] = {"float32": [], "int8": []}
    # These stay in float, whatever the plan says.
    depthwise: set[int] = set()
    for op in reader._get_ops_details():
        if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weight = details[op["inputs"][1]]
            if op["op_name"] == "DEPTHWISE_CONV_2D":
                depthwise.add(int(np.prod(weight["shape"])))
                continue
            sizes[np.dtype(weight["dtype"]).name].append(int(np.prod(weight["shape"])))
    assert sorted(sizes["float32"]) == _sorted_sizes(kept=True)
    assert set(_sorted_sizes(kept=False)) - depthwise <= set(sizes["int8"])


def test_tflite_names_of_a_tower_whose_parts_are_called() -> None:
    import re

    tower = tower_module(create_model("pocketclip_nano"), Tower.TEXT)
    name = "export.TextTowerModule/torch.Sequential_transformer/models.TransformerLayer_1/torch.Linear_4;"
    other = name.replace("TransformerLayer_1", "TransformerLayer_11")

    def matches(path: str, text: str) -> bool:
        return any(re.match(pattern, text) for pattern in scope_patterns(tower, path))

    assert matches("encoder.transformer.1", name) and matches("encoder", name) and matches("", name)
    own, layer = (
        "export.TextTowerModule;8",
        "export.TextTowerModule/torch.Sequential_transformer/m.TransformerLayer_1;;",
    )
    assert matches("/", own) and not matches("/", name) and not matches("encoder.transformer.1/", name)
    assert matches("encoder.transformer.1/", layer)
    assert not matches("encoder.transformer.1", other) and not matches("encoder.transformer.2", name)


@pytest.mark.slow
def test_coreml(tmp_path: Path) -> None:
    from pocketclip.export.coreml_reference import load_program

    program = load_program(_lower(TargetName.COREML, Precision.INT8_STATIC, tmp_path)).function.operations
    sizes: dict[str, list[int]] = {}
    kept = _sorted_sizes(kept=True)
    for op in program:
        if op.op_type in ("conv", "linear"):
            weight = op.inputs["weight"]
            sizes.setdefault(weight.op.op_type, []).append(int(np.prod(weight.shape)))
            if weight.op.op_type == "const" and sizes["const"][-1] in kept:
                # What it gives is not rounded either; what it reads may be, by an op before it.
                assert all(reader.op_type != "quantize" for reader in op.outputs[0].child_ops), op.name
    # The product with zeros and ones is exact in any case.
    assert sorted(size for size in sizes.pop("const") if size in kept) == kept
    (rounded,) = sizes.values()
    assert {size for size in _sorted_sizes(kept=False) if size >= COREML_LEAST} <= set(rounded)


@pytest.mark.slow
def test_coreml_palettes_beside_bytes(tmp_path: Path) -> None:
    from pocketclip.export.coreml_reference import load_program

    program = load_program(_lower(TargetName.COREML, Precision.PALETTE4, tmp_path)).function.operations
    sizes: dict[str, list[int]] = {}
    for op in program:
        if op.op_type in ("conv", "linear"):
            weight = op.inputs["weight"]
            sizes.setdefault(weight.op.op_type, []).append(int(np.prod(weight.shape)))
    in_bytes = sizes["constexpr_blockwise_shift_scale"]
    assert sorted(in_bytes) == _sorted_sizes(kept=True)
    assert 128 * 384 in sizes["constexpr_lut_to_dense"]
