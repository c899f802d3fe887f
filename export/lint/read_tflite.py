"""Reads a LiteRT file into the neutral graph; which ops XNNPACK takes is asked of the interpreter."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, in_part, typed, weight_of
from pocketclip.export.lint.op_kinds import kind_of
from pocketclip.export.targets.converter_noise import held_stderr
from pocketclip.models.errors import first_line

_IDENTIFIER = b"TFL3"
# Elements of these take their bits together, several to a byte: numpy has no name for them.
_PACKED = frozenset({"int4", "int2", "uint4"})
_BITS = {"int8": 8, "uint8": 8, "int16": 16, "int4": 4}
# What LiteRT says about ops that another build of it, or an application, may bring.
_UNKNOWN_OP = re.compile(r"unresolved custom op|Didn't find op|Select TensorFlow op", re.IGNORECASE)


def read_tflite(path: Path) -> Graph:
    """All subgraphs of a LiteRT model. Errors are flatbuffers' own.

    Raises:
        ArtifactCorruptError: it is not a LiteRT file, or LiteRT rejects it for a reason other than missing ops.
    """
    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise ArtifactCorruptError(f"{path} cannot be read: it is not a LiteRT file")
    asked = _ask_interpreter(path, content)
    # Generated classes: every field may be None by their annotations.
    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    if not model.subgraphs:
        raise ArtifactCorruptError(f"{path} cannot be read: it holds no graph")
    if asked.refusal and not _UNKNOWN_OP.search(asked.refusal) and not _has_free_input(model.subgraphs[0]):
        raise ArtifactCorruptError(f"{path} cannot be read: LiteRT rejects it: {asked.refusal}")
    reader = _Reader(model)
    labels = _labels(model)
    entries = _entries(model)
    for index, subgraph in enumerate(model.subgraphs):
        reader.add(subgraph, labels[index], asked.outside if index == 0 else None)
    return Graph(
        format=Format.TFLITE,
        inputs=reader.public(labels, entries, "inputs"),
        outputs=reader.public(labels, entries, "outputs"),
        ops=tuple(reader.ops),
        values=reader.values,
        weights=tuple(reader.weights),
        versions=_versions(model),
        parts=tuple(labels[index] for index in entries) if len(labels) > 1 else (),
        inner=tuple(label for index, label in enumerate(labels) if index not in entries),
        unseen=_unseen(model, labels, asked.refusal),
    )


@dataclass
class _Reader:
    """What has been read of the subgraphs so far."""

    model: Any
    values: dict[str, Value] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)

    def add(self, subgraph: Any, part: str, outside: set[int] | None) -> None:
        """Adds a subgraph; `outside` has the places of ops that the delegate leaves, None where nobody knows."""
        tensors = subgraph.tensors or []
        names = _names(subgraph, part)
        stored = {
            index: self.model.buffers[tensor.buffer].data
            for index, tensor in enumerate(tensors)
            if self.model.buffers[tensor.buffer].data is not None
        }
        ranked = _says_ranks(self.model)
        values = [_value(name, tensor, ranked) for name, tensor in zip(names, tensors, strict=True)]
        self.values |= {value.name: value for value in values}
        # The rows of stored weights in reduced precision pass through a DEQUANTIZE: what it gives is constant too.
        fixed, dequantized = set(stored), set[int]()
        read = {int(index) for index in _listed(subgraph.outputs)}
        for place, operator in enumerate(subgraph.operators or []):
            inputs = [int(index) for index in _listed(operator.inputs) if index >= 0]
            outputs = [int(index) for index in _listed(operator.outputs)]
            read.update(inputs)
            name = self._op_name(operator)
            kind = kind_of(name, constant_operand=any(index in fixed for index in inputs[:2]))
            if kind is OpKind.DEQUANTIZE and inputs:
                (fixed if inputs[0] in fixed else dequantized).update(outputs)
            scope = _scope(_text(tensors[outputs[0]].name)) if outputs else str(place)
            self.ops.append(
                Op(
                    name,
                    kind,
                    in_part(part, f"{name} at {scope}"),
                    tuple(names[index] for index in inputs),
                    tuple(names[index] for index in outputs),
                    delegated=None if outside is None else place not in outside,
                    activation_bits=_activation_bits([values[index].dtype for index in inputs]),
                    part=part,
                )
            )
        self.weights += [
            _weight(names[index], values[index].dtype, data, tensors[index].buffer, index in read)
            for index, data in stored.items()
        ]

    def public(self, labels: list[str], entries: list[int], side: str) -> tuple[Value, ...]:
        """Inputs or outputs of the subgraphs that an application calls."""
        found: list[Value] = []
        for index in entries:
            subgraph = self.model.subgraphs[index]
            names = _names(subgraph, labels[index])
            found += [self.values[names[int(each)]] for each in _listed(getattr(subgraph, side))]
        return tuple(found)

    def _op_name(self, operator: Any) -> str:
        code = self.model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        if number == schema.BuiltinOperator.CUSTOM and code.customCode:
            return _text(code.customCode)
        return _op_names().get(number, f"builtin op {number}")


@dataclass(frozen=True)
class _Asked:
    """Places of the first subgraph's ops that stay outside the delegate, or why the interpreter cannot tell."""

    outside: set[int] | None
    refusal: str = ""


def _ask_interpreter(path: Path, content: bytes) -> _Asked:
    try:
        with held_stderr(shown_if_failed=False):
            interpreter = Interpreter(model_content=content, num_threads=1)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return _Asked(None, first_line(error))
    return _Asked(_outside_delegate(interpreter))


def _outside_delegate(interpreter: Interpreter) -> set[int]:
    """Places of the ops that the interpreter would run itself, with the XNNPACK delegate that it applies by default.

    The interpreter lists the original ops first and its delegates' calls after them; what it runs is found from the
    outputs backwards, taking a delegate's call for a value wherever there is one.
    """
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


def _has_free_input(subgraph: Any) -> bool:
    """The interpreter may need to be told a size before it can plan anything."""
    return any(_value("", subgraph.tensors[int(index)], True).is_free for index in _listed(subgraph.inputs))


def _signatures(model: Any) -> dict[int, str]:
    """The keys of signatures, by the subgraph that each calls."""
    found: dict[int, str] = {}
    for signature in model.signatureDefs or []:
        found.setdefault(int(signature.subgraphIndex), _text(signature.signatureKey))
    return found


def _entries(model: Any) -> list[int]:
    """The subgraphs that an application calls: by a signature, or the first. Others are branches and bodies of ops."""
    return sorted({0, *(index for index in _signatures(model) if index < len(model.subgraphs))})


def _labels(model: Any) -> list[str]:
    """A name for each of several subgraphs, each another; empty for a single one."""
    if len(model.subgraphs) == 1:
        return [""]
    labels: list[str] = []
    signatures = _signatures(model)
    for index, subgraph in enumerate(model.subgraphs):
        label = signatures.get(index) or _text(subgraph.name) or f"subgraph {index}"
        labels.append(label if label not in labels else f"{label} {index}")
    return labels


def _unseen(model: Any, labels: list[str], refusal: str) -> tuple[str, ...]:
    found: list[str] = []
    if refusal:
        found.append(f"which ops the XNNPACK delegate takes: LiteRT on this computer cannot load the file ({refusal})")
    elif len(labels) > 1:
        others = ", ".join(labels[1:4]) + (", ..." if len(labels) > 4 else "")
        found.append(f"which ops the XNNPACK delegate takes in {others}: LiteRT tells of {labels[0]} alone")
    custom = [_text(code.customCode) for code in model.operatorCodes or [] if code.customCode]
    if custom:
        listed = ", ".join(custom[:3]) + (", ..." if len(custom) > 3 else "")
        found.append(f"what custom ops compute: {listed}")
    return tuple(found)


def _activation_bits(dtypes: list[str]) -> int | None:
    """Integer inputs are quantised before; float inputs beside integer weights are quantised by the kernel itself."""
    if not dtypes:
        return None
    if dtypes[0] in _BITS:
        return _BITS[dtypes[0]]
    hybrid = len(dtypes) > 1 and dtypes[0] == "float32" and dtypes[1] in ("int8", "int4")
    return 8 if hybrid else None


def _names(subgraph: Any, part: str) -> list[str]:
    return [in_part(part, f"{index} {_text(tensor.name)}") for index, tensor in enumerate(subgraph.tensors or [])]


def _says_ranks(model: Any) -> bool:
    """Whether the file's converter tells a scalar from a tensor without shape: those before 2023 do not."""
    return any(tensor.hasRank for subgraph in model.subgraphs for tensor in subgraph.tensors or [])


def _value(name: str, tensor: Any, ranked: bool) -> Value:
    signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    dtype = _type_names().get(tensor.type, f"type {tensor.type}")
    if signature is None or len(signature) == 0:
        return Value(name, dtype, () if tensor.hasRank or not ranked else None)
    return Value(name, dtype, tuple(None if size < 0 else int(size) for size in signature))


def _weight(name: str, dtype: str, data: Any, buffer: int, read: bool) -> Weight:
    raw = np.asarray(data, np.uint8)
    values = raw if dtype in _PACKED else typed(raw, dtype)
    return weight_of(name, values, dtype=dtype, place=f"buffer {buffer}", read=read)


def _versions(model: Any) -> dict[str, str]:
    entries = {_text(entry.name): model.buffers[entry.buffer].data for entry in model.metadata or []}
    stamped = entries.get("min_runtime_version")
    return {} if stamped is None else {"runtime": bytes(bytearray(stamped)).rstrip(b"\0").decode(errors="replace")}


def _scope(name: str) -> str:
    """The module path in a tensor's name, in which each part is a class and the module's name, joined by `_`."""
    scope = min((part for part in name.split(";") if "/" in part), key=len, default="")
    parts = [part.rpartition(".")[2].partition("_")[2] for part in scope.split("/")[1:]]
    return ".".join(parts) or name


def _listed(indices: Any) -> Any:
    return () if indices is None else indices


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
