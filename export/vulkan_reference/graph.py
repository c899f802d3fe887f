"""The graph that an ExecuTorch program hands to Vulkan, parsed into types that hold only what it may hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from executorch.backends.vulkan.serialization.vulkan_graph_schema import (
    Bool,
    BoolList,
    Double,
    DoubleList,
    Int,
    IntList,
    Null,
    String,
    ValueList,
    VkBytes,
    VkDataType,
    VkGraph,
    VkTensor,
)
from executorch.backends.vulkan.serialization.vulkan_graph_serialize import (
    VulkanDelegateHeader,
    extract_vk_flatbuffer,
    flatbuffer_to_vk_graph,
)
from executorch.exir._serialize._program import PTEFile, deserialize_pte_binary
from executorch.exir.schema import DelegateCall

from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.program_data import named_data
from pocketclip.models.errors import first_line

BACKEND = "VulkanBackend"

_DTYPES: dict[VkDataType, np.dtype[Any]] = {
    VkDataType.BOOL: np.dtype(np.bool_),
    VkDataType.UINT8: np.dtype(np.uint8),
    VkDataType.INT8: np.dtype(np.int8),
    VkDataType.INT32: np.dtype(np.int32),
    VkDataType.FLOAT16: np.dtype(np.float16),
    VkDataType.FLOAT32: np.dtype(np.float32),
    VkDataType.FLOAT64: np.dtype(np.float64),
    VkDataType.INT64: np.dtype(np.int64),
}
Scalar = None | bool | int | float | str | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]


class VulkanFault(ValueError):
    """What is wrong with a graph, in words that complete "the Vulkan delegate's graph ..."."""


@dataclass(frozen=True)
class TensorValue:
    """A tensor: `dtype` is what the GPU stores, `staging` what the host gives or takes; `data` is that of a constant.

    `place` says where a constant's bytes lie in the file.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    staging: np.dtype[Any]
    data: np.ndarray | None = None
    place: str = ""


@dataclass(frozen=True)
class TensorList:
    """Several tensors as one argument or result, by their places in the graph's values."""

    items: tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """An argument that is no tensor."""

    value: Scalar


Value = TensorValue | TensorList | Constant


@dataclass(frozen=True)
class Call:
    """A call of an op by its name, e.g. `aten.mm.default`: places of the arguments, in the schema's order; the last one
    is the result's."""

    op: str
    arguments: tuple[int, ...]
    result: int


@dataclass(frozen=True)
class VulkanGraph:
    """Calls in the order in which they run; inputs, outputs and arguments are places in `values`."""

    values: tuple[Value, ...]
    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def tensor(self, place: int) -> TensorValue:
        """The tensor at a place that is known to have one."""
        value = self.values[place]
        assert isinstance(value, TensorValue)
        return value

    def tensors(self, places: tuple[int, ...]) -> Iterator[int]:
        """The places of the tensors among `places`, those in lists too."""
        for place in places:
            value = self.values[place]
            if isinstance(value, TensorValue):
                yield place
            elif isinstance(value, TensorList):
                yield from value.items


def read_program(path: Path) -> VulkanGraph:
    """The graph of a `.pte` whose one method is one call of the Vulkan delegate.

    Raises:
        ArtifactCorruptError: the file cannot be read, does something outside that call, or holds a graph that is not
            whole.
    """
    try:
        file = deserialize_pte_binary(path.read_bytes())
        payload = _payload(file)
        return parse_graph(payload, named_data(file))
    except OSError:
        raise
    except VulkanFault as fault:
        raise ArtifactCorruptError(f"{path}: the Vulkan delegate's graph {fault}") from None
    except Exception as error:
        # flatbuffers, struct and json raise whatever a damaged file leads them to.
        raise ArtifactCorruptError(f"{path} cannot be read: {first_line(error)}") from error


def parse_graph(payload: bytes, named: Mapping[str, bytes]) -> VulkanGraph:
    """The graph in a delegate's payload. Beside `VulkanFault`, errors of a damaged payload are ExecuTorch's own.

    Args:
        payload: as the `.pte` stores it.
        named: constants that the `.pte` itself stores, by their keys.
    """
    content = flatbuffer_to_vk_graph(extract_vk_flatbuffer(payload))
    header = VulkanDelegateHeader.from_bytes(payload[: VulkanDelegateHeader.EXPECTED_LENGTH])
    read = _Reader(content, payload[header.bytes_offset :], named)
    return read.graph()


def _payload(file: PTEFile) -> bytes:
    plans = file.program.execution_plan
    calls = [entry.instr_args for plan in plans for chain in plan.chains for entry in chain.instructions]
    if len(plans) != 1 or len(calls) != 1 or not isinstance(calls[0], DelegateCall):
        raise VulkanFault(f"is one of {len(calls)} calls in {len(plans)} methods; one call in one method is expected")
    delegate = plans[0].delegates[calls[0].delegate_index]
    if delegate.id != BACKEND:
        raise VulkanFault(f"is missing: the program calls {delegate.id!r}")
    return bytes(file.program.backend_delegate_data[delegate.processed.index].data)


class _Reader:
    def __init__(self, content: VkGraph, inline: bytes, named: Mapping[str, bytes]) -> None:
        self._content, self._inline, self._named = content, inline, named
        self._count = len(content.values)

    def graph(self) -> VulkanGraph:
        content = self._content
        values = tuple(self._value(place, entry.value) for place, entry in enumerate(content.values))
        calls = []
        for call in content.chain:
            if not call.args:
                raise VulkanFault(f"calls {call.name!r} without a result")
            *arguments, result = self._places(call.args)
            if isinstance(values[result], Constant):
                raise VulkanFault(f"lets {call.name!r} write value {result}, which is no tensor")
            calls.append(Call(call.name, tuple(arguments), result))
        public = [self._places(ids) for ids in (content.input_ids, content.output_ids)]
        for place in (*public[0], *public[1]):
            if not isinstance(values[place], TensorValue):
                raise VulkanFault(f"gives or takes value {place}, which is no tensor")
        return VulkanGraph(values, tuple(calls), *public)

    def _value(self, place: int, value: object) -> Value:
        match value:
            case VkTensor():
                return self._tensor(place, value)
            case ValueList():
                items = self._places(value.items)
                if not all(isinstance(self._content.values[item].value, VkTensor) for item in items):
                    raise VulkanFault(f"has a list of something else than tensors, value {place}")
                return TensorList(items)
            case Null():
                return Constant(None)
            case Int():
                return Constant(value.int_val)
            case Bool():
                return Constant(value.bool_val)
            case Double():
                return Constant(value.double_val)
            case String():
                return Constant(value.string_val)
            case IntList() | BoolList() | DoubleList():
                return Constant(tuple(value.items))
            case _:
                raise VulkanFault(f"has a value of type {type(value).__name__}, which no tower needs")

    def _tensor(self, place: int, tensor: VkTensor) -> TensorValue:
        if tensor.datatype not in _DTYPES or min(tensor.dims, default=0) < 0:
            raise VulkanFault(f"has value {place} of {tensor.datatype!r} {tensor.dims}")
        dtype, shape = _DTYPES[tensor.datatype], tuple(tensor.dims)
        staging = _DTYPES.get(tensor.staging_datatype, dtype)
        if tensor.constant_id < 0:
            return TensorValue(dtype, shape, staging)
        if tensor.constant_id >= len(self._content.constants):
            raise VulkanFault(f"has no constant {tensor.constant_id}")
        stored, where = self._stored(self._content.constants[tensor.constant_id], place)
        needed = math.prod(shape) * dtype.itemsize
        if len(stored) < needed:
            raise VulkanFault(f"stores {len(stored)} bytes for value {place}, which has {needed}")
        return TensorValue(dtype, shape, staging, np.frombuffer(stored[:needed], dtype).reshape(shape), where)

    def _stored(self, where: VkBytes, place: int) -> tuple[bytes, str]:
        if not where.named_key:
            return self._inline[where.offset : where.offset + where.length], f"value {place} inline"
        if where.named_key not in self._named:
            raise VulkanFault(f"refers to data that the file does not have: {where.named_key!r}")
        return self._named[where.named_key], f"named {where.named_key}"

    def _places(self, ids: list[int]) -> tuple[int, ...]:
        if wrong := [each for each in ids if not 0 <= each < self._count]:
            raise VulkanFault(f"refers to value {wrong[0]} of {self._count}")
        return tuple(ids)
