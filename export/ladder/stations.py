"""Values on the way through a tower in PyTorch: what crosses the borders of its modules, and what each op gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pocketclip.export.targets.rejection import Place, place_of

# Ops that only look at a value in another shape: what they give can be right where what they look at is wrong.
_VIEWS = frozenset(
    {
        *("alias", "clone", "contiguous", "detach", "expand", "flatten", "movedim", "narrow", "permute", "reshape"),
        *("select", "slice", "split", "squeeze", "t", "transpose", "unbind", "unflatten", "unsqueeze", "view"),
    }
)


class Event(StrEnum):
    """Which border of a module a value crosses."""

    ENTER = "enter"
    EXIT = "exit"


@dataclass(frozen=True)
class Site:
    """A border of a module, by its path."""

    module: str
    event: Event

    def __str__(self) -> str:
        preposition = "into" if self.event is Event.ENTER else "out of"
        return f"what comes {preposition} {self.module or 'the tower'}"


@dataclass(frozen=True)
class Station:
    """A place on the way, with what PyTorch gives there for each probe.

    `feeds` are the places, in the list of all stations, that its value goes into, views passed through.
    """

    place: Place
    op: str | None
    values: tuple[np.ndarray, ...]
    feeds: tuple[int, ...] = ()

    def __str__(self) -> str:
        module = self.place.module or "(the tower itself)"
        return f"op {self.op} of {module}" if self.op else module


@dataclass(frozen=True)
class Traced:
    """A value inside another form of the tower, for each probe, as floats."""

    name: str
    values: tuple[np.ndarray, ...]


@dataclass
class _Recording:
    values: dict[Site, list[np.ndarray]] = field(default_factory=dict)
    seen: list[Tensor] = field(default_factory=list)
    inside: set[Site] = field(default_factory=set)

    def note(self, site: Site, value: object) -> None:
        # A module that is called twice in one run counts with its first call.
        if not isinstance(value, Tensor) or not value.is_floating_point() or site in self.inside:
            return
        self.inside.add(site)
        self.values.setdefault(site, []).append(value.detach().numpy().copy())

    def next_probe(self) -> None:
        self.inside.clear()


def module_sites(tower: nn.Module, probes: Sequence[np.ndarray]) -> dict[Site, tuple[np.ndarray, ...]]:
    """The float values that cross each module's border, in the order in which they do, a value for each probe."""
    recording = _Recording()
    handles: list[Any] = []
    for path, module in tower.named_modules():
        handles.append(module.register_forward_pre_hook(_on_enter(recording, path)))
        handles.append(module.register_forward_hook(_on_exit(recording, path)))
    try:
        with torch.inference_mode():
            for probe in probes:
                recording.next_probe()
                tower(torch.from_numpy(probe))
    finally:
        for handle in handles:
            handle.remove()
    return {site: tuple(values) for site, values in recording.values.items() if len(values) == len(probes)}


def program_stations(program: torch.fx.GraphModule, probes: Sequence[np.ndarray]) -> list[Station]:
    """The float result of every op of an exported program that computes, in order."""
    runs = [_Values(program).values_of(probe) for probe in probes]
    nodes = [node for node in program.graph.nodes if node in runs[0] and not _is_view(node)]
    indices = {node: index for index, node in enumerate(nodes)}
    return [
        Station(
            place_of(node),
            _op_name(node),
            tuple(run[node] for run in runs),
            tuple(sorted({indices[user] for user in _users(node) if user in indices})),
        )
        for node in nodes
    ]


def program_values(program: torch.fx.GraphModule, probes: Sequence[np.ndarray]) -> list[Traced]:
    """The float result of every op of an exported program, views included."""
    runs = [_Values(program).values_of(probe) for probe in probes]
    return [Traced(node.name, tuple(run[node] for run in runs)) for node in runs[0]]


def _on_enter(recording: _Recording, path: str) -> Any:
    return lambda module, inputs: recording.note(Site(path, Event.ENTER), inputs[0] if inputs else None)


def _on_exit(recording: _Recording, path: str) -> Any:
    return lambda module, inputs, output: recording.note(
        Site(path, Event.EXIT), output[0] if isinstance(output, tuple) else output
    )


class _Values(torch.fx.Interpreter):
    """Runs a program and keeps the float result of every op."""

    def __init__(self, program: torch.fx.GraphModule) -> None:
        super().__init__(program)
        self._kept: dict[torch.fx.Node, np.ndarray] = {}

    def values_of(self, probe: np.ndarray) -> dict[torch.fx.Node, np.ndarray]:
        with torch.inference_mode():
            self.run(torch.from_numpy(probe))
        return self._kept

    def run_node(self, n: torch.fx.Node) -> Any:
        result = super().run_node(n)
        if n.op == "call_function" and isinstance(result, Tensor) and result.is_floating_point():
            self._kept[n] = result.detach().numpy().copy()
        return result


def _users(node: torch.fx.Node) -> set[torch.fx.Node]:
    """Ops that take a node's value, also through views."""
    found: set[torch.fx.Node] = set()
    for user in node.users:
        found |= _users(user) if _is_view(user) else {user}
    return found


def _is_view(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and _op_name(node) in _VIEWS


def _op_name(node: torch.fx.Node) -> str:
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.rpartition("::")[2]
    return getattr(target, "__name__", str(target))
