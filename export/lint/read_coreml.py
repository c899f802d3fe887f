"""Reads a Core ML package into the neutral graph."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
from coremltools.proto import MIL_pb2

from export.coreml_reference.ops_constexpr import CONSTEXPR_OPS
from export.coreml_reference.program import known_shape, load_program
from export.coreml_reference.storage import storage_name
from export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, weight_of
from export.lint.op_kinds import kind_of

_WEIGHT_FILE = Path("Data/com.apple.CoreML/weights/weight.bin")
# What stands in front of a stored tensor: a mark, the element type, its bytes, and where they begin.
_BLOB = struct.Struct("<IIQQ")
# Constants below this may be no blobs; as duplicates they are not worth a word.
_SMALL = 4096
# The inputs that hold numbers to compute with; the others are axes, strides, scales.
_FACTORS = ("x", "y", "weight", "input")
_DTYPES = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}


def read_coreml(package: Path) -> Graph:
    """The main function of a saved `.mlpackage`.

    Raises:
        ArtifactError: as `load_program`.
    """
    program = load_program(package)
    values: dict[str, Value] = {}
    weights = _blobs(package)
    ops: list[Op] = []
    fixed: set[str] = set()
    dequantized: set[str] = set()
    for variable in program.function.inputs.values():
        values[variable.name] = _value(variable)
    for op in program.function.operations:
        given = [(name, variable) for name, value in op.inputs.items() for variable in _variables(value)]
        outputs = tuple(variable.name for variable in op.outputs)
        values |= {variable.name: _value(variable) for variable in op.outputs}
        if op.op_type == "const":
            fixed.update(outputs)
            scalar = _scalar(op)
            if scalar is not None:
                weights.append(scalar)
            continue
        if op.op_type in CONSTEXPR_OPS:
            fixed.update(outputs)
            continue
        factors = [variable.name for name, variable in given if name in _FACTORS]
        kind = kind_of(op.op_type, constant_operand=any(name in fixed for name in factors))
        if kind is OpKind.DEQUANTIZE:
            (fixed if factors[0] in fixed else dequantized).update(outputs)
        narrow = any(name in dequantized for name in factors)
        inputs = tuple(variable.name for _, variable in given)
        ops.append(
            Op(op.op_type, kind, f"{op.op_type} {op.name}", inputs, outputs, activation_bits=8 if narrow else None)
        )
    return Graph(
        format=Format.COREML,
        inputs=tuple(Value(spec.name, spec.dtype.name, spec.shape) for spec in program.inputs),
        outputs=tuple(Value(spec.name, spec.dtype.name, spec.shape) for spec in program.outputs),
        ops=tuple(ops),
        values=values,
        weights=tuple(weights),
        versions={"specification": str(program.specification)},
    )


def _blobs(package: Path) -> list[Weight]:
    """What the weight file holds, each by the first op that reads it: the loaded program no longer tells places."""
    spec: Any = coremltools.utils.load_spec(str(package))
    content = (package / _WEIGHT_FILE).read_bytes() if (package / _WEIGHT_FILE).is_file() else b""
    found: dict[int, Weight] = {}
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            for op in block.operations:
                for name, value in _stored_values(op):
                    offset = value.blobFileValue.offset
                    if offset not in found:
                        dtype = MIL_pb2.DataType.Name(value.type.tensorType.dataType).lower()
                        _, _, size, start = _BLOB.unpack_from(content, offset)
                        raw = np.frombuffer(content, np.uint8, size, start)
                        values = raw.view(dtype) if dtype in np.sctypeDict else raw
                        found[offset] = weight_of(name, values, dtype=dtype, place=f"offset {offset}")
    return list(found.values())


def _stored_values(op: Any) -> Iterator[tuple[str, Any]]:
    """The values of an op that lie in the weight file: a constant's own, or the parts of a compressed one."""
    own = ((op.outputs[0].name, value) for value in op.attributes.values())
    parts = (
        (f"{name} of {op.outputs[0].name}", argument.value)
        for name, arguments in op.inputs.items()
        for argument in arguments.arguments
        if argument.WhichOneof("binding") == "value"
    )
    for name, value in (*own, *parts):
        if value.WhichOneof("value") == "blobFileValue":
            yield name, value


def _scalar(op: Any) -> Weight | None:
    """A small constant of numbers, which may lie in the program itself; names, modes and flags are none."""
    variable = op.outputs[0]
    array = np.asarray(variable.val)
    if array.dtype.kind not in "fiu" or array.nbytes >= _SMALL:
        return None
    return weight_of(variable.name, array, dtype=_dtype(variable), unpacked=True)


def _variables(value: Any) -> list[Any]:
    listed = value if isinstance(value, (tuple, list)) else (value,)
    return [variable for variable in listed if variable is not None and hasattr(variable, "op")]


def _value(variable: Any) -> Value:
    shape = known_shape(variable) if hasattr(variable, "shape") else ()
    return Value(variable.name, _dtype(variable), shape)


def _dtype(variable: Any) -> str:
    name = storage_name(variable)
    return _DTYPES.get(name, name)
