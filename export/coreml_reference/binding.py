"""Turns a MIL program into steps over numbered slots: all that can be decided before the first run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from pocketclip.export.coreml_reference import (
    ops_elementwise,
    ops_index,
    ops_linear,
    ops_normalise,
    ops_pool,
    ops_quantise,
    ops_reduce,
    ops_shape,
)
from pocketclip.export.coreml_reference.op_function import OpFunction
from pocketclip.export.coreml_reference.ops_constexpr import CONSTEXPR_OPS
from pocketclip.export.coreml_reference.program import Program, known_shape
from pocketclip.export.coreml_reference.storage import STORAGES, Storage, storage_name, storage_of
from pocketclip.export.errors import ArtifactError, UnsupportedOpError

TENSOR_OPS: dict[str, OpFunction] = {
    **ops_elementwise.OPS,
    **ops_linear.OPS,
    **ops_normalise.OPS,
    **ops_pool.OPS,
    **ops_reduce.OPS,
    **ops_shape.OPS,
    **ops_index.OPS,
    **ops_quantise.OPS,
}
"""Every op that runs on tensors; `CONSTEXPR_OPS` has those that decompress constants."""

Slots = list[Tensor | None]


@dataclass(frozen=True, slots=True)
class Result:
    """Where a step's result goes, how it is stored, and the shape declared for it."""

    slot: int
    storage: Storage
    shape: tuple[int | None, ...]


@dataclass(slots=True)
class Step:
    """One op with its inputs resolved to slots and its constant attributes to Python values."""

    op_type: str
    name: str
    compute: Callable[..., Any]
    arguments: tuple[int | tuple[int, ...] | None, ...]
    attributes: dict[str, Any]
    late_attributes: dict[str, int]
    """Attributes that are values of the program: the slot of each, read in every run."""
    results: tuple[Result, ...]
    rounds: bool
    frees: tuple[int, ...] = ()
    """Slots that no later step reads."""

    def inputs(self) -> Iterator[int]:
        for argument in self.arguments:
            if isinstance(argument, int):
                yield argument
            elif argument is not None:
                yield from argument
        yield from self.late_attributes.values()

    def run(self, values: Slots) -> None:
        """Computes the op from `values` and stores its results there.

        Raises:
            ArtifactError: the op cannot be computed on these values (an index out of range, say).
        """
        arguments = [
            values[a] if isinstance(a, int) else None if a is None else [values[i] for i in a] for a in self.arguments
        ]
        try:
            late = {name: _tensor(values, slot).tolist() for name, slot in self.late_attributes.items()}
            computed = self.compute(*arguments, **self.attributes, **late)
        except (RuntimeError, IndexError, ValueError) as error:
            raise ArtifactError(f"{self.op_type} op '{self.name}' cannot be computed: {error}") from error
        outputs = (computed,) if isinstance(computed, Tensor) else computed
        for output, result in zip(outputs, self.results, strict=True):
            _check_shape(self, output, result.shape)
            values[result.slot] = result.storage.settle(output, rounds=self.rounds)


def _check_shape(step: Step, output: Tensor, declared: tuple[int | None, ...]) -> None:
    """A result of another shape than the program declares means that an op is not understood."""
    if output.shape == declared:
        return
    agrees = len(output.shape) == len(declared) and all(
        size is None or size == got for size, got in zip(declared, output.shape, strict=True)
    )
    if not agrees:
        raise UnsupportedOpError(
            f"{step.op_type} op '{step.name}' gives shape {list(output.shape)} where the program declares "
            f"{list(declared)}; the reference executor does not know this form of it."
        )


def _tensor(values: Slots, slot: int) -> Tensor:
    tensor = values[slot]
    assert tensor is not None, "a slot is read only between its step and its last reader"
    return tensor


@dataclass(slots=True)
class Binding:
    """A program ready to run: its steps, the slot of each named value, and the constants in theirs."""

    steps: list[Step] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    storages: list[Storage] = field(default_factory=list)
    constants: Slots = field(default_factory=list)
    """One entry a slot, None for those that a run fills; a run works on a copy."""


def bind(program: Program) -> Binding:
    """Resolves ops, attributes and constants; what depends on constants alone is computed here.

    Raises:
        UnsupportedOpError: ops, or forms of them, that the executor does not know: all of them, by name.
        ArtifactError: constants that an op cannot be computed on.
    """
    operations = list(program.function.operations)
    _check_supported(program, operations)
    binder = _Binder()
    for variable in program.function.inputs.values():
        binder.add_slot(variable)
    for op in operations:
        binder.add_op(op)
    for variable in program.function.outputs:
        binder.slot_of(variable)  # A constant may be an output with no op reading it.
    _free_after_last_use(binder.binding, {variable.name for variable in program.function.outputs})
    return binder.binding


def _check_supported(program: Program, operations: Sequence[Any]) -> None:
    unknown: dict[str, list[str]] = {}
    forms: list[str] = []
    for op in operations:
        if op.op_type == "const" or op.op_type in CONSTEXPR_OPS:
            continue
        function = TENSOR_OPS.get(op.op_type)
        if function is None:
            unknown.setdefault(op.op_type, []).append(op.name)
        else:
            forms += [f"{op.op_type} op '{op.name}': {reason}" for reason in _refusals(op, function)]
    if not unknown and not forms:
        return
    lines = [f"The reference executor cannot run {program.package}."]
    for op_type, names in sorted(unknown.items()):
        shown = ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")
        lines.append(f"  unknown op {op_type}, {len(names)} of them: {shown}")
    lines += [f"  unsupported form of {form}" for form in forms]
    raise UnsupportedOpError("\n".join(lines))


def _refusals(op: Any, function: OpFunction) -> Iterator[str]:
    known = function.attributes.union(function.tensors)
    given = {name for name, value in op.inputs.items() if value is not None}
    if extra := sorted(given - known):
        yield f"input {', '.join(extra)}"
    for variable in op.outputs:
        if storage_name(variable) not in STORAGES:
            yield f"result of type {storage_name(variable)}"
    if function.refuses is not None and (reason := function.refuses(op)):
        yield reason


class _Binder:
    def __init__(self) -> None:
        self.binding = Binding()
        # Values of const and constexpr ops. They become tensors only where an op reads them as such:
        # most are attributes, or the compressed form of a weight.
        self._arrays: dict[str, Any] = {}

    def add_slot(self, variable: Any, constant: Tensor | None = None) -> int:
        slot = len(self.binding.constants)
        self.binding.slots[variable.name] = slot
        self.binding.storages.append(storage_of(variable))
        self.binding.constants.append(constant)
        return slot

    def slot_of(self, variable: Any) -> int:
        if variable.name not in self.binding.slots:
            self.add_slot(variable, storage_of(variable).hold(self._arrays[variable.name]))
        return self.binding.slots[variable.name]

    def add_op(self, op: Any) -> None:
        if op.op_type == "const":
            self._arrays[op.outputs[0].name] = op.outputs[0].val
        elif op.op_type in CONSTEXPR_OPS:
            self._decompress(op)
        else:
            self._add_step(op, TENSOR_OPS[op.op_type])

    def _decompress(self, op: Any) -> None:
        inputs = {name: self._arrays[value.name] for name, value in op.inputs.items() if value is not None}
        computed = CONSTEXPR_OPS[op.op_type](**inputs)
        results = computed if isinstance(computed, tuple) else (computed,)
        for variable, array in zip(op.outputs, results, strict=True):
            self._arrays[variable.name] = array

    def _add_step(self, op: Any, function: OpFunction) -> None:
        attributes: dict[str, Any] = {}
        late: dict[str, int] = {}
        for name in function.attributes:
            variable = op.inputs.get(name)
            if variable is None:
                continue
            if variable.name in self._arrays:
                attributes[name] = _plain(self._arrays[variable.name])
            elif (constant := self.binding.constants[self.slot_of(variable)]) is not None:
                attributes[name] = constant.tolist()
            else:
                late[name] = self.slot_of(variable)
        step = Step(
            op_type=op.op_type,
            name=op.name,
            compute=function.compute,
            arguments=tuple(self._argument(op.inputs.get(name)) for name in function.tensors),
            attributes=attributes,
            late_attributes=late,
            results=tuple(
                Result(self.add_slot(variable), storage_of(variable), known_shape(variable)) for variable in op.outputs
            ),
            rounds=function.rounds,
        )
        if all(self.binding.constants[slot] is not None for slot in step.inputs()):
            step.run(self.binding.constants)
        else:
            self.binding.steps.append(step)

    def _argument(self, given: Any) -> int | tuple[int, ...] | None:
        if given is None:
            return None
        if isinstance(given, (tuple, list)):
            return tuple(self.slot_of(variable) for variable in given)
        return self.slot_of(given)


def _plain(value: Any) -> Any:
    """A constant as a plain Python value: scalar, string, or nested lists of scalars."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _free_after_last_use(binding: Binding, outputs: set[str]) -> None:
    kept = {binding.slots[name] for name in outputs}
    kept.update(slot for slot, constant in enumerate(binding.constants) if constant is not None)
    for step in reversed(binding.steps):
        touched = set(step.inputs()) | {result.slot for result in step.results}
        step.frees = tuple(sorted(touched - kept))
        kept |= touched
