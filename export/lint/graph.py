"""A model's graph in one neutral form, whatever file it was read from: all that the rules need, and no more."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

_NARROW = re.compile(r"u?int([1-7])")
# Floats that numpy knows from ml_dtypes alone.
_OTHER_FLOATS = frozenset({"bfloat16"})
HALF_TYPES = frozenset({"float16", "bfloat16"})


class Format(StrEnum):
    """Where a graph was read from; `PROGRAM` is torch's exported program, before any conversion."""

    PROGRAM = "exported program"
    ONNX = "onnx"
    COREML = "coreml"
    COREAI = "coreai"
    EXECUTORCH = "executorch"
    TFLITE = "tflite"


class OpKind(StrEnum):
    """What an op does, as far as a rule cares. `LINEAR` multiplies by weights, `MATMUL` two computed values."""

    CONV = "convolution"
    LINEAR = "linear layer"
    MATMUL = "matrix product"
    EMBEDDING = "embedding"
    BATCH_NORM = "batch norm"
    ARGMAX = "argmax"
    ROOT = "root"
    ADD = "add"
    ARITHMETIC = "arithmetic"
    COMPARE = "comparison"
    SHAPE = "shape"
    CAST = "cast"
    QUANTIZE = "quantize"
    DEQUANTIZE = "dequantize"
    OTHER = "other"


HEAVY_KINDS = frozenset({OpKind.CONV, OpKind.LINEAR, OpKind.MATMUL})
WEIGHTED_KINDS = frozenset({OpKind.CONV, OpKind.LINEAR})


def in_part(part: str, name: str) -> str:
    """A name inside one of several graphs: names of different graphs are different."""
    return f"{part}: {name}" if part else name


@dataclass(frozen=True)
class Value:
    """A tensor between ops: element type by numpy's name (`int4` and the like by their own), None for a free size.

    A shape of None says that not even the rank is known; a scalar's is empty. `allowed` has the shapes that a free one
    may take, in words, where the file lists them.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    allowed: str = ""

    @property
    def is_free(self) -> bool:
        """Whether a size, or the shape as a whole, is open."""
        return self.shape is None or None in self.shape

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name}: {self.dtype} of any shape"
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype} [{sizes}]" + (f" ({self.allowed})" if self.allowed else "")


@dataclass(frozen=True)
class Weight:
    """A stored constant. `place` tells where its bytes lie: two names at one place are stored once.

    `lowest` is the smallest value of a floating-point constant, None for others. `read` says whether an op reads it:
    what nothing reads takes room and does no more.
    """

    name: str
    dtype: str
    size_bytes: int
    place: str
    sha256: str
    lowest: float | None
    read: bool = True


@dataclass(frozen=True)
class Op:
    """One op: its name in the file's own vocabulary, what it does, and the values it reads and gives.

    `delegated` says whether a delegate takes it, None where the format knows no delegates. `activation_bits` is the
    width that what it computes with was rounded to, None for floating point. `part` is the graph, signature, function
    or method of the file that it belongs to, empty where there is one.
    """

    name: str
    kind: OpKind
    where: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    delegated: bool | None = None
    activation_bits: int | None = None
    part: str = ""


@dataclass(frozen=True)
class Graph:
    """A model's graph in the order in which it runs; of a file with several, all of them one after the other.

    `versions` has what the format says about its version, by name: `opset`, `ir`, `specification`, ... `opaque` names
    delegates whose insides cannot be read: a rule about what is missing must not speak about such a graph. `parts` has
    the names of several graphs that an application calls, `inner` those of branches and bodies that ops call; `unseen`
    says in words what of the file was not looked at, and why.
    """

    format: Format
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    ops: tuple[Op, ...]
    values: dict[str, Value]
    weights: tuple[Weight, ...]
    versions: dict[str, str] = field(default_factory=dict)
    opaque: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @functools.cached_property
    def producers(self) -> dict[str, Op]:
        """The op that gives each value."""
        return {name: op for op in self.ops for name in op.outputs}

    def inputs_of(self, part: str) -> tuple[Value, ...]:
        """The inputs of one of several graphs; of a single one, all."""
        return tuple(value for value in self.inputs if value.name.startswith(in_part(part, "")))

    @functools.cached_property
    def in_half(self) -> bool:
        """Whether any value or constant is a half float."""
        stored = {weight.dtype for weight in self.weights} | {value.dtype for value in self.values.values()}
        return bool(stored & HALF_TYPES)

    def before(self, name: str, steps: int) -> Iterator[Op]:
        """The ops that a value is computed by, at most `steps` back, the nearest first."""
        seen: set[str] = set()
        names = [name]
        for _ in range(steps):
            ops = [self.producers[each] for each in names if each in self.producers and each not in seen]
            seen.update(names)
            yield from ops
            # What lies before a product with weights is another layer.
            names = [each for op in ops if op.kind not in WEIGHTED_KINDS for each in op.inputs]


def typed(raw: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """Bytes as elements of a type that numpy has a name for; as they are where it has none or they do not fit."""
    if dtype not in np.sctypeDict or np.dtype(dtype).kind not in "fiubc" or raw.size % np.dtype(dtype).itemsize:
        return raw
    return raw.view(dtype)


def weight_of(
    name: str,
    array: np.ndarray[Any, Any] | np.float64,
    *,
    dtype: str | None = None,
    place: str = "",
    unpacked: bool = False,
    read: bool = True,
) -> Weight:
    """A constant's record from its values.

    `dtype` is the stored type where numpy has no name for it; `unpacked` says that `array` has an element for each
    value of such a type, not its packed bytes.
    """
    values = np.ascontiguousarray(array)
    # Narrow elements are held one to a byte in memory, and packed in the file.
    bits = int(narrow[1]) if (narrow := _NARROW.fullmatch(dtype or "")) and unpacked else 8 * values.itemsize
    lowest = None
    if values.size and (values.dtype.kind == "f" or values.dtype.name in _OTHER_FLOATS):
        # NaN is left out: it would hide what is lower.
        numbers = values if values.dtype.kind == "f" else values.astype(np.float32)
        lowest = float(np.fmin.reduce(numbers, axis=None))
    return Weight(
        name=name,
        dtype=dtype or values.dtype.name,
        size_bytes=-(-values.size * bits // 8),
        place=place or name,
        # By bytes: buffers know no types of 4 bits.
        sha256=hashlib.sha256(values.reshape(-1).view(np.uint8).data).hexdigest(),
        lowest=lowest,
        read=read,
    )
