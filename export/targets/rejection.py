"""Why a converter rejected a model, in the user's terms: which module, at which line of their code."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import nn

from pocketclip.export.targets.base import LoweringRequest

# An op's name is searched in messages; shorter ones (add, mul) would be found in any sentence.
_LEAST_NAME = 4
_MOST_TEXT = 400
_SUBMODULES = ("special_", "linalg_", "fft_", "_")


@dataclass(frozen=True)
class Place:
    """A module of the tower and a line of its code."""

    module: str
    class_name: str
    line: str | None

    def __str__(self) -> str:
        where = f" at {self.line}" if self.line else ""
        return f"module {self.module or '(the tower itself)'} ({self.class_name}){where}"


def explain(error: Exception, request: LoweringRequest) -> str:
    """The first line of the converter's message, and the module that it is about where that can be told."""
    # Converters raise what they like, wrapped in what they like: the first cause says most.
    chain = list(_chain(error))
    reason = (str(chain[-1]).strip() or type(chain[-1]).__name__).splitlines()[0]
    place = _raising_module(chain, request.module) or _named_in_message(chain, request)
    return f"{reason}; it comes from {place}" if place else reason


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _raising_module(chain: list[BaseException], tower: nn.Module) -> Place | None:
    """The innermost module whose forward was running when an error was raised: torch.export runs the code itself."""
    paths = {id(module): path for path, module in tower.named_modules()}
    found: Place | None = None
    for error in reversed(chain):
        for frame, line in traceback.walk_tb(error.__traceback__):
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module) and id(module) in paths and frame.f_code.co_name != "_call_impl":
                found = Place(paths[id(module)], type(module).__name__, _line(frame, line))
        if found is not None:
            return found
    return None


def _line(frame: FrameType, line: int) -> str | None:
    path = Path(frame.f_code.co_filename)
    # A line of torch's own layers tells nothing; that of the user's module does.
    return None if "torch" in path.parts else f"{path.name}:{line}"


def _named_in_message(chain: list[BaseException], request: LoweringRequest) -> Place | None:
    """The module of the first op of the exported program that the innermost message names."""
    try:
        program = torch.export.export(request.module, (request.example,))
        # Converters see ops decomposed, by other names; those too know the module they come from.
        programs = [program, program.run_decompositions()]
    except Exception:
        # What fails here has been explained by the frames above.
        return None
    # Behind its first lines a message may quote the whole graph, in which every op is named.
    for message in (str(chain[-1]).strip().partition("\n")[0], *(str(error)[:_MOST_TEXT] for error in chain)):
        for each in programs:
            found = _first_mentioned(message, each)
            if found is not None:
                return found
    return None


def _first_mentioned(message: str, program: torch.export.ExportedProgram) -> Place | None:
    best: tuple[int, Place] | None = None
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        names = [name for name in _names(node) if len(name) >= _LEAST_NAME and _mentions(message, name)]
        if names and (best is None or max(map(len, names)) > best[0]):
            best = (max(map(len, names)), place_of(node))
    return None if best is None else best[1]


def _names(node: torch.fx.Node) -> set[str]:
    target = str(node.target)
    names = {node.name, target}
    if isinstance(node.target, torch._ops.OpOverload):
        packet = node.target._schema.name.rpartition("::")[2]
        names |= {node.target._schema.name, packet, f"{node.target.namespace}.{packet}"}
        # Decompositions drop the names of torch's submodules: special_bessel_j0 becomes prims.bessel_j0.
        names |= {packet.removeprefix(prefix) for prefix in _SUBMODULES if packet.startswith(prefix)}
    return names


def _mentions(message: str, name: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", message) is not None


def place_of(node: torch.fx.Node) -> Place:
    """The module and the line that an op of an exported program comes from."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    lines = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    user = [(file, line) for file, line in lines if "torch" not in Path(file).parts]
    place = f"{Path(user[-1][0]).name}:{user[-1][1]}" if user else None
    return Place(path, str(kind).rpartition(".")[2], place)
