"""The modules that ops of an exported program come from."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pocketclip.export.artifact.precision_plan import covers


def innermost_module(node: torch.fx.Node) -> str:
    """The path of the innermost module; empty for the tower itself, and where none is known."""
    # Each enclosing module's path with its class, the innermost last.
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def comes_from(modules: Sequence[str], node: torch.fx.Node) -> bool:
    """Whether one of the paths of a plan means an op."""
    return bool(node.meta.get("nn_module_stack")) and covers(modules, innermost_module(node))
