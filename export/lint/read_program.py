"""Reads a tower's exported program into the neutral graph: what every converter starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Node

from pocketclip.export.lint.graph import Format, Graph, Op, Value, weight_of
from pocketclip.export.lint.op_kinds import kind_of


def read_program(module: nn.Module, example: Tensor) -> Graph:
    """Traces the module with `torch.export`, whose errors are passed on."""
    program = torch.export.export(module, (example,))
    signature = program.graph_signature
    stored = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors = {**program.state_dict, **program.constants}
    values: dict[str, Value] = {}
    ops: list[Op] = []
    # What no op reads goes to no converter: OpenCLIP's causal mask, for one, in whose place the tower has its own.
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    read = dict.fromkeys(target for name, target in stored.items() if placeholders[name].users)
    weights = [
        weight_of(target, _numbers(tensors[target]), dtype=_dtype(tensors[target].dtype))
        for target in read
        if isinstance(tensors.get(target), Tensor)
    ]
    for node in program.graph.nodes:
        made = node.meta.get("val")
        if isinstance(made, Tensor):
            sizes = tuple(size if isinstance(size, int) else None for size in made.shape)
            values[node.name] = Value(node.name, _dtype(made.dtype), sizes)
        if node.op != "call_function":
            continue
        name = str(node.target)
        given = [argument.name for argument in node.all_input_nodes]
        kind = kind_of(name, constant_operand=any(each in stored for each in given[:2]))
        ops.append(Op(name, kind, f"{name} in {_scope(node)}", tuple(given), (node.name,)))
        for scalar in (*node.args, *node.kwargs.values()):
            if isinstance(scalar, float):
                weights.append(weight_of(f"a scalar of {name} in {_scope(node)}", np.float64(scalar)))
    return Graph(
        format=Format.PROGRAM,
        inputs=tuple(values[name] for name in signature.user_inputs if name in values),
        outputs=tuple(values[name] for name in signature.user_outputs if name in values),
        ops=tuple(ops),
        values=values,
        weights=tuple(weights),
    )


def _scope(node: Node) -> str:
    """The innermost module that a node comes from."""
    stack: dict[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    return next(reversed([path for path, _ in stack.values()]), "") or "the tower"


def _numbers(tensor: Tensor) -> np.ndarray:
    plain = tensor.detach().contiguous()
    # numpy has no bfloat16.
    return (plain.float() if plain.is_floating_point() else plain).numpy()


def _dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
