"""Reads an ONNX file into the neutral graph: the main graph, the graphs inside its nodes, and its local functions."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, in_part, weight_of
from pocketclip.export.lint.onnx_functions import inlined
from pocketclip.export.lint.onnx_types import Types, dtype_name, infer_types, inner_graphs, value_of
from pocketclip.export.lint.op_kinds import kind_of

# Of ONNX itself and of ONNX Runtime.
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
_INTEGER_OPS = frozenset({"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"})
_SIXTEEN_BITS = frozenset({onnx.TensorProto.UINT16, onnx.TensorProto.INT16})
# Where a body's inputs begin to be those of its node: a loop counts and asks first.
_BODY_INPUTS = {"Loop": 2, "Scan": 0}
_CONSTANT_LISTS = ("value_float", "value_floats", "value_int", "value_ints")


def read_onnx(path: Path) -> Graph:
    """All graphs of an ONNX model; weights in files beside it are read too. Errors are onnx's own.

    Raises:
        ArtifactCorruptError: it holds no graph that could give anything.
    """
    model = onnx.load(path)
    _check_meaning(path, model)
    whole = inlined(model)
    types = infer_types(whole.model)
    reader = _Reader(types)
    graph = whole.model.graph
    names: MutableMapping[str, str] = {}
    outputs = reader.add_graph(graph, names, (), "")
    initial = {tensor.name for tensor in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    unseen = [*whole.unseen, *types.unseen]
    # A local function that could not be inlined is told of there.
    own = {f"{function.domain}.{function.name}" for function in model.functions}
    if custom := [name for name in reader.custom if name not in own]:
        unseen.append(f"what custom ops compute: {', '.join(custom[:3])}{', ...' if len(custom) > 3 else ''}")
    if model.training_info:
        unseen.append(f"training_info: {len(model.training_info)} graphs that take no part in inference")
    return Graph(
        format=Format.ONNX,
        inputs=tuple(reader.values[info.name] for info in graph.input if info.name not in initial),
        outputs=tuple(reader.values.get(name, Value(name, "unknown", None)) for name in outputs),
        ops=tuple(reader.ops),
        values=reader.values,
        weights=reader.weights(outputs),
        versions={"ir": str(model.ir_version), **_opsets(model)},
        inner=tuple(reader.inner),
        unseen=tuple(unseen),
    )


def _check_meaning(path: Path, model: Any) -> None:
    """Protobuf takes any bytes for a message, the empty file above all."""
    if not model.HasField("graph"):
        raise ArtifactCorruptError(f"{path} cannot be read: it holds no ONNX graph")
    if not model.graph.output:
        raise ArtifactCorruptError(f"{path} cannot be read: its graph has no outputs")
    # Opsets were named from version 3 of the format on.
    if model.ir_version < 1 or (model.ir_version >= 3 and not model.opset_import):
        raise ArtifactCorruptError(f"{path} cannot be read: it does not state its ONNX version")


def _opsets(model: Any) -> dict[str, str]:
    return {f"opset {entry.domain or 'ai.onnx'}": str(entry.version) for entry in model.opset_import}


@dataclass
class _Reader:
    """What has been read so far. Names of inner graphs are told apart by the nodes that they lie in."""

    types: Types
    values: dict[str, Value] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    # Stored weights pass through a `DequantizeLinear` of their own: what it gives is constant too.
    fixed: set[str] = field(default_factory=set)
    # Other values that were integers, with their bits.
    dequantized: dict[str, int] = field(default_factory=dict[str, int])
    stored: dict[str, Any] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    inner: list[str] = field(default_factory=list)
    custom: dict[str, None] = field(default_factory=dict[str, None])

    def add_graph(
        self, graph: Any, names: MutableMapping[str, str], place: tuple[str, ...], part: str
    ) -> tuple[str, ...]:
        """Adds a graph's ops; the unique names of its outputs. `names` has those that are visible from outside."""
        typed = self.types.at(place)
        for info in graph.input:
            self._define(info.name, names, part, typed)
        for tensor in graph.initializer:
            self._store(tensor.name, tensor, names, part, typed)
        for sparse in graph.sparse_initializer:
            self._store(sparse.values.name, sparse.values, names, part, typed)
        for number, node in enumerate(graph.node):
            constant = _constant(node)
            if constant is not None and node.output:
                self._store(node.output[0], constant, names, part, typed)
            else:
                self._add_node(number, node, names, place, part, typed)
        return tuple(names.get(info.name, in_part(part, info.name)) for info in graph.output)

    def weights(self, outputs: tuple[str, ...]) -> tuple[Weight, ...]:
        read = self.read | set(outputs)
        return tuple(_weight(name, tensor, name in read) for name, tensor in self.stored.items())

    def _define(self, name: str, names: MutableMapping[str, str], part: str, typed: Mapping[str, Any]) -> str:
        unique = in_part(part, name)
        names[name] = unique
        if name in typed:
            self.values[unique] = value_of(unique, typed[name])
        return unique

    def _store(
        self, name: str, tensor: Any, names: MutableMapping[str, str], part: str, typed: Mapping[str, Any]
    ) -> None:
        unique = self._define(name, names, part, typed)
        self.stored[unique] = tensor
        self.fixed.add(unique)

    def _add_node(
        self,
        number: int,
        node: Any,
        names: MutableMapping[str, str],
        place: tuple[str, ...],
        part: str,
        typed: Mapping[str, Any],
    ) -> None:
        if node.domain not in _KNOWN_DOMAINS:
            self.custom[f"{node.domain}.{node.op_type}"] = None
        label = node.name or next(iter(node.output), "") or str(number)
        inputs = [names.get(name, in_part(part, name)) for name in node.input if name]
        inner: list[str] = []
        for key, graph in inner_graphs(node):
            inside = in_part(part, f"{node.op_type} {label} {key}")
            self.inner.append(inside)
            self._feed(node, graph, names, part, inside)
            # Names of the outer graph are visible; what the inner one defines stays inside.
            inner += self.add_graph(graph, ChainMap({}, names), (*place, f"{number}.{key}"), inside)
        outputs = tuple(self._define(name, names, part, typed) for name in node.output if name)
        kind = kind_of(node.op_type, constant_operand=any(name in self.fixed for name in inputs[:2]))
        if kind is OpKind.DEQUANTIZE and inputs:
            if inputs[0] in self.fixed:
                self.fixed.update(outputs)
            else:
                self.dequantized.update(dict.fromkeys(outputs, self._integer_bits(inputs)))
        bits = 8 if node.op_type in _INTEGER_OPS else self.dequantized.get(inputs[0]) if inputs else None
        self.read.update(inputs, inner)
        self.ops.append(
            Op(
                node.op_type,
                kind,
                in_part(part, f"{node.op_type} {label}"),
                # What a branch or body ends with is what its node gives.
                (*inputs, *inner),
                outputs,
                activation_bits=bits,
            )
        )

    def _integer_bits(self, inputs: Sequence[str]) -> int:
        """Of what a node dequantises, by the type of its zero point."""
        zero = self.stored.get(inputs[2]) if len(inputs) > 2 else None
        return 16 if zero is not None and zero.data_type in _SIXTEEN_BITS else 8

    def _feed(self, node: Any, graph: Any, names: Mapping[str, str], part: str, inside: str) -> None:
        """Ties the inputs of a loop's body to those of its node."""
        first = _BODY_INPUTS.get(node.op_type)
        if first is None:
            return
        for name, info in zip(node.input[first:], graph.input[first:], strict=False):
            if name:
                outer = names.get(name, in_part(part, name))
                self.read.add(outer)
                where = in_part(inside, f"input {info.name}")
                self.ops.append(Op(node.op_type, OpKind.SHAPE, where, (outer,), (in_part(inside, info.name),)))


def _constant(node: Any) -> Any:
    """The tensor of a `Constant` node; None for other nodes and for texts."""
    if node.op_type != "Constant":
        return None
    for attribute in node.attribute:
        if attribute.HasField("t"):
            return attribute.t
        if attribute.HasField("sparse_tensor"):
            return attribute.sparse_tensor.values
        if attribute.name in _CONSTANT_LISTS:
            return numpy_helper.from_array(np.asarray(onnx.helper.get_attribute_value(attribute)))
    return None


def _weight(name: str, tensor: Any, read: bool) -> Weight:
    dtype = dtype_name(tensor.data_type)
    if tensor.data_type == onnx.TensorProto.STRING:
        texts = np.frombuffer(b"\0".join(tensor.string_data), np.uint8)
        return weight_of(name, texts, dtype=dtype, read=read)
    return weight_of(name, numpy_helper.to_array(tensor), dtype=dtype, unpacked=True, read=read)
