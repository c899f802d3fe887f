"""Tiny LiteRT files, some hundred bytes each: what the Android app's LiteRT module must take, and refuse."""

from __future__ import annotations

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

_SIDES = [1, 2, 3]
_KEY = b"serving_default"


def litert_models() -> dict[str, bytes]:
    """By name: those called after a type, `without_signature` and `second_graph` give their input as float32.

    `second_graph` has a signature of its second graph alone, whose input is int32; that of the first is uint8. `int64`
    and the rest do not fit.
    """
    kinds = schema.TensorType
    taken = {"float32": kinds.FLOAT32, "int32": kinds.INT32, "uint8": kinds.UINT8}
    models = {name: _file([_graph([kind])]) for name, kind in taken.items()}
    models["without_signature"] = _file([_graph([kinds.INT32])], signature_of=None)
    models["second_graph"] = _file([_graph([kinds.UINT8]), _graph([kinds.INT32])], signature_of=1)
    models["int64"] = _file([_graph([kinds.INT64])])
    models["int8_output"] = _file([_graph([kinds.FLOAT32], gives=kinds.INT8)])
    models["two_inputs"] = _file([_graph([kinds.FLOAT32, kinds.FLOAT32])])
    models["two_outputs"] = _file([_graph([kinds.FLOAT32], outputs=2)])
    return models


def _file(graphs: list[Any], signature_of: int | None = 0) -> bytes:
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
    model.operatorCodes = [code]
    model.subgraphs = graphs
    if signature_of is not None:
        graph = graphs[signature_of]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = _KEY, signature_of
        signature.inputs = [_named(graph, place) for place in graph.inputs]
        signature.outputs = [_named(graph, place) for place in graph.outputs]
        model.signatureDefs = [signature]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _graph(takes: list[int], gives: int = schema.TensorType.FLOAT32, outputs: int = 1) -> Any:
    """Each output is the first input, cast."""
    graph = schema.SubGraphT()
    kinds = [*takes, *[gives] * outputs]
    graph.tensors = [_tensor(f"tensor_{place}".encode(), kind) for place, kind in enumerate(kinds)]
    graph.inputs = list(range(len(takes)))
    graph.outputs = list(range(len(takes), len(kinds)))
    graph.operators = [_cast(place) for place in graph.outputs]
    graph.name = b"main"
    return graph


def _tensor(name: bytes, kind: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.buffer, tensor.hasRank = name, kind, _SIDES, 0, True
    return tensor


def _cast(output: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [output]
    return operator


def _named(graph: Any, place: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = graph.tensors[place].name, place
    return entry
