"""Programs of ExecuTorch's whose whole graph is to be one call of a delegate."""

from __future__ import annotations

import torch

from pocketclip.export.targets.module_stack import innermost_module

_CALL = "executorch_call_delegate"


def outside_delegate(program: torch.export.ExportedProgram) -> list[str]:
    """The ops of a lowered program that no delegate takes and the modules they come from, each once, sorted."""
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return sorted({_words(node) for node in calls if _CALL not in node.name and "getitem" not in node.name})


def delegate_calls(program: torch.export.ExportedProgram) -> int:
    """How often a lowered program calls a delegate."""
    return sum(node.op == "call_function" and _CALL in node.name for node in program.graph.nodes)


def delegated_ops(program: torch.export.ExportedProgram) -> int:
    """How many ops a lowered program hands to delegates."""
    from executorch.exir.lowered_backend_module import get_lowered_submodules

    graphs = [lowered.original_module.graph for _, lowered, _ in get_lowered_submodules(program.graph_module)]
    return sum(node.op == "call_function" and "getitem" not in node.name for graph in graphs for node in graph.nodes)


def _words(node: torch.fx.Node) -> str:
    # The name alone: ExecuTorch's own ops print their schema with it.
    name = getattr(node.target, "name", lambda: str(node.target))()
    module = innermost_module(node)
    return f"{name} of {module}" if module else name
