"""What `inspect` shows of a Core AI asset: its functions, ops, and the forms in which weights are stored."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

from pocketclip.export.coreai.program import AssetProgram, Function, TensorValue
from pocketclip.export.package_report import FunctionReport, Inspection, OpSummary, WeightSummary

# Ops that give a weight from what is stored of it.
STORED_FORMS = frozenset(
    {
        *("blockwise_shift_scale", "build_sparse_with_bitmask", "cast", "lut_to_dense", "lut_to_sparse_with_bitmask"),
        *("reshape", "sparse_with_bitmask_to_dense", "transpose"),
    }
)
# They change no form.
_PLAIN = frozenset({"cast", "reshape", "transpose"})


@dataclass(frozen=True)
class AssetReport:
    """An asset: the version of its format, what wrote it, and its functions, the one that runs by default first.

    `composites` are functions that ops of the others invoke.
    """

    format: str
    producer: str
    functions: tuple[FunctionReport, ...]
    composites: tuple[str, ...]


@dataclass(frozen=True)
class _Stored:
    """A constant on its way to an op: its form, and the bytes of each constant it is made from."""

    form: str
    sizes: dict[str, int]


def report_of(program: AssetProgram, predictions: dict[str, tuple[str, ...]]) -> AssetReport:
    """The report of a program; `predictions` are trouble spots in words, by function."""
    return AssetReport(
        program.facts.format,
        program.facts.producer,
        tuple(
            FunctionReport(
                name=function.name,
                inputs=tuple(map(str, function.inputs)),
                outputs=tuple(map(str, function.outputs)),
                inspection=_inspection(function),
                predictions=predictions.get(function.name, ()),
            )
            for function in program.public
        ),
        tuple(each.name for each in program.functions if each.private),
    )


def _inspection(function: Function) -> Inspection:
    stored = {
        each.value.name: _Stored(each.value.dtype, {each.value.name: each.size_bytes}) for each in function.constants
    }
    counts: Counter[str] = Counter()
    precisions: dict[str, Counter[str]] = defaultdict(Counter)
    read: dict[str, int] = defaultdict(int)
    forms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    counted: set[str] = set()
    for op in function.ops:
        made_from = [stored[value.name] for value in op.inputs if value.name in stored]
        if op.name in STORED_FORMS and made_from and len(made_from) == len(op.inputs):
            plain = op.name in _PLAIN
            form = made_from[0].form if plain else f"{op.name} of {made_from[0].form}"
            # Axes and shapes are no part of a weight.
            parts = made_from[:1] if plain else made_from
            sizes = {name: size for each in parts for name, size in each.sizes.items()}
            stored |= {value.name: _Stored(form, sizes) for value in op.outputs}
            continue
        if op.name == "output":
            continue
        counts[op.name] += 1
        precisions[op.name].update(value.dtype for value in op.outputs)
        for value in op.inputs:
            if value.name not in stored or not _is_weight(value):
                continue
            size = sum(stored[value.name].sizes.values())
            read[op.name] += size
            # A weight that two ops read is stored once.
            if value.name not in counted:
                counted.add(value.name)
                sums = forms[stored[value.name].form]
                forms[stored[value.name].form] = [sums[0] + 1, sums[1] + size, sums[2] + _elements(value)]
    ops = tuple(
        OpSummary(name, count, tuple(precisions[name].most_common()), read[name], known=True)
        for name, count in counts.most_common()
    )
    weights = sorted((WeightSummary(form, *sums) for form, sums in forms.items()), key=lambda each: -each.stored_bytes)
    return Inspection(ops, tuple(weights))


def _is_weight(value: TensorValue) -> bool:
    """Whether a constant is a weight: axes and shapes are whole numbers, factors single ones."""
    return "float" in value.dtype and _elements(value) > 1


def _elements(value: TensorValue) -> int:
    return math.prod(size or 0 for size in value.shape or ())
