"""What a plan costs on a processor, predicted: work at each precision, and values converted between precisions.

    cost = sum over ops of (factor of its kind at its precision) x (its amount) + (factor of an op)
         + factors of quantising and dequantising x elements of the values that cross a border

The factors of each runtime and processor are fitted to measured files (`export.mixed.cost_factors`). Costs tell plans
of one tower apart, and are told as shares of the same tower in fp32; they are no latency.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.artifact.precision_plan import OWN, PredictedCost, covers
from pocketclip.export.mixed.work import Op, Work
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import InstructionSet, Precision, TargetName
from pocketclip.export.targets.float_ops import OpKind, float_ops

Mask = NDArray[np.bool_]

# What a target's static quantiser gives to integer kernels, or wraps in conversions, before `float_ops`.
_QUANTISED: dict[TargetName, frozenset[Work]] = {
    TargetName.ONNX: frozenset(Work) - {Work.GELU, Work.OTHER},
    TargetName.EXECUTORCH: frozenset(
        {Work.LINEAR, Work.POINTWISE, Work.SPATIAL, Work.DEPTHWISE, Work.SUM, Work.MULTIPLICATION}
    ),
    TargetName.TFLITE: frozenset(Work),
}
_LEFT_ALONE = {
    OpKind.DEPTHWISE: Work.DEPTHWISE,
    OpKind.ADD: Work.SUM,
    OpKind.GELU: Work.GELU,
    OpKind.PRODUCT: Work.PRODUCT,
    OpKind.SOFTMAX: Work.SOFTMAX,
}
_KINDS = tuple(Work)


@dataclass(frozen=True)
class Factors:
    """Cost of a unit of each kind of work, of an op, and of an element that is converted; in any one unit."""

    in_float: dict[Work, float]
    in_int8: dict[Work, float]
    quantise: float
    dequantise: float
    op: float

    @property
    def row(self) -> NDArray[np.float64]:
        """In the order of `CostGraph.amounts`."""
        kinds = [*(self.in_float.get(kind, 0.0) for kind in _KINDS), *(self.in_int8.get(kind, 0.0) for kind in _KINDS)]
        return np.array([*kinds, self.quantise, self.dequantise, self.op])

    @classmethod
    def of(cls, row: Sequence[float]) -> Factors:
        """Of values in the order of `CostGraph.amounts`."""
        kinds = len(_KINDS)
        return cls(
            dict(zip(_KINDS, row[:kinds], strict=True)),
            dict(zip(_KINDS, row[kinds : 2 * kinds], strict=True)),
            *row[2 * kinds :],
        )


class CostGraph:
    """A tower's ops, ready to be costed at one choice of modules in float after the other."""

    def __init__(self, ops: Sequence[Op], target: TargetName, isa: InstructionSet) -> None:
        """`isa` is that of the devices that the file is made for: by it some kinds of op stay in float."""
        self.ops = tuple(ops)
        alone = {_LEFT_ALONE[kind] for kind in float_ops(target, isa) if kind in _LEFT_ALONE}
        quantised = _QUANTISED[target] - alone
        self._float = np.array([op.work not in quantised or NORM_SCOPE in op.module.split(".") for op in ops], bool)
        self._kinds = np.array([_KINDS.index(op.work) for op in ops], np.int64)
        self._amounts = np.array([op.amount for op in ops], np.float64)
        self._filters = np.array([op.filters for op in ops], np.float64)
        # One more for the tower's input, which is float, in the place -1.
        inputs = max((op.elements for op in ops if -1 in op.sources), default=0)
        self._elements = np.array([*(op.elements for op in ops), inputs], np.float64)
        edges = [(source, place) for place, op in enumerate(ops) for source in op.sources]
        self._sources = np.array([source for source, _ in edges], np.int64)
        self._readers = np.array([reader for _, reader in edges], np.int64)

    def in_float(self, paths: Collection[str]) -> Mask:
        """Which ops compute in float where a plan keeps these modules so."""
        return np.array([covers(paths, op.module) for op in self.ops], bool)

    def by_unit(self, units: Sequence[str]) -> NDArray[np.int64]:
        """The place of the unit that each op is in; `len(units)` for those in none."""
        places = {unit: place for place, unit in enumerate(units)}
        found = []
        for op in self.ops:
            above = [op.module]
            while "." in above[-1]:
                above.append(above[-1].rpartition(".")[0])
            own = places.get(f"{op.module}{OWN}")
            inside = next((places[path] for path in above if path in places), len(units))
            found.append(inside if own is None else own)
        return np.array(found, np.int64)

    def never_quantised(self, units: Sequence[str]) -> frozenset[str]:
        """Units whose ops the target leaves in float whatever the plan; those without ops are not among them."""
        inside = self.by_unit(units)
        floats = (self._float[inside == place] for place in range(len(units)))
        return frozenset(unit for unit, ops in zip(units, floats, strict=True) if len(ops) and ops.all())

    def amounts(self, kept: Mask) -> NDArray[np.float64]:
        """What the factors multiply, where these ops are kept in float too: see `Factors.row`."""
        kinds = len(_KINDS)
        floats = self._float | kept
        found = np.zeros(2 * kinds + 3)
        offsets = np.where(floats, 0, kinds)
        np.add.at(found, self._kinds + offsets, self._amounts)
        np.add.at(found, _KINDS.index(Work.FILTER) + offsets, self._filters)
        padded = np.append(floats, True)
        before, after = padded[self._sources], padded[self._readers]
        for place, crossing in ((2 * kinds, before & ~after), (2 * kinds + 1, ~before & after)):
            crossed = np.zeros(len(padded), bool)
            crossed[self._sources[crossing]] = True
            found[place] = self._elements[crossed].sum()
        found[-1] = len(self.ops)
        return found

    def cost(self, factors: Factors, kept: Mask) -> float:
        """In the unit of the factors."""
        return float(factors.row @ self.amounts(kept))

    @property
    def everything(self) -> Mask:
        """All ops in float."""
        return np.ones(len(self.ops), bool)

    @property
    def nothing(self) -> Mask:
        """No op in float but those that always are."""
        return np.zeros(len(self.ops), bool)


def predicted(
    graph: CostGraph, factors: dict[InstructionSet, Factors], in_float: Collection[str], base: Precision
) -> tuple[PredictedCost, ...]:
    """What a plan costs on each processor, as shares of the tower in fp32 and at the plan's base precision."""
    mask = graph.in_float(in_float)
    found = []
    for isa, each in sorted(factors.items()):
        cost = graph.cost(each, mask)
        of_fp32 = round(cost / graph.cost(each, graph.everything), 3)
        of_base = round(cost / graph.cost(each, graph.nothing), 3)
        cheaper = [name for name, share in ((Precision.FP32, of_fp32), (base, of_base)) if share > 1]
        found.append(PredictedCost(isa, of_fp32, of_base, tuple(cheaper)))
    return tuple(found)
