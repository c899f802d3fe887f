"""Reads what ExecuTorch hands to Vulkan: the graph inside a delegate's payload, by ExecuTorch's own classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from executorch.backends.vulkan.serialization.vulkan_graph_schema import (
    OperatorCall,
    ValueList,
    VkBytes,
    VkGraph,
    VkTensor,
)
from executorch.backends.vulkan.serialization.vulkan_graph_serialize import (
    VulkanDelegateHeader,
    extract_vk_flatbuffer,
    flatbuffer_to_vk_graph,
)

from pocketclip.export.lint.graph import Op, Value, Weight, typed, weight_of
from pocketclip.export.lint.op_kinds import kind_of
from pocketclip.export.lint.read_xnnpack import DelegateGraph

# It copies a constant into the processor's own layout: what it gives is as constant as what it takes.
_PREPACK = "et_vk.prepack.default"


def read_vulkan(payload: bytes, named: Mapping[str, bytes], number: int) -> DelegateGraph:
    """The graph in a payload. Errors are ExecuTorch's own.

    Args:
        payload: as the `.pte` stores it.
        named: constants that the `.pte` itself stores, by their keys.
        number: tells the values of several delegates apart.
    """
    return _Reader(payload, named, f"delegate {number}").graph()


class _Reader:
    def __init__(self, payload: bytes, named: Mapping[str, bytes], prefix: str) -> None:
        self._payload, self._named, self._prefix = payload, named, prefix
        self._content: VkGraph = flatbuffer_to_vk_graph(extract_vk_flatbuffer(payload))
        self._values: list[Any] = [entry.value for entry in self._content.values]

    def graph(self) -> DelegateGraph:
        content = self._content
        values: dict[str, Value] = {}
        weights: list[Weight] = []
        constant: set[int] = set()
        for index, value in enumerate(self._values):
            if isinstance(value, VkTensor):
                name = self._name(index)
                values[name] = Value(name, value.datatype.name.lower(), tuple(value.dims))
                if value.constant_id >= 0:
                    constant.add(index)
                    weights.append(self._weight(values[name], content.constants[value.constant_id]))
        ops = tuple(self._op(call, constant) for call in content.chain)
        public = [self._name(index) for index in (*content.input_ids, *content.output_ids)]
        return DelegateGraph(ops, values, weights, public)

    def _op(self, call: OperatorCall, constant: set[int]) -> Op:
        given = list(self._tensors(call.args[:-1]))
        results = list(self._tensors(call.args[-1:]))
        if call.name == _PREPACK and constant.issuperset(given):
            constant.update(results)
        # `namespace.op.overload`
        _, _, name = call.name.partition(".")
        kind = kind_of(name, constant_operand=any(index in constant for index in given[:2]))
        inputs, outputs = (tuple(map(self._name, indices)) for indices in (given, results))
        return Op(call.name, kind, f"{call.name} {outputs[0] if outputs else ''} (delegated)", inputs, outputs, True)

    def _tensors(self, indices: list[int]) -> Iterator[int]:
        """The tensors among arguments, those in lists too."""
        for index in indices:
            value = self._values[index]
            if isinstance(value, VkTensor):
                yield index
            elif isinstance(value, ValueList):
                yield from self._tensors(value.items)

    def _weight(self, value: Value, place: VkBytes) -> Weight:
        if place.named_key:
            stored, where = self._named[place.named_key], f"named {place.named_key}"
        else:
            start = _bytes_offset(self._payload) + place.offset
            stored, where = self._payload[start : start + place.length], f"{value.name} inline"
        return weight_of(
            value.name, typed(np.frombuffer(stored, np.uint8), value.dtype), dtype=value.dtype, place=where
        )

    def _name(self, index: int) -> str:
        return f"{self._prefix}.{index}"


def _bytes_offset(payload: bytes) -> int:
    return VulkanDelegateHeader.from_bytes(payload[: VulkanDelegateHeader.EXPECTED_LENGTH]).bytes_offset
