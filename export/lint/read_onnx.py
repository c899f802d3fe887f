"""Reads an ONNX file into the neutral graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, weight_of
from export.lint.op_kinds import kind_of

# Shape inference reads small constants (axes, shapes); large ones are only copied by it.
_SMALL = 1024
_INTEGER_OPS = frozenset({"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"})


def read_onnx(path: Path) -> Graph:
    """The main graph of an ONNX model; weights in files beside it are read too. Errors are onnx's own."""
    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            constants[node.output[0]] = node.attribute[0].t
    values = {info.name: _value(info) for info in _typed(model)}
    # Stored weights pass through a `DequantizeLinear` of their own: what it gives is constant too.
    fixed = set(constants)
    dequantized: set[str] = set()
    ops: list[Op] = []
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        names = [name for name in node.input if name]
        kind = kind_of(node.op_type, constant_operand=any(name in fixed for name in names[:2]))
        if kind is OpKind.DEQUANTIZE:
            (fixed if names[0] in fixed else dequantized).update(node.output)
        narrow = node.op_type in _INTEGER_OPS or (bool(names) and names[0] in dequantized)
        where = f"{node.op_type} {node.name or node.output[0]}"
        ops.append(
            Op(node.op_type, kind, where, tuple(names), tuple(node.output), activation_bits=8 if narrow else None)
        )
    public = [info.name for info in graph.input if info.name not in constants]
    versions = {f"opset {entry.domain or 'ai.onnx'}": str(entry.version) for entry in model.opset_import}
    return Graph(
        format=Format.ONNX,
        inputs=tuple(values[name] for name in public),
        outputs=tuple(values[info.name] for info in graph.output),
        ops=tuple(ops),
        values=values,
        weights=tuple(_weight(name, tensor) for name, tensor in constants.items()),
        versions={"ir": str(model.ir_version), **versions},
    )


def _typed(model: Any) -> list[Any]:
    """Types of all values, inferred on a copy that holds no large weights."""
    slim = onnx.ModelProto(ir_version=max(model.ir_version, 4), opset_import=model.opset_import)
    slim.graph.name = model.graph.name or "graph"
    slim.graph.node.extend(model.graph.node)
    slim.graph.input.extend(model.graph.input)
    slim.graph.output.extend(model.graph.output)
    slim.graph.value_info.extend(model.graph.value_info)
    given = {info.name for info in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.ByteSize() <= _SMALL:
            slim.graph.initializer.append(tensor)
        elif tensor.name not in given:
            slim.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    inferred = onnx.shape_inference.infer_shapes(slim).graph
    return [*inferred.value_info, *inferred.input, *inferred.output]


def _value(info: Any) -> Value:
    tensor = info.type.tensor_type
    sizes = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    return Value(info.name, _dtype(tensor.elem_type), sizes)


def _dtype(element: int) -> str:
    name = onnx.TensorProto.DataType.Name(element).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _weight(name: str, tensor: Any) -> Weight:
    return weight_of(name, numpy_helper.to_array(tensor), dtype=_dtype(tensor.data_type), unpacked=True)
