"""Types of the values of an ONNX model, by onnx's own shape inference, in the main graph and in inner ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from pocketclip.export.lint.graph import Value
from pocketclip.models.errors import first_line

# Shape inference reads small constants (axes, shapes); large ones are only copied by it.
_SMALL = 1024
# Deeper graphs are no model.
MOST_DEPTH = 32

Place = tuple[str, ...]


@dataclass(frozen=True)
class Types:
    """Declared and inferred types by name, for each graph by its place: node and attribute of each one around it."""

    by_place: Mapping[Place, Mapping[str, Any]]
    unseen: tuple[str, ...] = ()

    def at(self, place: Place) -> Mapping[str, Any]:
        """The types of one graph's values."""
        return self.by_place.get(place, {})


def infer_types(model: Any) -> Types:
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
    unseen: tuple[str, ...] = ()
    try:
        slim = onnx.shape_inference.infer_shapes(slim)
    except Exception as error:
        # What the file declares itself is still known.
        unseen = (f"sizes that the file does not declare: onnx cannot infer them ({first_line(error)})",)
    found: dict[Place, dict[str, Any]] = {}
    _collect(slim.graph, (), found)
    return Types(found, unseen)


def _collect(graph: Any, place: Place, found: dict[Place, dict[str, Any]]) -> None:
    found[place] = {info.name: info for info in (*graph.value_info, *graph.input, *graph.output)}
    if len(place) >= MOST_DEPTH:
        return
    for number, node in enumerate(graph.node):
        for key, inner in inner_graphs(node):
            _collect(inner, (*place, f"{number}.{key}"), found)


def inner_graphs(node: Any) -> Iterator[tuple[str, Any]]:
    """The graphs that a node holds: branches of an `If`, bodies of a `Loop` or `Scan`, of custom ops too."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        for place, graph in enumerate(attribute.graphs):
            yield f"{attribute.name} {place}", graph


def value_of(name: str, info: Any) -> Value:
    """A value by its declaration. What declares no shape has none, unlike a scalar, whose shape is empty."""
    kind = info.type.WhichOneof("value")
    if kind not in ("tensor_type", "sparse_tensor_type"):
        # Sequences, maps and optional values have no shape; without a type nothing is known.
        return Value(name, "unknown" if kind is None else kind.removesuffix("_type"), None)
    tensor = getattr(info.type, kind)
    shape = None
    if tensor.HasField("shape"):
        # Some converters write -1 for an open size.
        sizes = (size.dim_value if size.HasField("dim_value") else -1 for size in tensor.shape.dim)
        shape = tuple(None if size < 0 else size for size in sizes)
    return Value(name, dtype_name(tensor.elem_type), shape)


def dtype_name(element: int) -> str:
    """numpy's name of an element type where it has one."""
    try:
        name = onnx.TensorProto.DataType.Name(element).lower()
    except ValueError:
        return f"type {element}"
    return {"float": "float32", "double": "float64"}.get(name, name)
