"""Reads an ExecuTorch file into the neutral graph, with the insides of the XNNPACK, Vulkan and Core ML delegates."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from executorch.exir._serialize._program import PTEFile, deserialize_pte_binary
from executorch.exir.schema import (
    DelegateCall,
    Double,
    ExecutionPlan,
    KernelCall,
    Tensor,
    TensorDataLocation,
    TensorShapeDynamism,
)

from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.lint.graph import Format, Graph, Op, Value, Weight, in_part, typed, weight_of
from pocketclip.export.lint.op_kinds import kind_of
from pocketclip.export.lint.read_xnnpack import DelegateGraph, read_xnnpack
from pocketclip.export.program_data import named_data

_XNNPACK = "XnnpackBackend"
_COREML = "CoreMLBackend"
_VULKAN = "VulkanBackend"
_EXTERNAL = TensorDataLocation.EXTERNAL
_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16", "BFLOAT16": "bfloat16", "INT": "int32"}
_DTYPES |= {"LONG": "int64", "CHAR": "int8", "BYTE": "uint8", "SHORT": "int16", "BOOL": "bool"}


def read_executorch(path: Path) -> Graph:
    """All methods of a `.pte`. Errors are ExecuTorch's own.

    Raises:
        ArtifactCorruptError: it holds no method, or its Core ML delegate's program cannot be read.
    """
    file = deserialize_pte_binary(path.read_bytes())
    plans = file.program.execution_plan
    if not plans:
        raise ArtifactCorruptError(f"{path} cannot be read: it holds no method")
    labels = [plan.name or str(number) for number, plan in enumerate(plans)] if len(plans) > 1 else [""]
    methods = [_Method(path, file, plan, label) for plan, label in zip(plans, labels, strict=True)]
    inside = _read_delegates(methods)
    for method in methods:
        method.add_calls(inside)
    return Graph(
        format=Format.EXECUTORCH,
        inputs=tuple(value for method in methods for value in method.public(method.plan.inputs)),
        outputs=tuple(value for method in methods for value in method.public(method.plan.outputs)),
        ops=tuple(op for method in methods for op in method.ops),
        values={name: value for method in methods for name, value in method.values.items()},
        weights=tuple(weight for method in methods for weight in method.weights),
        versions={"program": str(file.program.version)},
        opaque=tuple(backend for method in methods for backend in method.opaque),
        parts=tuple(labels) if len(plans) > 1 else (),
        unseen=tuple(reason for method in methods for reason in method.unseen()),
    )


@dataclass
class _Method:
    """One method, and what has been read of it."""

    path: Path
    file: PTEFile
    plan: ExecutionPlan
    part: str
    values: dict[str, Value] = field(default_factory=dict)
    weights: list[Weight] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)
    external: int = 0

    def __post_init__(self) -> None:
        for index, value in enumerate(self.plan.values):
            if isinstance(value.val, Tensor):
                self.values[self.name(index)] = _value(self.name(index), value.val)
        self.weights += self._constants()

    @property
    def calls(self) -> list[Any]:
        """The arguments of all instructions, in order."""
        return [entry.instr_args for chain in self.plan.chains for entry in chain.instructions]

    def name(self, index: int) -> str:
        return in_part(self.part, f"value {index}")

    def public(self, indices: list[int]) -> list[Value]:
        """The tensors among a method's inputs or outputs."""
        return [self.values[self.name(index)] for index in indices if self.name(index) in self.values]

    def unseen(self) -> list[str]:
        found = [f"the inside of delegate {backend}" for backend in dict.fromkeys(self.opaque)]
        if self.external:
            found.append(f"{self.external} weights that lie in another file (.ptd)")
        return [in_part(self.part, words) for words in found]

    def add_calls(self, inside: dict[int, DelegateGraph]) -> None:
        """Adds the ops of all calls; `inside` has the insides of delegates by the call's `id`."""
        for call in self.calls:
            if isinstance(call, KernelCall):
                self._add_kernel(call)
            elif isinstance(call, DelegateCall):
                names = [self.name(index) for index in call.args]
                delegate = inside.get(id(call))
                if delegate is None:
                    backend = self.plan.delegates[call.delegate_index].id
                    self.opaque.append(backend)
                    where = in_part(self.part, f"delegate {backend}")
                    op = Op(backend, kind_of(backend), where, tuple(names), tuple(names[-1:]), True, part=self.part)
                    self.ops.append(op)
                else:
                    self._add_delegate(delegate, names)

    def _add_kernel(self, call: KernelCall) -> None:
        operator = self.plan.operators[call.op_index]
        name = f"{operator.name}.{operator.overload}" if operator.overload else operator.name
        tensors = [index for index in call.args if isinstance(self.plan.values[index].val, Tensor)]
        stored = [index for index in tensors if _is_stored(self.plan.values[index].val)]
        # An out-variant kernel is given the tensor that it writes, as its last arguments.
        written = tensors[-1:]
        inputs = tuple(dict.fromkeys(self.name(index) for index in tensors if index not in written))
        for index in call.args:
            scalar = self.plan.values[index].val
            if isinstance(scalar, Double):
                number = np.float64(scalar.double_val)
                self.weights.append(weight_of(f"a scalar of {name}", number, place=self.name(index)))
        kind = kind_of(name, constant_operand=bool(set(stored) & set(tensors[:3])))
        outputs = tuple(self.name(index) for index in written)
        where = in_part(self.part, f"{name} (value {written[0] if written else '?'})")
        self.ops.append(Op(name, kind, where, inputs, outputs, False, part=self.part))

    def _add_delegate(self, inside: DelegateGraph, arguments: list[str]) -> None:
        """Puts a delegate's ops in place of its call: its public values get the names of the call's arguments."""
        renamed = dict(zip(inside.public, arguments, strict=False))
        names = {name: renamed.get(name, in_part(self.part, name)) for name in inside.values}
        for name, value in inside.values.items():
            self.values.setdefault(names[name], Value(names[name], value.dtype, value.shape))
        self.weights += inside.weights
        for op in inside.ops:
            inputs = tuple(names.get(name, name) for name in op.inputs)
            outputs = tuple(names.get(name, name) for name in op.outputs)
            where = in_part(self.part, op.where)
            self.ops.append(Op(op.name, op.kind, where, inputs, outputs, True, op.activation_bits, self.part))

    def _constants(self) -> list[Weight]:
        """Constants of kernels outside delegates, each by the first value that reads it."""
        found: dict[int, Weight] = {}
        read = {index for call in self.calls for index in getattr(call, "args", ())} | set(self.plan.outputs)
        for index, value in enumerate(self.plan.values):
            tensor = value.val
            if not isinstance(tensor, Tensor):
                continue
            if tensor.extra_tensor_info is not None and tensor.extra_tensor_info.location is _EXTERNAL:
                self.external += 1
            elif _is_stored(tensor) and tensor.data_buffer_idx not in found:
                raw = np.frombuffer(bytes(self.file.program.constant_buffer[tensor.data_buffer_idx].storage), np.uint8)
                dtype = _dtype(tensor)
                count = int(np.prod(tensor.sizes, dtype=np.int64))
                values = typed(raw, dtype)
                # Up to the next constant's start: padding follows the values.
                values = values[:count] if values is not raw else raw
                place = f"constant {tensor.data_buffer_idx}"
                weight = weight_of(self.name(index), values, dtype=dtype, place=place, read=index in read)
                found[tensor.data_buffer_idx] = weight
        return list(found.values())


def _read_delegates(methods: list[_Method]) -> dict[int, DelegateGraph]:
    """What is inside each delegate call, by its `id`; calls of delegates that cannot be read are left out."""
    xnnpack: dict[int, bytes] = {}
    vulkan: dict[int, bytes] = {}
    found: dict[int, DelegateGraph] = {}
    for method in methods:
        for call in method.calls:
            if not isinstance(call, DelegateCall):
                continue
            delegate = method.plan.delegates[call.delegate_index]
            payload = bytes(method.file.program.backend_delegate_data[delegate.processed.index].data)
            if delegate.id == _XNNPACK:
                xnnpack[id(call)] = payload
            elif delegate.id == _VULKAN:
                vulkan[id(call)] = payload
            elif delegate.id == _COREML:
                found[id(call)] = _read_coreml_delegate(payload, method.path)
    named = named_data(methods[0].file) if xnnpack or vulkan else {}
    if xnnpack:
        found |= dict(zip(xnnpack, read_xnnpack(list(xnnpack.values()), named), strict=True))
    if vulkan:
        from pocketclip.export.lint.read_vulkan import read_vulkan

        found |= {call: read_vulkan(payload, named, number) for number, (call, payload) in enumerate(vulkan.items())}
    return found


def _read_coreml_delegate(payload: bytes, path: Path) -> DelegateGraph:
    from pocketclip.export.lint.read_coreml import read_coreml
    from pocketclip.export.targets.executorch_coreml import unpack_payload

    with tempfile.TemporaryDirectory() as scratch:
        graph = read_coreml(unpack_payload(payload, Path(scratch), path))
    public = [value.name for value in (*graph.inputs, *graph.outputs)]
    return DelegateGraph(graph.ops, graph.values, list(graph.weights), public)


def _is_stored(tensor: Any) -> bool:
    return tensor.data_buffer_idx > 0 and tensor.allocation_info is None


def _value(name: str, tensor: Tensor) -> Value:
    fixed = tensor.shape_dynamism is TensorShapeDynamism.STATIC
    return Value(name, _dtype(tensor), tuple(size if fixed else None for size in tensor.sizes))


def _dtype(tensor: Tensor) -> str:
    name = tensor.scalar_type.name
    return _DTYPES.get(name, name.lower())
