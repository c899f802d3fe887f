"""What a tower computes, op by op: kinds and amounts of work, and the values that pass from one op to the next.

It is read from the exported program of the tower as the target is given it, after the passes. Views (reshapes, slices,
transposes) are no work; a value is what an op computes, whatever form it is read in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from pocketclip.export.targets.module_stack import innermost_module


class Work(StrEnum):
    """Kinds of work. Amounts are multiply-accumulates of the first five, elements computed of the others.

    Convolutions are told apart by their kernels: of one pixel, of more, and with one input channel for each filter.
    Of those last, the filters are counted too: ONNX Runtime makes a small matrix product for each one.
    """

    LINEAR = "linear"
    POINTWISE = "pointwise"
    SPATIAL = "spatial"
    DEPTHWISE = "depthwise"
    PRODUCT = "product"
    FILTER = "filter"
    SUM = "sum"
    GELU = "gelu"
    MULTIPLICATION = "multiplication"
    SOFTMAX = "softmax"
    OTHER = "other"


# Kinds whose amounts are multiply-accumulates.
MULTIPLYING = frozenset({Work.LINEAR, Work.POINTWISE, Work.SPATIAL, Work.DEPTHWISE, Work.PRODUCT})


@dataclass(frozen=True)
class Op:
    """An op: the path of its innermost module, the kind and amount of its work, the elements of what it computes.

    `filters` are those of a depthwise convolution, 0 of other ops. `sources` are the places of the ops whose values it
    reads; -1 is the tower's input.
    """

    module: str
    work: Work
    amount: int
    elements: int
    sources: tuple[int, ...]
    filters: int = 0


_aten = torch.ops.aten
_KINDS: dict[object, Work] = {
    _aten.add.Tensor: Work.SUM,
    _aten.add_.Tensor: Work.SUM,
    _aten.sub.Tensor: Work.SUM,
    _aten.gelu.default: Work.GELU,
    _aten.mul.Tensor: Work.MULTIPLICATION,
    _aten.softmax.int: Work.SOFTMAX,
}
_PRODUCTS = (_aten.linear.default, _aten.matmul.default, _aten.bmm.default, _aten.mm.default, _aten.addmm.default)
_CONVOLUTIONS = (_aten.conv2d.default, _aten.conv1d.default, _aten.convolution.default)
_VIEWS = frozenset(
    {
        "_unsafe_view", "alias", "chunk", "clone", "contiguous", "detach", "dropout", "expand", "flatten", "getitem",
        "permute", "reshape", "select", "slice", "split", "squeeze", "t", "to", "transpose", "unbind", "unflatten",
        "unsqueeze", "view",
    }
)  # fmt: skip


def work_of(module: nn.Module, example: Tensor) -> tuple[Op, ...]:
    """The ops of a tower in the order of their execution.

    Args:
        module: the tower, after the passes.
        example: a valid input.
    """
    program = torch.export.export(module, (example,))
    weights = {entry.arg.name for entry in program.graph_signature.input_specs if entry.target is not None}
    ops: list[Op] = []
    # The op whose value a node is; a list of values (of a split) counts as one.
    made_by: dict[torch.fx.Node, int] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name not in weights:
            made_by[node] = -1
        if node.op != "call_function":
            continue
        read = [each for each in node.all_input_nodes if each in made_by]
        if not read:
            continue
        if _name(node) in _VIEWS:
            made_by[node] = made_by[read[0]]
            continue
        shape = _shape(node)
        if shape is None:
            continue
        work, amount = _amount(node, shape, weights)
        sources = tuple(dict.fromkeys(made_by[each] for each in read))
        made_by[node] = len(ops)
        filters = shape[1] if work is Work.DEPTHWISE else 0
        ops.append(Op(innermost_module(node), work, amount, math.prod(shape), sources, filters))
    return tuple(ops)


def _amount(node: torch.fx.Node, shape: tuple[int, ...], weights: set[str]) -> tuple[Work, int]:
    elements = math.prod(shape)
    if node.target in _CONVOLUTIONS:
        kernel = _shape(node.args[1]) or (1, 1)
        return _convolution(kernel), elements * math.prod(kernel[1:])
    if node.target in _PRODUCTS:
        inner = (_shape(node.args[0]) or (1,))[-1]
        parameters = any(each.name in weights for each in _flat(node))
        return (Work.LINEAR if parameters else Work.PRODUCT), elements * inner
    return _KINDS.get(node.target, Work.OTHER), elements


def _convolution(kernel: tuple[int, ...]) -> Work:
    if kernel[0] > 1 and kernel[1] == 1:
        return Work.DEPTHWISE
    return Work.POINTWISE if math.prod(kernel[2:]) == 1 else Work.SPATIAL


def _flat(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """The inputs of a node, behind views."""
    for each in node.all_input_nodes:
        while each.op == "call_function" and _name(each) in _VIEWS and each.all_input_nodes:
            each = each.all_input_nodes[0]
        yield each


def _name(node: torch.fx.Node) -> str:
    target: Any = node.target
    name = getattr(target, "_schema", None)
    return name.name.removeprefix("aten::").removesuffix("_") if name is not None else getattr(target, "__name__", "")


def _shape(value: object) -> tuple[int, ...] | None:
    found = value.meta.get("val") if isinstance(value, torch.fx.Node) else None
    return tuple(int(size) for size in found.shape) if isinstance(found, Tensor) else None
