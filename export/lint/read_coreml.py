"""Reads a Core ML package into the neutral graph."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from coremltools.proto import MIL_pb2

from pocketclip.export.coreml_reference.ops_constexpr import CONSTEXPR_OPS
from pocketclip.export.coreml_reference.package import Package, open_package
from pocketclip.export.coreml_reference.program import Program, ValueSpec, known_shape, load_functions, operations_of
from pocketclip.export.coreml_reference.storage import storage_name
from pocketclip.export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, in_part, typed, weight_of
from pocketclip.export.lint.op_kinds import kind_of

_WEIGHT_FILE = "weight.bin"
# What stands in front of a stored tensor: a mark, the element type, its bytes, and where they begin.
_BLOB = struct.Struct("<IIQQ")
# Constants below this may be no blobs; as duplicates they are not worth a word.
_SMALL = 4096
# The inputs that hold numbers to compute with; the others are axes, strides, scales.
_FACTORS = ("x", "y", "weight", "input")
_DTYPES = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}


def read_coreml(package: Path) -> Graph:
    """All functions of a saved `.mlpackage`, the one that runs by default first.

    Raises:
        ArtifactError: as `load_program`.
    """
    opened = open_package(package)
    programs = load_functions(opened)
    reader = _Reader()
    for program in programs:
        reader.add(program, program.name if len(programs) > 1 else "")
    return Graph(
        format=Format.COREML,
        inputs=tuple(reader.inputs),
        outputs=tuple(reader.outputs),
        ops=tuple(reader.ops),
        values=reader.values,
        weights=(*_blobs(opened, reader.read), *reader.scalars),
        versions={"specification": str(programs[0].specification)},
        parts=tuple(program.name for program in programs) if len(programs) > 1 else (),
    )


@dataclass
class _Reader:
    """What has been read of the functions so far. `read` has the names of all constants that an op reads."""

    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    scalars: list[Weight] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    def add(self, program: Program, part: str) -> None:
        """Adds a function, with the branches and bodies inside its ops."""
        self.inputs += [_public(spec, part) for spec in program.inputs]
        self.outputs += [_public(spec, part) for spec in program.outputs]
        # Stored weights pass through ops that dequantise them: what those give is constant too.
        fixed: set[str] = set()
        dequantized: set[str] = set()
        self.values |= {
            value.name: value for value in (_value(each, part) for each in program.function.inputs.values())
        }
        self.read.update(variable.name for variable in program.function.outputs)
        for op in program.operations:
            outputs = tuple(in_part(part, variable.name) for variable in op.outputs)
            self.values |= {value.name: value for value in (_value(each, part) for each in op.outputs)}
            if op.op_type == "const":
                fixed.update(outputs)
                self.scalars += _scalars(op, part)
                continue
            given = [(name, variable) for name, value in op.inputs.items() for variable in _variables(value)]
            self.read.update(variable.name for _, variable in given)
            if op.op_type in CONSTEXPR_OPS:
                fixed.update(outputs)
                continue
            factors = [in_part(part, variable.name) for name, variable in given if name in _FACTORS]
            kind = kind_of(op.op_type, constant_operand=any(name in fixed for name in factors))
            if kind is OpKind.DEQUANTIZE and factors:
                (fixed if factors[0] in fixed else dequantized).update(outputs)
            inner = [in_part(part, variable.name) for block in op.blocks for variable in block.outputs]
            self.read.update(variable.name for block in op.blocks for variable in block.outputs)
            self.ops.append(
                Op(
                    op.op_type,
                    kind,
                    in_part(part, f"{op.op_type} {op.name}"),
                    # What a branch or body ends with is what its op gives.
                    (*(in_part(part, variable.name) for _, variable in given), *inner),
                    outputs,
                    activation_bits=8 if any(name in dequantized for name in factors) else None,
                    part=part,
                )
            )


def _blobs(package: Package, read: set[str]) -> list[Weight]:
    """What the weight file holds, each by the first op that reads it: the loaded program no longer tells places."""
    path = package.weights / _WEIGHT_FILE
    content = path.read_bytes() if path.is_file() else b""
    found: dict[int, Weight] = {}
    for op in operations_of(package.specification.mlProgram):
        for name, owner, value in _stored_values(op):
            offset = value.blobFileValue.offset
            if offset not in found:
                dtype = MIL_pb2.DataType.Name(value.type.tensorType.dataType).lower()
                _, _, size, start = _BLOB.unpack_from(content, offset)
                values = typed(np.frombuffer(content, np.uint8, size, start), dtype)
                is_read = owner in read or op.type != "const"
                found[offset] = weight_of(name, values, dtype=dtype, place=f"offset {offset}", read=is_read)
    return list(found.values())


def _stored_values(op: Any) -> Iterator[tuple[str, str, Any]]:
    """The values of an op that lie in the weight file: a constant's own, or the parts of a compressed one.

    Each with its name and the name of what the op gives.
    """
    output = op.outputs[0].name if op.outputs else ""
    own = ((output, value) for value in op.attributes.values())
    parts = (
        (f"{name} of {output}", argument.value)
        for name, arguments in op.inputs.items()
        for argument in arguments.arguments
        if argument.WhichOneof("binding") == "value"
    )
    for name, value in (*own, *parts):
        if value.WhichOneof("value") == "blobFileValue":
            yield name, output, value


def _scalars(op: Any, part: str) -> list[Weight]:
    """A small constant of numbers, which may lie in the program itself; names, modes and flags are none."""
    variable = op.outputs[0]
    array = np.asarray(variable.val)
    if array.dtype.kind not in "fiu" or array.nbytes >= _SMALL:
        return []
    is_read = bool(variable.child_ops) or bool(variable.consuming_blocks)
    return [weight_of(in_part(part, variable.name), array, dtype=_dtype(variable), unpacked=True, read=is_read)]


def _variables(value: Any) -> list[Any]:
    listed = value if isinstance(value, (tuple, list)) else (value,)
    return [variable for variable in listed if variable is not None and hasattr(variable, "op")]


def _public(spec: ValueSpec, part: str) -> Value:
    return Value(in_part(part, spec.name), spec.dtype.name, spec.shape, spec.allowed)


def _value(variable: Any, part: str) -> Value:
    shape = known_shape(variable) if hasattr(variable, "shape") else ()
    return Value(in_part(part, variable.name), _dtype(variable), shape)


def _dtype(variable: Any) -> str:
    name = storage_name(variable)
    return _DTYPES.get(name, name)
