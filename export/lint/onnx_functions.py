"""Local functions of an ONNX model, put in place of their calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnx import inliner

from pocketclip.export.lint.onnx_types import inner_graphs

# A few functions that call one another twice become millions of ops.
MOST_NODES = 200_000

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Inlined:
    """The model without calls of its own functions; `unseen` says why they were left where that is so."""

    model: Any
    unseen: tuple[str, ...] = ()


def inlined(model: Any) -> Inlined:
    """Puts the bodies of local functions in place of their calls."""
    if not model.functions:
        return Inlined(model)
    functions = {(each.domain, each.name, each.overload): each for each in model.functions}
    count = _size(model.graph.node, functions, {}, frozenset())
    names = ", ".join(each.name for each in model.functions[:3]) + (", ..." if len(model.functions) > 3 else "")
    if count is None or count > MOST_NODES:
        reason = "they call themselves" if count is None else f"they stand for more than {MOST_NODES} ops"
        return Inlined(model, (f"{len(model.functions)} local functions ({names}): {reason}",))
    return Inlined(inliner.inline_local_functions(model))


def _size(nodes: Any, functions: dict[Key, Any], known: dict[Key, int], inside: frozenset[Key]) -> int | None:
    """Nodes after inlining, counted to a little above the most; None where functions call themselves."""
    total = 0
    for node in nodes:
        total += 1
        for _, graph in inner_graphs(node):
            size = _size(graph.node, functions, known, inside)
            if size is None:
                return None
            total += size
        key = (node.domain, node.op_type, node.overload)
        if key in functions:
            if key in inside:
                return None
            if key not in known:
                size = _size(functions[key].node, functions, known, inside | {key})
                if size is None:
                    return None
                known[key] = size
            total += known[key]
    return total
