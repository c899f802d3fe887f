"""Reads a Core ML package into the neutral graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coremltools
import numpy as np

from export.coreml_reference.ops_constexpr import CONSTEXPR_OPS
from export.coreml_reference.program import known_shape, load_program
from export.coreml_reference.storage import storage_name
from export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, weight_of
from export.lint.op_kinds import kind_of

# The inputs that hold numbers to compute with; the others are axes, strides, scales.
_FACTORS = ("x", "y", "weight", "input")
_DTYPES = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}


def read_coreml(package: Path) -> Graph:
    """The main function of a saved `.mlpackage`.

    Raises:
        ArtifactError: as `load_program`.
    """
    program = load_program(package)
    places = _blob_places(package)
    values: dict[str, Value] = {}
    weights: list[Weight] = []
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
            weight = _weight(op, places)
            if weight is not None:
                weights.append(weight)
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


def _blob_places(package: Path) -> dict[str, str]:
    """Where in the weight file each constant lies; the loaded program no longer says so."""
    spec: Any = coremltools.utils.load_spec(str(package))
    places: dict[str, str] = {}
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            for op in block.operations:
                stored = op.attributes["val"].blobFileValue if "val" in op.attributes else None
                if stored is not None and stored.fileName:
                    places[op.outputs[0].name] = f"{stored.fileName} at {stored.offset}"
    return places


def _weight(op: Any, places: dict[str, str]) -> Weight | None:
    """A constant of numbers; names, modes and flags are none."""
    variable = op.outputs[0]
    array = np.asarray(variable.val)
    if array.dtype.kind not in "fiu":
        return None
    return weight_of(variable.name, array, dtype=_dtype(variable), place=places.get(variable.name, ""), unpacked=True)


def _variables(value: Any) -> list[Any]:
    listed = value if isinstance(value, (tuple, list)) else (value,)
    return [variable for variable in listed if variable is not None and hasattr(variable, "op")]


def _value(variable: Any) -> Value:
    shape = known_shape(variable) if hasattr(variable, "shape") else ()
    return Value(variable.name, _dtype(variable), shape)


def _dtype(variable: Any) -> str:
    name = storage_name(variable)
    return _DTYPES.get(name, name)
