"""Reads what ExecuTorch hands to Vulkan into the neutral graph."""

from __future__ import annotations

from collections.abc import Mapping

from pocketclip.export.lint.graph import Op, OpKind, Value, Weight, weight_of
from pocketclip.export.lint.op_kinds import kind_of
from pocketclip.export.lint.read_xnnpack import DelegateGraph
from pocketclip.export.vulkan_reference.graph import Call, Constant, TensorValue, VulkanGraph, parse_graph

# It copies a constant into the processor's own layout: what it gives is as constant as what it takes.
_PREPACK = "et_vk.prepack.default"
_CLAMP = "aten.clamp.default"


def read_vulkan(payload: bytes, named: Mapping[str, bytes], number: int) -> DelegateGraph:
    """The graph in a payload. Errors are `VulkanFault` and ExecuTorch's own.

    Args:
        payload: as the `.pte` stores it.
        named: constants that the `.pte` itself stores, by their keys.
        number: tells the values of several delegates apart.
    """
    return _Reader(parse_graph(payload, named), f"delegate {number}").graph()


class _Reader:
    def __init__(self, content: VulkanGraph, prefix: str) -> None:
        self._content, self._prefix = content, prefix

    def graph(self) -> DelegateGraph:
        content = self._content
        values: dict[str, Value] = {}
        weights: list[Weight] = []
        constant: set[int] = set()
        for place, value in enumerate(content.values):
            if isinstance(value, TensorValue):
                name = self._name(place)
                values[name] = Value(name, value.dtype.name, value.shape)
                if value.data is not None:
                    constant.add(place)
                    weights.append(weight_of(name, value.data, dtype=value.dtype.name, place=value.place))
        ops = tuple(self._op(call, constant) for call in content.calls)
        public = [self._name(place) for place in (*content.inputs, *content.outputs)]
        return DelegateGraph(ops, values, weights, public)

    def _op(self, call: Call, constant: set[int]) -> Op:
        given = list(self._content.tensors(call.arguments))
        results = list(self._content.tensors((call.result,)))
        if call.op == _PREPACK and constant.issuperset(given):
            constant.update(results)
        # `namespace.op.overload`
        _, _, name = call.op.partition(".")
        kind = kind_of(name, constant_operand=any(place in constant for place in given[:2]))
        if call.op == _CLAMP and self._is_choice(call):
            kind = OpKind.COMPARE
        inputs, outputs = (tuple(map(self._name, places)) for places in (given, results))
        return Op(call.op, kind, f"{call.op} {outputs[0] if outputs else ''} (delegated)", inputs, outputs, True)

    def _is_choice(self, call: Call) -> bool:
        """Whether a clamp of whole numbers leaves two values: a comparison without truth values."""
        bounds = [self._content.values[place] for place in call.arguments[1:]]
        numbers = [value.value for value in bounds if isinstance(value, Constant)]
        whole = self._content.tensor(call.arguments[0]).dtype.kind == "i"
        return whole and numbers == [0, 1]

    def _name(self, place: int) -> str:
        return f"{self._prefix}.{place}"
