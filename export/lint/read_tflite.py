"""Reads a LiteRT file into the neutral graph; which ops XNNPACK takes is asked of the interpreter."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from export.converter_noise import held_stderr
from export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, weight_of
from export.lint.op_kinds import kind_of

# Elements of these take their bits together, several to a byte: numpy has no name for them.
_PACKED = frozenset({"int4", "int2", "uint4"})
_BITS = {"int8": 8, "uint8": 8, "int16": 16, "int4": 4}


def read_tflite(path: Path) -> Graph:
    """The first subgraph of a LiteRT model. Errors are flatbuffers' and the interpreter's own."""
    content = path.read_bytes()
    # Generated classes: every field may be None by their annotations.
    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    subgraph = model.subgraphs[0]
    names = [f"{index} {_text(tensor.name)}" for index, tensor in enumerate(subgraph.tensors)]
    stored = {
        index: model.buffers[tensor.buffer].data
        for index, tensor in enumerate(subgraph.tensors)
        if model.buffers[tensor.buffer].data is not None
    }
    values = {name: _value(name, tensor) for name, tensor in zip(names, subgraph.tensors, strict=True)}
    outside = _outside_delegate(content)
    # The rows of stored weights in reduced precision pass through a DEQUANTIZE: what it gives is constant too.
    fixed, dequantized = set(stored), set[int]()
    ops: list[Op] = []
    for place, operator in enumerate(subgraph.operators):
        inputs = [int(index) for index in operator.inputs if index >= 0]
        outputs = [int(index) for index in operator.outputs]
        code = model.operatorCodes[operator.opcodeIndex]
        name = _op_names()[max(code.builtinCode, code.deprecatedBuiltinCode)]
        kind = kind_of(name, constant_operand=any(index in fixed for index in inputs[:2]))
        if kind is OpKind.DEQUANTIZE:
            (fixed if inputs[0] in fixed else dequantized).update(outputs)
        ops.append(
            Op(
                name,
                kind,
                f"{name} at {_scope(names[outputs[0]])}",
                tuple(names[index] for index in inputs),
                tuple(names[index] for index in outputs),
                delegated=place not in outside,
                activation_bits=_activation_bits([values[names[index]].dtype for index in inputs]),
            )
        )
    return Graph(
        format=Format.TFLITE,
        inputs=tuple(values[names[index]] for index in subgraph.inputs),
        outputs=tuple(values[names[index]] for index in subgraph.outputs),
        ops=tuple(ops),
        values=values,
        weights=tuple(
            _weight(names[index], values[names[index]].dtype, data, subgraph.tensors[index].buffer)
            for index, data in stored.items()
        ),
        versions=_versions(model),
    )


def _outside_delegate(content: bytes) -> set[int]:
    """Places of the ops that the interpreter would run itself, with the XNNPACK delegate that it applies by default.

    The interpreter lists the original ops first and its delegates' calls after them; what it runs is found from the
    outputs backwards, taking a delegate's call for a value wherever there is one.
    """
    with held_stderr():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()
    producer = {int(index): node for node in nodes for index in node["outputs"]}
    producer |= {int(index): node for node in nodes if node["op_name"] == "DELEGATE" for index in node["outputs"]}
    outside: set[int] = set()
    seen: set[int] = set()
    pending = [int(detail["index"]) for detail in interpreter.get_output_details()]
    while pending:
        index = pending.pop()
        node = producer.get(index)
        if node is None or index in seen:
            continue
        seen.add(index)
        if node["op_name"] != "DELEGATE":
            outside.add(int(node["index"]))
        pending += [int(each) for each in node["inputs"] if each >= 0]
    return outside


def _activation_bits(dtypes: list[str]) -> int | None:
    """Integer inputs are quantised before; float inputs beside integer weights are quantised by the kernel itself."""
    if not dtypes:
        return None
    if dtypes[0] in _BITS:
        return _BITS[dtypes[0]]
    hybrid = len(dtypes) > 1 and dtypes[0] == "float32" and dtypes[1] in ("int8", "int4")
    return 8 if hybrid else None


def _value(name: str, tensor: Any) -> Value:
    signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    sizes = () if signature is None else tuple(None if size < 0 else int(size) for size in signature)
    return Value(name, _type_names()[tensor.type], sizes)


def _weight(name: str, dtype: str, data: Any, buffer: int) -> Weight:
    raw = np.asarray(data, np.uint8)
    plain = dtype not in _PACKED and dtype in np.sctypeDict
    return weight_of(name, raw.view(dtype) if plain else raw, dtype=dtype, place=f"buffer {buffer}")


def _versions(model: Any) -> dict[str, str]:
    entries = {_text(entry.name): model.buffers[entry.buffer].data for entry in model.metadata or []}
    stamped = entries.get("min_runtime_version")
    return {} if stamped is None else {"runtime": bytes(bytearray(stamped)).rstrip(b"\0").decode(errors="replace")}


def _scope(name: str) -> str:
    """The module path in a tensor's name, in which each part is a class and the module's name, joined by `_`."""
    scope = min((part for part in name.split(";") if "/" in part), key=len, default="")
    parts = [part.rpartition(".")[2].partition("_")[2] for part in scope.split("/")[1:]]
    return ".".join(parts) or name.partition(" ")[2]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


@functools.cache
def _op_names() -> dict[int, str]:
    return _constants(schema.BuiltinOperator)


@functools.cache
def _type_names() -> dict[int, str]:
    return {number: name.lower() for number, name in _constants(schema.TensorType).items()}


def _constants(kind: type) -> dict[int, str]:
    return {number: name for name, number in vars(kind).items() if isinstance(number, int)}
