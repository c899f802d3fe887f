"""Fits the factors of `export.mixed.cost` to measured files: least squares of relative errors, no factor below 0."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pocketclip.benchmark.precision_costs.measuring import MeasuredFile
from pocketclip.benchmark.precision_costs.subjects import make_subject
from pocketclip.export.mixed.cost import CostGraph, Factors
from pocketclip.export.mixed.units import collapsed
from pocketclip.export.mixed.work import MULTIPLYING, Op, Work, work_of
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower

# Every n-th plan is predicted by the factors that the others give.
FOLDS = 5
# Files do not tell all factors apart: those are drawn, weakly, to rough figures of vector kernels, in instructions for
# each multiply-accumulate or element. A processor's own rate is a factor on all of them.
_ROUGH_MACS = 0.4
_ROUGH_ELEMENTS = 4.0
_ROUGH_OP = 2000.0
_ROUGH_FILTER = 200.0
_TIE = 0.01

Row = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Factors, and the median and largest relative error of predictions for files that took no part."""

    factors: Factors
    files: int
    error_median: float
    error_max: float


def fit(rows: Sequence[Row], measured: Sequence[float]) -> Fit:
    """Fits all files, and judges by leaving out a fifth of them after the other.

    Args:
        rows: `CostGraph.amounts` of each file.
        measured: what each took.
    """
    errors: list[float] = []
    places = range(len(rows))
    for fold in range(FOLDS):
        kept = [place for place in places if place % FOLDS != fold]
        found = _solve([rows[place] for place in kept], [measured[place] for place in kept])
        errors += [abs(float(rows[place] @ found) / measured[place] - 1) for place in places if place % FOLDS == fold]
    return Fit(Factors.of(_solve(rows, measured).tolist()), len(rows), float(np.median(errors)), float(np.max(errors)))


def rough_factors() -> Row:
    """In the order of `CostGraph.amounts`."""
    kinds = [_ROUGH_MACS if kind in MULTIPLYING else _ROUGH_ELEMENTS for kind in Work]
    kinds[list(Work).index(Work.FILTER)] = _ROUGH_FILTER
    return np.array([*kinds, *kinds, _ROUGH_ELEMENTS, _ROUGH_ELEMENTS, _ROUGH_OP])


def _solve(rows: Sequence[Row], measured: Sequence[float]) -> Row:
    rough = rough_factors()
    estimates = np.stack(rows) @ rough
    rough = rough * float(np.median(np.array(measured) / estimates))
    relative = np.stack([row / value for row, value in zip(rows, measured, strict=True)]) * rough
    wanted = np.concatenate([np.ones(len(rows)), np.full(len(rough), _TIE)])
    found, _ = nnls(np.vstack([relative, _TIE * np.eye(len(rough))]), wanted)
    return found * rough


@dataclass(frozen=True)
class TargetFit:
    """A fit with what it is for."""

    target: TargetName
    processor: InstructionSet
    fit: Fit


def fit_all(files: Sequence[MeasuredFile]) -> list[TargetFit]:
    """Fits each target and processor that there are files of."""
    fits = []
    for target in dict.fromkeys(entry.target for entry in files):
        for processor, taken in ((InstructionSet.ARM64, _instructions), (InstructionSet.X86_64, _nanoseconds)):
            mine = [(entry, taken(entry)) for entry in files if entry.target is target]
            known = [(entry, value) for entry, value in mine if value is not None]
            # Fewer say nothing of how well what they lack is predicted.
            if len(known) >= FOLDS + 2:
                rows = [_row(entry) for entry, _ in known]
                fits.append(TargetFit(target, processor, fit(rows, [value for _, value in known])))
    return fits


def _instructions(entry: MeasuredFile) -> float | None:
    return None if entry.instructions is None else float(entry.instructions)


def _nanoseconds(entry: MeasuredFile) -> float | None:
    return None if entry.seconds is None else 1e9 * entry.seconds


def _row(entry: MeasuredFile) -> Row:
    ops, names = _tower(entry.model, entry.tower, entry.target, entry.precision)
    # The files were made for Arm.
    graph = CostGraph(ops, entry.target, InstructionSet.ARM64)
    if entry.kept is None:
        return graph.amounts(graph.everything)
    return graph.amounts(graph.in_float(collapsed(entry.kept, names)))


@functools.cache
def _tower(
    model: str, tower: Tower, target: TargetName, precision: Precision
) -> tuple[tuple[Op, ...], tuple[str, ...]]:
    subject = make_subject(model, tower, target, precision)
    return work_of(subject.passed.module, subject.passed.example), subject.units
