"""Programs of ExecuTorch's whose whole graph is to be one call of a delegate."""

from __future__ import annotations

import torch


def outside_delegate(program: torch.export.ExportedProgram) -> list[str]:
    """The ops of a lowered program that no delegate takes, each once, sorted."""
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return sorted(
        {
            str(node.target)
            for node in calls
            if "executorch_call_delegate" not in node.name and "getitem" not in node.name
        }
    )
