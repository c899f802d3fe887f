"""Reads a Core AI asset into the neutral graph."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from pocketclip.export.coreai.asset_report import STORED_FORMS
from pocketclip.export.coreai.program import AssetProgram, Constant, Function, TensorValue, read_program
from pocketclip.export.lint.graph import Format, Graph, Op, OpKind, Value, Weight, in_part, weight_of
from pocketclip.export.lint.op_kinds import kind_of

# They read weights beside what is computed; of the others, constants are axes, shapes and factors.
_WEIGHTED = frozenset({"batch_matmul", "conv2d", "conv3d"})


def read_coreai(path: Path) -> Graph:
    """All functions of an `.aimodel`, `main` first, and the composites that they invoke.

    Raises:
        ArtifactError: as `read_program`.
    """
    return graph_of(read_program(path))


def graph_of(program: AssetProgram) -> Graph:
    """The neutral graph of a program that was read."""
    public = program.public
    inputs: list[Value] = []
    outputs: list[Value] = []
    ops: list[Op] = []
    values: dict[str, Value] = {}
    weights: list[Weight] = []
    for function in program.functions:
        part = function.name if function.private or len(public) > 1 else ""
        if not function.private:
            inputs += [_value(value, part) for value in function.inputs]
            outputs += [_value(value, part) for value in function.outputs]
        ops += _ops(function, part)
        named = [*function.inputs, *(each.value for each in function.constants), *function.outputs]
        named += [value for op in function.ops for value in op.outputs]
        values |= {value.name: value for value in (_value(each, part) for each in named)}
        weights += _weights(function, part)
    return Graph(
        format=Format.COREAI,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        ops=tuple(ops),
        values=values,
        weights=tuple(weights),
        versions={"format": program.facts.format, "producer": program.facts.producer},
        parts=tuple(each.name for each in public) if len(public) > 1 else (),
        inner=tuple(each.name for each in program.functions if each.private),
        unseen=tuple(f"what {op} of {each.name} runs inside" for each in program.functions for op in each.closed),
    )


def _ops(function: Function, part: str) -> list[Op]:
    fixed = {each.value.name for each in function.constants}
    rounded: set[str] = set()
    found: list[Op] = []
    for op in function.ops:
        names = [value.name for value in op.inputs]
        given = [value.name for value in op.outputs]
        if op.name in STORED_FORMS and names and all(name in fixed for name in names):
            # A weight on its way to the op that reads it.
            fixed.update(given)
            continue
        is_stored = op.name in _WEIGHTED and len(names) > 1 and names[1] in fixed
        kind = kind_of(op.name, constant_operand=is_stored)
        if kind is OpKind.DEQUANTIZE:
            rounded.update(given)
        found.append(
            Op(
                op.name,
                kind,
                in_part(part, f"{op.name} {op.number}"),
                tuple(in_part(part, name) for name in names),
                tuple(in_part(part, name) for name in given),
                activation_bits=8 if names and names[0] in rounded else None,
                part=part,
            )
        )
    return found


def _weights(function: Function, part: str) -> list[Weight]:
    read = {value.name for op in function.ops for value in op.inputs}
    return [_weight(constant, part, is_read=constant.value.name in read) for constant in function.constants]


def _weight(constant: Constant, part: str, *, is_read: bool) -> Weight:
    name = in_part(part, constant.value.name)
    if constant.content.dtype.name == constant.value.dtype:
        made = weight_of(name, constant.content, place=name, read=is_read)
        return replace(made, size_bytes=constant.size_bytes)
    digest = hashlib.sha256(constant.content.tobytes()).hexdigest()
    return Weight(name, constant.value.dtype, constant.size_bytes, name, digest, None, is_read)


def _value(value: TensorValue, part: str) -> Value:
    return Value(in_part(part, value.name), value.dtype, value.shape)
