"""Core ML programs: reading a saved `.mlpackage` back into MIL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.converters.mil.mil.types.symbolic import is_symbolic
from google.protobuf.message import DecodeError

from export.coreml_reference.storage import STORAGES, storage_name
from export.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, UnsupportedOpError

# Where coremltools puts the weights of every package it writes.
_WEIGHTS = Path("Data", "com.apple.CoreML", "weights")


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """An input or output: its name, its shape (None for a dimension that is free) and its numpy type.

    A classifier gives its label as a string and probabilities as a dict: these are of numpy's type `object`, and
    `kind` is MIL's name for them.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    kind: str

    def __str__(self) -> str:
        if self.dtype == object:
            return f"{self.name}: {self.kind}"
        dimensions = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype} [{dimensions}]"


@dataclass(frozen=True, slots=True)
class Program:
    """The main function of a Core ML program, read back into MIL.

    An image input appears as the tensor the program computes with: `[1, 3, H, W]`, pixels 0 to 255.
    """

    package: Path
    inputs: tuple[ValueSpec, ...]
    outputs: tuple[ValueSpec, ...]
    specification: int
    """The version of Core ML's format that the package is written in."""
    function: Any
    """The `coremltools` MIL function; its operations are in the order in which they run."""

    def op_counts(self) -> dict[str, int]:
        """How often each op type occurs, constants left out, in alphabetical order."""
        counts = Counter(op.op_type for op in self.function.operations if op.op_type != "const")
        return dict(sorted(counts.items()))


def load_program(package: Path) -> Program:
    """Reads the program of a saved `.mlpackage`.

    Raises:
        ArtifactNotFoundError: nothing is there.
        ArtifactError: it is no mlpackage, or holds no ML program.
        ArtifactCorruptError: its manifest, model or weights are missing, truncated or contradictory.
        UnsupportedOpError: it uses ops that this version of coremltools does not know.
    """
    spec = _load_spec(package)
    _check_ops_known(package, spec.mlProgram)
    try:
        mil = load(spec, spec.specificationVersion, str(package / _WEIGHTS))
    except Exception as error:
        # The reader has no error class of its own: truncated weights and wrong types come as anything.
        raise ArtifactCorruptError(
            f"{package}: the program cannot be read back ({error}); the weights may be truncated. "
            "Export the model again."
        ) from error
    function = _main_function(package, mil, spec.description.defaultFunctionName or "main")
    return Program(
        package=package,
        inputs=tuple(_value_spec(variable) for variable in function.inputs.values()),
        outputs=tuple(_value_spec(variable) for variable in function.outputs),
        specification=int(spec.specificationVersion),
        function=function,
    )


def _load_spec(package: Path) -> Any:
    if not package.exists():
        raise ArtifactNotFoundError(f"{package} does not exist. Export the model first.")
    if not package.is_dir() or package.suffix != ".mlpackage":
        raise ArtifactError(f"{package} is no .mlpackage folder.")
    if not (package / "Manifest.json").is_file():
        raise ArtifactCorruptError(f"{package} has no Manifest.json. Export the model again.")
    try:
        spec: Any = coremltools.utils.load_spec(str(package))
    except (DecodeError, RuntimeError, OSError, UnicodeDecodeError) as error:
        raise ArtifactCorruptError(
            f"{package}: manifest or model file is truncated or altered ({error}). Export the model again."
        ) from error
    kind = spec.WhichOneof("Type")
    if kind is None:
        raise ArtifactCorruptError(f"{package}: the model file is empty. Export the model again.")
    if kind != "mlProgram":
        raise ArtifactError(f"{package} holds a model of type {kind}; only mlProgram can be run.")
    return spec


def _check_ops_known(package: Path, program: Any) -> None:
    """Names the ops that coremltools cannot read, where it would end with an AttributeError at the first."""
    unknown: dict[str, str] = {}
    for op in _operations(program):
        # `write_state` exists only in files; coremltools reads it as `coreml_update_state`.
        if op.type != "write_state" and not hasattr(Builder, op.type):
            unknown.setdefault(op.type, op.outputs[0].name if op.outputs else "")
    if unknown:
        listed = ", ".join(f"{op_type} (first: '{name}')" for op_type, name in sorted(unknown.items()))
        raise UnsupportedOpError(f"{package} uses ops that coremltools does not know: {listed}.")


def _operations(program: Any) -> Iterator[Any]:
    pending = [block for function in program.functions.values() for block in function.block_specializations.values()]
    while pending:
        for op in pending.pop().operations:
            yield op
            pending.extend(op.blocks)


def _main_function(package: Path, mil: Any, name: str) -> Any:
    if name not in mil.functions:
        raise ArtifactError(f"{package} has no function '{name}'; it has {', '.join(mil.functions)}.")
    return mil.functions[name]


def _value_spec(variable: Any) -> ValueSpec:
    name = storage_name(variable)
    dtype = STORAGES[name].numpy if name in STORAGES else np.dtype(object)
    return ValueSpec(variable.name, known_shape(variable), dtype, name)


def known_shape(variable: Any) -> tuple[int | None, ...]:
    """A variable's shape, None for each dimension that only a run decides."""
    return tuple(None if is_symbolic(size) else int(size) for size in variable.shape)
