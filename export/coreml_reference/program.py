"""Core ML programs: reading a saved `.mlpackage` back into MIL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.converters.mil.mil.types.symbolic import is_symbolic

from pocketclip.export.coreml_reference.package import Package, open_package
from pocketclip.export.coreml_reference.storage import STORAGES, storage_name
from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, UnsupportedOpError
from pocketclip.models.errors import first_line

# How the words about listed shapes begin.
ENUMERATED = "one of"


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """An input or output: its name, its shape (None for a dimension that is free) and its numpy type.

    A classifier gives its label as a string and probabilities as a dict: these are of numpy's type `object`, and
    `kind` is MIL's name for them. `allowed` has the shapes, or the sizes of each dimension, that a package declares
    for an input whose shape is not fixed, in words.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    kind: str
    allowed: str = ""

    def __str__(self) -> str:
        if self.dtype == object:
            return f"{self.name}: {self.kind}"
        dimensions = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype} [{dimensions}]" + (f" ({self.allowed})" if self.allowed else "")

    @property
    def enumerated(self) -> bool:
        """Whether the package lists the shapes that an input may have."""
        return self.allowed.startswith(ENUMERATED)


@dataclass(frozen=True, slots=True)
class Program:
    """A function of a Core ML program, read back into MIL; most programs have one.

    An image input appears as the tensor the program computes with: `[1, 3, H, W]`, pixels 0 to 255.
    """

    package: Path
    name: str
    inputs: tuple[ValueSpec, ...]
    outputs: tuple[ValueSpec, ...]
    specification: int
    """The version of Core ML's format that the package is written in."""
    function: Any
    """The `coremltools` MIL function; its operations are in the order in which they run."""

    @property
    def operations(self) -> list[Any]:
        """All operations, those inside the branches of `cond` and the bodies of `while_loop` after their own op."""
        return list(_nested(self.function.operations))

    def op_counts(self) -> dict[str, int]:
        """How often each op type occurs, constants left out, in alphabetical order."""
        counts = Counter(op.op_type for op in self.operations if op.op_type != "const")
        return dict(sorted(counts.items()))


def load_program(package: Path) -> Program:
    """Reads the program of a saved `.mlpackage`, of several functions the one that runs by default.

    Raises:
        ArtifactNotFoundError: nothing is there.
        ArtifactError: it is no mlpackage, or holds no ML program.
        ArtifactCorruptError: its manifest, model or weights are missing, truncated or contradictory.
        UnsupportedOpError: it uses ops that this version of coremltools does not know.
    """
    return load_functions(open_package(package))[0]


def load_functions(opened: Package) -> list[Program]:
    """Reads all functions of an opened package, the one that runs by default first. Errors as `load_program`."""
    package, spec = opened.folder, opened.specification
    _check_kind(opened)
    _check_ops_known(package, spec.mlProgram)
    try:
        mil = load(spec, spec.specificationVersion, str(opened.weights))
        default = spec.description.defaultFunctionName or "main"
        if default not in mil.functions:
            listed = ", ".join(map(repr, mil.functions)) or "none"
            raise ArtifactError(f"{package} has no function {default!r}; it has {listed}")
        described = _described_inputs(spec.description, default)
        names = sorted(mil.functions, key=lambda name: name != default)
        return [
            Program(
                package=package,
                name=name,
                inputs=tuple(
                    _flexible(_value_spec(variable), described.get((name, variable.name)))
                    for variable in mil.functions[name].inputs.values()
                ),
                outputs=tuple(_value_spec(variable) for variable in mil.functions[name].outputs),
                specification=int(spec.specificationVersion),
                function=mil.functions[name],
            )
            for name in names
        ]
    except ArtifactError:
        raise
    except Exception as error:
        # The reader has no error class of its own: truncated weights and wrong types come as anything.
        raise ArtifactCorruptError(
            f"{package}: the program cannot be read back ({first_line(error)}); the weights may be truncated"
        ) from error


def _nested(operations: Iterable[Any]) -> Iterator[Any]:
    for op in operations:
        yield op
        for block in op.blocks:
            yield from _nested(block.operations)


def _check_kind(package: Package) -> None:
    kind = package.specification.WhichOneof("Type")
    if kind is None:
        raise ArtifactCorruptError(f"{package.folder}: the model file is empty")
    if kind != "mlProgram":
        raise ArtifactError(f"{package.folder} holds a model of type {kind}; only mlProgram can be run")


def _check_ops_known(package: Path, program: Any) -> None:
    """Names the ops that coremltools cannot read, where it would end with an AttributeError at the first."""
    unknown: dict[str, str] = {}
    for op in operations_of(program):
        # `write_state` exists only in files; coremltools reads it as `coreml_update_state`.
        if op.type != "write_state" and not hasattr(Builder, op.type):
            unknown.setdefault(op.type, op.outputs[0].name if op.outputs else "")
    if unknown:
        listed = ", ".join(f"{op_type} (first: '{name}')" for op_type, name in sorted(unknown.items()))
        raise UnsupportedOpError(f"{package} uses ops that coremltools does not know: {listed}")


def operations_of(program: Any) -> Iterator[Any]:
    """All operations of a program's protobuf message: of every function, and inside branches and bodies."""
    pending = [block for function in program.functions.values() for block in function.block_specializations.values()]
    while pending:
        for op in pending.pop().operations:
            yield op
            pending.extend(op.blocks)


def _described_inputs(description: Any, default: str) -> dict[tuple[str, str], Any]:
    """The types that a package declares for its inputs, by function and name."""
    found = {(default, feature.name): feature.type for feature in description.input}
    for function in description.functions:
        found |= {(function.name, feature.name): feature.type for feature in function.input}
    return found


def _flexible(spec: ValueSpec, declared: Any) -> ValueSpec:
    """The input with the shapes that its declaration allows: those may be wider than the program's own."""
    shapes, ranges = _declared(declared)
    if shapes:
        if len(set(shapes)) == 1:
            return spec
        listed = ", ".join("x".join(map(str, shape)) for shape in shapes[:4]) + (", ..." if len(shapes) > 4 else "")
        varying = [len(set(sizes)) > 1 for sizes in zip(*shapes, strict=False)]
        words = f"{ENUMERATED} {len(set(shapes))} shapes: {listed}"
    elif any(low != high for low, high in ranges):
        # An upper bound below 0 stands for none.
        parts = (f"{low}" if low == high else f"{low} to {'any' if high < 0 else high}" for low, high in ranges)
        varying = [low != high for low, high in ranges]
        words = f"sizes {', '.join(parts)}"
    else:
        return spec
    # Images declare height and width alone, the last two of the tensor's sizes.
    free = [False] * (len(spec.shape) - len(varying)) + varying
    shape = tuple(None if open_ else size for size, open_ in zip(spec.shape, free, strict=False))
    return replace(spec, shape=shape if len(free) == len(spec.shape) else spec.shape, allowed=words)


def _declared(declared: Any) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
    """Enumerated shapes, and the least and largest size of each dimension, as far as a type declares them."""
    shapes: list[tuple[int, ...]] = []
    ranges: list[tuple[int, int]] = []
    if declared is None:
        return shapes, ranges
    kind = declared.WhichOneof("Type")
    if kind == "multiArrayType":
        array = declared.multiArrayType
        shapes = [tuple(each.shape) for each in array.enumeratedShapes.shapes]
        ranges = [(each.lowerBound, each.upperBound) for each in array.shapeRange.sizeRanges]
    elif kind == "imageType":
        image = declared.imageType
        shapes = [(each.height, each.width) for each in image.enumeratedSizes.sizes]
        if image.HasField("imageSizeRange"):
            sides = (image.imageSizeRange.heightRange, image.imageSizeRange.widthRange)
            ranges = [(each.lowerBound, each.upperBound) for each in sides]
    return shapes, ranges


def _value_spec(variable: Any) -> ValueSpec:
    name = storage_name(variable)
    dtype = STORAGES[name].numpy if name in STORAGES else np.dtype(object)
    return ValueSpec(variable.name, known_shape(variable), dtype, name)


def known_shape(variable: Any) -> tuple[int | None, ...]:
    """A variable's shape, None for each dimension that only a run decides."""
    return tuple(None if is_symbolic(size) else int(size) for size in variable.shape)
