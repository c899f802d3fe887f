"""What Snapdragon's NPU refuses: each entry of the table is asked of Qualcomm's compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pocketclip.export.errors import ConversionError
from pocketclip.export.lint.npu_rules import MOST_AXES, REFUSED
from pocketclip.export.npu import emulator
from pocketclip.export.npu.socs import SOCS
from pocketclip.export.precision import TargetName
from pocketclip.export.targets import probe

FLOAT = TensorProto.FLOAT
# Nodes from `x` to `y`, where one node without attributes does not do; and the input's shape.
GRAPHS = {
    "ConvInteger": (
        [
            ("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], {}),
            ("ConvInteger", ["q", "w", "z"], ["i"], {}),
            ("Cast", ["i"], ["y"], {"to": FLOAT}),
        ],
        [1, 2, 4, 4],
        {"w": np.ones((2, 2, 1, 1), np.int8)},
    ),
    "MatMulInteger": (
        [
            ("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], {}),
            ("MatMulInteger", ["q", "w", "z"], ["i"], {}),
            ("Cast", ["i"], ["y"], {"to": FLOAT}),
        ],
        [1, 8],
        {"w": np.ones((8, 8), np.int8)},
    ),
    "Det": ([("Det", ["x"], ["d"], {}), ("Mul", ["d", "x"], ["y"], {})], [1, 4, 4], {}),
    "Mod": ([("Mod", ["x", "two"], ["y"], {"fmod": 1})], [1, 8], {"two": np.float32(2)}),
    "Trilu": ([("Trilu", ["x"], ["y"], {})], [1, 8, 8], {}),
}

compiler = pytest.mark.skipif(
    not probe(TargetName.ONNX_QNN).available, reason=str(probe(TargetName.ONNX_QNN).reason or "available")
)


def save(path: Path, nodes: list, shape: list[int], constants: dict) -> Path:
    graph = helper.make_graph(
        [helper.make_node(kind, given, made, name=kind, **options) for kind, given, made, options in nodes],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_empty_tensor_value_info("y")],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    graph.output[0].type.tensor_type.elem_type = FLOAT
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


def graph_of(kind: str) -> tuple:
    return GRAPHS.get(kind, ([(kind, ["x"], ["y"], {})], [1, 4, 8, 8], {}))


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_op_is_found(kind: str, pocketclip, tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx", *graph_of(kind))
    result = pocketclip("lint", path, "--npu", "--ignore", "PC013")
    assert result.returncode == 1
    assert f"PC020 {kind} {kind}: the NPU does not take {kind}; it takes {REFUSED[kind]}" in " ".join(
        result.stdout.split()
    )
    assert "PC020" not in pocketclip("lint", path).stdout


@compiler
@pytest.mark.parametrize("kind", REFUSED)
def test_qualcomms_compiler_refuses_it(kind: str, tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx", *graph_of(kind))
    with pytest.raises(ConversionError, match=rf"takes nothing of it|leaves to the CPU: .*{kind}"):
        emulator.prepare(path, SOCS["SM8650"], tmp_path)


@compiler
def test_axes_are_counted_as_the_compiler_does(pocketclip, tmp_path: Path) -> None:
    for axes in (MOST_AXES, MOST_AXES + 1):
        order = [0, *range(axes - 1, 0, -1)]
        nodes = [("Transpose", ["x"], ["y"], {"perm": order})]
        path = save(tmp_path / f"{axes}.onnx", nodes, [1, *range(2, axes + 1)], {})
        refused = axes > MOST_AXES
        assert ("PC021" in pocketclip("lint", path, "--npu").stdout) == refused
        if refused:
            with pytest.raises(ConversionError):
                emulator.prepare(path, SOCS["SM8650"], tmp_path)
        else:
            emulator.prepare(path, SOCS["SM8650"], tmp_path)


def test_models_must_be_exported_first(pocketclip, error_line) -> None:
    result = pocketclip("lint", "pocketclip_nano", "--npu")
    assert result.returncode == 2
    assert "--npu is for model files" in error_line(result)


@compiler
@pytest.mark.parametrize(("rows", "kind"), [(50_000, np.uint8), (1_000_000, np.uint8), (260_000, np.uint16)])
def test_a_large_gather_by_int32_needs_no_rule(rows: int, kind: type, tmp_path: Path) -> None:
    """Vocabularies beyond 16 bits are looked up on the NPU, every row right."""
    table = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (rows, 16)).astype(kind)
    constants = {"table": table, "scale": np.float32(0.01), "zero": kind(3)}
    nodes = [
        ("DequantizeLinear", ["table", "scale", "zero"], ["floats"]),
        ("Gather", ["floats", "ids"], ["found"]),
        ("QuantizeLinear", ["found", "scale", "zero"], ["again"]),
        ("DequantizeLinear", ["again", "scale", "zero"], ["y"]),
    ]
    graph = helper.make_graph(
        [helper.make_node(*each) for each in nodes],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, 77])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 77, 16])],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.save(model, tmp_path / "model.onnx")
    context, _ = emulator.prepare(tmp_path / "model.onnx", SOCS["SM8650"], tmp_path)
    assert (context.graphs, context.on_cpu) == (1, 0)
    ids = np.linspace(0, rows - 1, 77).astype(np.int32)[None]
    session = emulator.EmulatedContext(tmp_path / context.file, "SM8650")
    (found,) = session.run([ids])
    session.close()
    np.testing.assert_allclose(found, (table[ids].astype(np.float64) - 3) * 0.01, atol=1e-3)
