"""Small model files of the kinds that other people's packages hold: custom ops, branches, open sizes, functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = list[Any]


def branches(path: Path) -> Path:
    """An ONNX file whose weights, and an infinite mask in half precision, lie in the branches of an `If`.

    As silero-vad's, whose main graph is one `If`.
    """
    mask = np.full((4, 4), -np.inf, np.float16)
    then = helper.make_graph(
        [helper.make_node("Add", ["x", "mask"], ["inside"])],
        "then",
        [],
        [helper.make_tensor_value_info("inside", TensorProto.FLOAT16, [4, 4])],
        [numpy_helper.from_array(mask, "mask")],
    )
    otherwise = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["inside"])],
        "else",
        [],
        [helper.make_tensor_value_info("inside", TensorProto.FLOAT16, [4, 4])],
    )
    node = helper.make_node("If", ["which"], ["y"], name="choice", then_branch=then, else_branch=otherwise)
    inputs = [("x", TensorProto.FLOAT16, [4, 4]), ("which", TensorProto.BOOL, [])]
    return save_onnx(path, [node], inputs, [("y", TensorProto.FLOAT16, [4, 4])])


def weights_beside(path: Path, *, location: str = "m.data", data_bytes: int = 0) -> Path:
    """An ONNX file whose weights lie at `location`; with `data_bytes`, in a file with a hole of that size."""
    if data_bytes:
        with (path.parent / location).open("wb") as stream:
            stream.truncate(data_bytes)
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "64")):
        weights.external_data.add(key=key, value=value)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "beside",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def loop(path: Path) -> Path:
    """An ONNX file whose body of a `Loop` multiplies by weights."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["next"]),
            helper.make_node("Identity", ["on"], ["still_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 8]),
        ],
        [
            helper.make_tensor_value_info("still_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 8]),
        ],
        [numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")],
    )
    node = helper.make_node("Loop", ["times", "", "x"], ["y"], name="again", body=body)
    inputs = [("x", TensorProto.FLOAT, [1, 8]), ("times", TensorProto.INT32, [])]
    return save_onnx(path, [node], inputs, [("y", TensorProto.FLOAT, [1, 8])])


def local_function(path: Path, *, endless: bool = False) -> Path:
    """An ONNX file whose batch norm lies in a local function; with `endless`, one that calls itself."""
    inside = "Own" if endless else "BatchNormalization"
    names = ["x"] if endless else ["x", "s", "b", "m", "v"]
    function = helper.make_function(
        "own",
        "Own",
        ["x", "s", "b", "m", "v"],
        ["y"],
        [helper.make_node(inside, names, ["y"], name="inside", domain="own" if endless else "")],
        [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)],
    )
    graph = helper.make_graph(
        [helper.make_node("Own", ["x", "s", "b", "m", "v"], ["y"], domain="own")],
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 2, 2])],
        [numpy_helper.from_array(np.ones(4, np.float32), name) for name in "sbmv"],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=[function]), path)
    return path


def open_sizes(path: Path) -> Path:
    """An ONNX file as Paddle writes them: -1 for an open size."""
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    shape = [-1, 3, 8, 8]
    return save_onnx(path, nodes, [("x", TensorProto.FLOAT, shape)], [("y", TensorProto.FLOAT, shape)])


def unread_mask(path: Path) -> Path:
    """An ONNX file in half precision with an infinite mask that nothing reads."""
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    shape = [1, 4]
    mask = {"mask": np.full((4, 4), -np.inf, np.float16)}
    return save_onnx(path, nodes, [("x", TensorProto.FLOAT16, shape)], [("y", TensorProto.FLOAT16, shape)], mask)


def hostile_names(path: Path) -> Path:
    """An ONNX file whose names steer a terminal and look like findings of their own."""
    name = "x\x1b[2J\r\n  error PC999 all: is\u202e lost"
    nodes = [helper.make_node("Cast", [name], ["y"], to=TensorProto.INT32)]
    return save_onnx(path, nodes, [(name, TensorProto.INT64, [1, 4])], [("y", TensorProto.INT32, [1, 4])])


def save_onnx(
    path: Path,
    nodes: list[Any],
    inputs: list[tuple[str, int, Shape]],
    outputs: list[tuple[str, int, Shape]],
    constants: dict[str, np.ndarray] | None = None,
) -> Path:
    """Writes a model that nobody has checked."""
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info(*entry) for entry in inputs],
        [helper.make_tensor_value_info(*entry) for entry in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def custom_op(path: Path, *, name: bytes = b"Landmarks2TransformMatrix", mask: bool = False) -> Path:
    """A LiteRT file with an op that this computer's LiteRT does not have, as mediapipe's face mesh.

    With `mask`, half floats of negative infinity stand beside it and are read.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = name
    model.operatorCodes = [code]
    tensors = [_tensor(b"x", 0), _tensor(b"y", 0)]
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    if mask:
        buffer = schema.BufferT()
        buffer.data = list(np.full(4, -np.inf, np.float16).tobytes())
        model.buffers.append(buffer)
        tensors.append(_tensor(b"mask", 1, schema.TensorType.FLOAT16))
        operator.inputs = [0, 2]
    subgraph = schema.SubGraphT()
    subgraph.tensors, subgraph.operators = tensors, [operator]
    subgraph.inputs, subgraph.outputs, subgraph.name = [0], [1], b"main"
    model.subgraphs = [subgraph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(name: bytes, buffer: int, dtype: int = 0) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.buffer, tensor.type = name, buffer, dtype
    tensor.shape, tensor.hasRank = [1, 4], True
    return tensor


def package(path: Path) -> Path:
    """A Core ML package of one linear layer, with a key in its manifest that coremltools does not know."""
    import json

    import coremltools as ct
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import Function, Program, types

    weight = np.random.default_rng(0).normal(size=(8, 32)).astype(np.float16)
    with Function({"x": mb.placeholder(shape=(1, 32), dtype=types.fp16)}, ct.target.iOS16) as function:
        function.set_outputs([mb.linear(x=function.inputs["x"], weight=weight, name="y")])
    program = Program()
    program.add_function("main", function)
    model = ct.convert(program, minimum_deployment_target=ct.target.iOS16, skip_model_load=True)
    assert isinstance(model, ct.models.MLModel)
    model.save(str(path))
    manifest = path / "Manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "author": "somebody"}))
    return path


def delegate_file(path: Path) -> Path:
    """An ExecuTorch file whose graph is one call of the Core ML delegate."""
    import torch
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(0)
    program = torch.export.export(torch.nn.Linear(8, 4).eval(), (torch.zeros(1, 8),))
    lowered = to_edge_transform_and_lower(program, partitioner=[CoreMLPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)
    return path


def renamed_in_payload(path: Path, old: str, new: str, target: Path) -> Path:
    """The file with a name in its Core ML payload written as another of the same length."""
    assert len(old) == len(new)
    content = path.read_bytes()
    # The payload's index stands there backwards.
    reversed_old, reversed_new = (f'"{name}"'.encode()[::-1] for name in (old, new))
    assert content.count(reversed_old) == 2
    target.write_bytes(content.replace(reversed_old, reversed_new))
    return target
