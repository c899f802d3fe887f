"""Replacing modules of a tower by their paths."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.tower_module import L2Norm


def rewrite_modules(tower: nn.Module, replace: Callable[[nn.Module], nn.Module | None]) -> Rewritten:
    """A copy of a tower in which `replace` has had its say on every module; None leaves one as it is.

    Modules inside a replaced one are not visited. What is shared by several parents is replaced for each of them.
    """
    return rewrite_at_paths(tower, lambda path, module: replace(module))


def rewrite_at_paths(tower: nn.Module, replace: Callable[[str, nn.Module], nn.Module | None]) -> Rewritten:
    """As `rewrite_modules`, with the path of every module."""
    tower = copy.deepcopy(tower)
    sites: list[str] = []
    with torch.no_grad():
        for parent, name, child, path in _walk(tower, ""):
            new = replace(path, child)
            if new is not None:
                setattr(parent, name, new.train(child.training))
                sites.append(path)
    return Rewritten(tower, tuple(sites))


def rewrite_norm(tower: nn.Module, example: Tensor, form: Callable[[int], nn.Module]) -> Rewritten:
    """A copy of a tower whose L2 norm has another form, made for the width of the embedding."""
    with torch.inference_mode():
        width = tower(example).shape[1]
    return rewrite_modules(tower, lambda module: form(width) if isinstance(module, L2Norm) else None)


def run_once(tower: nn.Module, example: Tensor, hooks: Iterable[RemovableHandle]) -> None:
    """Computes an example, so that hooks see it, and takes the hooks off again."""
    try:
        with torch.inference_mode():
            tower(example)
    finally:
        for hook in hooks:
            hook.remove()


def _walk(parent: nn.Module, prefix: str) -> Iterator[tuple[nn.Module, str, nn.Module, str]]:
    for name, child in list(parent.named_children()):
        path = f"{prefix}{name}"
        yield parent, name, child, path
        # Look again: the child may be another module by now, which then is left alone.
        if getattr(parent, name) is child:
            yield from _walk(child, f"{path}.")
