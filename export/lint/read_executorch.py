"""Reads an ExecuTorch file into the neutral graph, with the insides of the XNNPACK and Core ML delegates."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from executorch.exir._serialize._program import PTEFile, deserialize_pte_binary
from executorch.exir.schema import DelegateCall, Double, ExecutionPlan, KernelCall, Tensor, TensorShapeDynamism

from export.lint.graph import Format, Graph, Op, Value, Weight, weight_of
from export.lint.op_kinds import kind_of
from export.lint.read_xnnpack import DelegateGraph, read_xnnpack

_XNNPACK = "XnnpackBackend"
_COREML = "CoreMLBackend"
_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16", "BFLOAT16": "bfloat16", "INT": "int32"}
_DTYPES |= {"LONG": "int64", "CHAR": "int8", "BYTE": "uint8", "SHORT": "int16", "BOOL": "bool"}


@dataclass
class _Parts:
    """What has been read of a program so far."""

    values: dict[str, Value]
    weights: list[Weight]
    ops: list[Op] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)


def read_executorch(path: Path) -> Graph:
    """The method `forward` of a `.pte`. Errors are ExecuTorch's own."""
    file = deserialize_pte_binary(path.read_bytes())
    plan = file.program.execution_plan[0]
    parts = _Parts(
        values={
            _name(index): _value(index, value.val)
            for index, value in enumerate(plan.values)
            if isinstance(value.val, Tensor)
        },
        weights=_constants(plan, file),
    )
    calls = [entry.instr_args for chain in plan.chains for entry in chain.instructions]
    delegates = _delegates(plan, file, calls, path)
    for number, call in enumerate(calls):
        if isinstance(call, KernelCall):
            _add_kernel(parts, plan, call)
        elif isinstance(call, DelegateCall):
            inside = delegates.get(number)
            if inside is None:
                backend = plan.delegates[call.delegate_index].id
                parts.opaque.append(backend)
                names = tuple(_name(index) for index in call.args)
                parts.ops.append(Op(backend, kind_of(backend), f"delegate {backend}", names, names[-1:], True))
            else:
                _add_delegate(parts, inside, [_name(index) for index in call.args])
    return Graph(
        format=Format.EXECUTORCH,
        inputs=tuple(parts.values[_name(index)] for index in plan.inputs if _name(index) in parts.values),
        outputs=tuple(parts.values[_name(index)] for index in plan.outputs if _name(index) in parts.values),
        ops=tuple(parts.ops),
        values=parts.values,
        weights=tuple(parts.weights),
        versions={"program": str(file.program.version)},
        opaque=tuple(parts.opaque),
    )


def _add_kernel(parts: _Parts, plan: ExecutionPlan, call: KernelCall) -> None:
    operator = plan.operators[call.op_index]
    name = f"{operator.name}.{operator.overload}" if operator.overload else operator.name
    tensors = [index for index in call.args if isinstance(plan.values[index].val, Tensor)]
    stored = [index for index in tensors if _is_stored(plan.values[index].val)]
    # An out-variant kernel is given the tensor that it writes, as its last arguments.
    written = tensors[-1:]
    inputs = tuple(dict.fromkeys(_name(index) for index in tensors if index not in written))
    for index in call.args:
        scalar = plan.values[index].val
        if isinstance(scalar, Double):
            parts.weights.append(weight_of(f"a scalar of {name}", np.float64(scalar.double_val), place=_name(index)))
    kind = kind_of(name, constant_operand=bool(set(stored) & set(tensors[:3])))
    outputs = tuple(_name(index) for index in written)
    parts.ops.append(Op(name, kind, f"{name} (value {written[0] if written else '?'})", inputs, outputs, False))


def _add_delegate(parts: _Parts, inside: DelegateGraph, arguments: list[str]) -> None:
    """Puts a delegate's ops in place of its call: its public values get the names of the call's arguments."""
    renamed = dict(zip(inside.public, arguments, strict=False))
    names = {name: renamed.get(name, name) for name in inside.values}
    for name, value in inside.values.items():
        parts.values.setdefault(names[name], Value(names[name], value.dtype, value.shape))
    parts.weights += inside.weights
    for op in inside.ops:
        inputs = tuple(names.get(name, name) for name in op.inputs)
        outputs = tuple(names.get(name, name) for name in op.outputs)
        parts.ops.append(Op(op.name, op.kind, op.where, inputs, outputs, True, op.activation_bits))


def _delegates(plan: ExecutionPlan, file: PTEFile, calls: list[Any], path: Path) -> dict[int, DelegateGraph]:
    """What is inside each delegate call, by the call's number; calls of delegates that cannot be read are left out."""
    xnnpack: dict[int, bytes] = {}
    found: dict[int, DelegateGraph] = {}
    for number, call in enumerate(calls):
        if not isinstance(call, DelegateCall):
            continue
        delegate = plan.delegates[call.delegate_index]
        if delegate.id == _XNNPACK:
            xnnpack[number] = bytes(file.program.backend_delegate_data[delegate.processed.index].data)
        elif delegate.id == _COREML:
            found[number] = _read_coreml_delegate(path)
    found |= dict(zip(xnnpack, read_xnnpack(list(xnnpack.values()), _named(file)), strict=True))
    return found


def _read_coreml_delegate(path: Path) -> DelegateGraph:
    from export.lint.read_coreml import read_coreml
    from export.targets.executorch_coreml import unpack_delegate

    with tempfile.TemporaryDirectory() as scratch:
        graph = read_coreml(unpack_delegate(path, Path(scratch)))
    public = [value.name for value in (*graph.inputs, *graph.outputs)]
    return DelegateGraph(graph.ops, graph.values, list(graph.weights), public)


def _constants(plan: ExecutionPlan, file: PTEFile) -> list[Weight]:
    """Constants of kernels outside delegates, each by the first value that reads it."""
    found: dict[int, Weight] = {}
    for index, value in enumerate(plan.values):
        tensor = value.val
        if isinstance(tensor, Tensor) and _is_stored(tensor) and tensor.data_buffer_idx not in found:
            raw = np.frombuffer(bytes(file.program.constant_buffer[tensor.data_buffer_idx].storage), np.uint8)
            dtype = _dtype(tensor)
            count = int(np.prod(tensor.sizes, dtype=np.int64))
            # Up to the next constant's start: padding follows the values.
            values = (
                raw.view(dtype)[:count] if dtype in np.sctypeDict and raw.size % np.dtype(dtype).itemsize == 0 else raw
            )
            place = f"constant {tensor.data_buffer_idx}"
            found[tensor.data_buffer_idx] = weight_of(_name(index), values, dtype=dtype, place=place)
    return list(found.values())


def _named(file: PTEFile) -> dict[str, bytes]:
    """What the file stores for its delegates, by key."""
    if file.named_data is None:
        return {}
    buffers = file.named_data.buffers
    return {key: bytes(buffers[entry.buffer_index]) for key, entry in file.named_data.pte_data.items()}


def _is_stored(tensor: Any) -> bool:
    return tensor.data_buffer_idx > 0 and tensor.allocation_info is None


def _value(index: int, tensor: Tensor) -> Value:
    fixed = tensor.shape_dynamism is TensorShapeDynamism.STATIC
    return Value(_name(index), _dtype(tensor), tuple(size if fixed else None for size in tensor.sizes))


def _dtype(tensor: Tensor) -> str:
    name = tensor.scalar_type.name
    return _DTYPES.get(name, name.lower())


def _name(index: int) -> str:
    return f"value {index}"
