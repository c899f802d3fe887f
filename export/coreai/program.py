"""The program of an `.aimodel`, read into plain records: functions, ops, values and constants.

Composites (`hard_sigmoid`, `layer_norm`, ...) are functions of their own that an op invokes: it bears their name here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.coreai.asset import AssetFacts, check_asset
from pocketclip.export.coreai.packages import import_converter
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models.errors import first_line

_GRAPH, _NAMESPACE, _CONSTANT, _OUTPUT, _INVOKE = (
    "coreai.graph",
    "udml.namespace",
    "coreai.constant",
    "coreai.output",
    "coreai.invoke",
)
# What stands before the name of an op: of its dialect, and of those that broadcast their operands.
_PREFIX = re.compile(r"^(coreai|coreaix)\.(decomposable\.)?(broadcasting_)?")
_COMPOSITE = re.compile(r'composite_declaration<"([A-Za-z0-9_]{1,60})"')
_CALLEE = re.compile(r"@([A-Za-z0-9_.]{1,200})>")
_TYPES = {"f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16", "i1": "bool"}
_INTEGER = re.compile(r"(s|u)?i(\d{1,3})")
# Of a constant, the types that numpy holds as they are; others are kept as bytes.
_NUMPY = {"float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}


@dataclass(frozen=True)
class TensorValue:
    """A value between ops: its element type by numpy's name (or `int4` and the like), None for a free size."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sizes = "of any shape" if self.shape is None else [("?" if size is None else size) for size in self.shape]
        return f"{self.name}: {self.dtype} {sizes}".replace("'", "")


@dataclass(frozen=True)
class Constant:
    """A stored value: the elements as numpy holds them, or packed bytes of narrower ones."""

    value: TensorValue
    content: np.ndarray
    size_bytes: int


@dataclass(frozen=True)
class ProgramOp:
    """One op: its name without prefixes, and the values that it reads and gives."""

    name: str
    number: int
    inputs: tuple[TensorValue, ...]
    outputs: tuple[TensorValue, ...]


@dataclass(frozen=True)
class Function:
    """A graph of a program. `private`: only ops of the program call it; `closed`: ops whose insides are not read."""

    name: str
    private: bool
    inputs: tuple[TensorValue, ...]
    outputs: tuple[TensorValue, ...]
    ops: tuple[ProgramOp, ...]
    constants: tuple[Constant, ...]
    closed: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssetProgram:
    """All functions of an asset; those that an application calls first, `main` before the others."""

    facts: AssetFacts
    functions: tuple[Function, ...]

    @property
    def public(self) -> tuple[Function, ...]:
        """What an application can call."""
        return tuple(each for each in self.functions if not each.private)


def read_program(path: Path) -> AssetProgram:
    """Reads an asset's program.

    Raises:
        ArtifactCorruptError, ArtifactNotFoundError: as `check_asset`, and where Apple's reader refuses the program.
    """
    facts = check_asset(path)
    import_converter()
    from coreai.authoring import AIModelAsset

    try:
        module = AIModelAsset.load(path).program._module._mlir_module
        graphs = list(_graphs(module.body.operations))
        composites = {_symbol(graph): found[1] for graph in graphs if (found := _composite(graph)) is not None}
        functions = [_function(graph, composites) for graph in graphs]
    except Exception as error:
        # Apple's bindings raise classes of their own, and what damage leads them to.
        raise ArtifactCorruptError(f"{path} cannot be read: {first_line(error)}; {facts.words()}") from error
    if not any(not each.private for each in functions):
        raise ArtifactCorruptError(f"{path} has no function; {facts.words()}")
    return AssetProgram(facts, tuple(sorted(functions, key=lambda each: (each.private, each.name != "main"))))


def _graphs(operations: Any) -> Iterator[Any]:
    for op in operations:
        if op.operation.name == _GRAPH:
            yield op
        elif op.operation.name == _NAMESPACE:
            yield from _graphs(op.regions[0].blocks[0].operations)


def _symbol(graph: Any) -> str:
    return str(graph.attributes["sym_name"].value)


def _composite(graph: Any) -> re.Match[str] | None:
    return _COMPOSITE.search(str(graph.attributes["composite_decl"])) if "composite_decl" in graph.attributes else None


@dataclass
class _Reading:
    """Values of a function that were named so far."""

    names: dict[Any, TensorValue] = field(default_factory=dict)

    def given(self, value: Any, name: str) -> TensorValue:
        found = TensorValue(name, *_type(value.type))
        self.names[value] = found
        return found

    def of(self, values: Sequence[Any]) -> tuple[TensorValue, ...]:
        return tuple(self.names[value] for value in values if value in self.names)


def _function(graph: Any, composites: dict[str, str]) -> Function:
    block = graph.regions[0].blocks[0]
    reading = _Reading()
    given_names = _io_names(graph, "arg_attrs")
    inputs = tuple(
        reading.given(value, given_names[place] if place < len(given_names) else f"input {place}")
        for place, value in enumerate(block.arguments)
    )
    ops: list[ProgramOp] = []
    constants: list[Constant] = []
    closed: list[str] = []
    outputs: tuple[TensorValue, ...] = ()
    for number, op in enumerate(block.operations):
        kind = op.operation.name
        operands = reading.of(list(op.operands))
        if kind == _OUTPUT:
            names = _io_names(graph, "res_attrs")
            outputs = tuple(
                TensorValue(names[place] if place < len(names) and names[place] else each.name, each.dtype, each.shape)
                for place, each in enumerate(operands)
            )
            ops.append(ProgramOp("output", number, operands, outputs))
            continue
        name = _name(op, composites)
        results = tuple(
            reading.given(value, f"{name}_{number}" + (f".{place}" if place else ""))
            for place, value in enumerate(op.results)
        )
        if len(op.regions):
            closed.append(f"{name} {number}")
        if kind == _CONSTANT:
            constants.append(_constant(op, results[0]))
        else:
            ops.append(ProgramOp(name, number, operands, results))
    private = "priv" in graph.attributes
    return Function(_symbol(graph), private, inputs, outputs, tuple(ops), tuple(constants), tuple(closed))


def _name(op: Any, composites: dict[str, str]) -> str:
    kind = op.operation.name
    if kind == _INVOKE:
        found = _CALLEE.search(str(op.attributes["callee"]))
        return composites.get(found[1], "invoke") if found else "invoke"
    return _PREFIX.sub("", kind)


def _io_names(graph: Any, attribute: str) -> list[str]:
    if attribute not in graph.attributes:
        return []
    entries = graph.attributes[attribute]
    return [str(each["coreai.name"].value) if "coreai.name" in each else "" for each in entries]


def _type(kind: Any) -> tuple[str, tuple[int | None, ...] | None]:
    from coreai._compiler.ir import RankedTensorType

    if not isinstance(kind, RankedTensorType):
        return str(kind)[:60], None
    sizes = tuple(None if kind.is_dynamic_dim(axis) else int(kind.get_dim_size(axis)) for axis in range(kind.rank))
    return _element(str(kind.element_type)), sizes


def _element(word: str) -> str:
    if (found := _INTEGER.fullmatch(word)) and word != "i1":
        return f"{'u' if found[1] == 'u' else ''}int{found[2]}"
    return _TYPES.get(word, word[:40])


def _constant(op: Any, value: TensorValue) -> Constant:
    # The only way to the bytes of large constants; Apple's optimiser takes it too.
    from coreai._compiler._mlir_libs._coreaiIR import _bindings
    from coreai._compiler.ir import DenseElementsAttr

    count = math.prod(size or 0 for size in value.shape or ())
    bits = int(digits[0]) if (digits := re.findall(r"\d+", value.dtype)) else 8
    size = -(-count * bits // 8)
    stored = op.attributes["value"]
    if not isinstance(stored, DenseElementsAttr):
        # Large ones lie outside of the program's text.
        packed = np.zeros(size, np.uint8)
        bindings: Any = _bindings
        bindings.compiler.copy_constant_value_to_array(constant_op=op, destination=packed)
        return Constant(value, packed.view(value.dtype) if value.dtype in _NUMPY else packed, size)
    if value.dtype not in _NUMPY:
        # Apple's bindings end the process where numpy has no such type.
        return Constant(value, np.frombuffer(str(stored).encode(), np.uint8), size)
    content = np.asarray(stored)
    if stored.is_splat:
        # One value for all places is stored once.
        return Constant(value, content.flat[:1], content.itemsize)
    return Constant(value, content.reshape(-1), size)
