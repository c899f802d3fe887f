"""What `inspect` shows of a Core ML package: plain records that one process can pass to another without coremltools."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OpSummary:
    """All ops of one type: how many, the element types of their results, and the bytes of the weights they read.

    `known` says whether the reference executor can run them.
    """

    op_type: str
    count: int
    precisions: tuple[tuple[str, int], ...]
    weight_bytes: int
    known: bool


@dataclass(frozen=True)
class WeightSummary:
    """All weights stored in one form: how many, their bytes, and the values they stand for."""

    form: str
    count: int
    stored_bytes: int
    values: int

    @property
    def bits(self) -> float:
        """Bits a value, with scales, tables and masks."""
        return 8 * self.stored_bytes / max(1, self.values)


@dataclass(frozen=True)
class Inspection:
    """A program's ops, the most frequent first, and its weights, the largest form first."""

    ops: tuple[OpSummary, ...]
    weights: tuple[WeightSummary, ...]

    @property
    def unknown_ops(self) -> tuple[str, ...]:
        """Op types that the reference executor lacks."""
        return tuple(op.op_type for op in self.ops if not op.known)


@dataclass(frozen=True)
class FunctionReport:
    """One function: its inputs and outputs in words, what it is made of, and predicted trouble spots in words."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    inspection: Inspection
    predictions: tuple[str, ...]


@dataclass(frozen=True)
class PackageReport:
    """A package: the version of its specification, and its functions, the one that runs by default first."""

    specification: int
    functions: tuple[FunctionReport, ...]
