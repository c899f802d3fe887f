"""Factors that are fitted to measured files: the method on known costs, and the committed table on its evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pocketclip.benchmark.precision_costs import measuring
from pocketclip.benchmark.precision_costs.fitting import fit, rough_factors
from pocketclip.benchmark.precision_costs.measuring import read_measurements
from pocketclip.benchmark.precision_costs.subjects import make_subject, random_plans
from pocketclip.export.mixed.cost import CostGraph, Factors
from pocketclip.export.mixed.cost_factors import factors_for
from pocketclip.export.mixed.units import collapsed
from pocketclip.export.mixed.work import Work, work_of
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower

EVIDENCE = Path(measuring.__file__).with_name("measured.json")
TARGETS = (TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE)


def test_costs_that_are_a_sum_are_predicted() -> None:
    """40 files of known factors, with an error of 1 % in each: files that took no part are predicted to within 5 %."""
    chance = np.random.default_rng(3)
    size = 2 * len(Work) + 3
    rough = rough_factors()
    factors = rough * chance.uniform(0.3, 3.0, size)
    rows = [chance.uniform(0, 1, size) / rough * chance.uniform(1, 20) for _ in range(40)]
    measured = [float(row @ factors) * chance.uniform(0.99, 1.01) for row in rows]
    found = fit(rows, measured)
    assert found.files == 40
    assert found.error_median < 0.02 and found.error_max < 0.1
    fitted = found.factors.row
    assert all(float(row @ fitted) == pytest.approx(value, rel=0.05) for row, value in zip(rows, measured, strict=True))


def test_factors_keep_their_places() -> None:
    row = [float(place) for place in range(2 * len(Work) + 3)]
    assert Factors.of(row).row.tolist() == row


def test_plans_are_the_same_every_time_and_differ() -> None:
    names = [f"m{place}" for place in range(49)]
    made = list(random_plans(names, 8, measuring.SEED))
    assert made == list(random_plans(names, 8, measuring.SEED))
    assert len(set(made)) == 8 and all(0 < len(kept) < 49 for kept in made)


@pytest.mark.parametrize("target", TARGETS)
def test_evidence_has_both_processors(target: TargetName) -> None:
    files = [entry for entry in read_measurements(EVIDENCE).files if entry.target is target]
    assert len(files) >= 7
    assert all(entry.instructions is not None for entry in files)
    assert sum(entry.seconds is not None for entry in files) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_table_predicts_its_evidence(target: TargetName) -> None:
    """Nano's image tower: as shares of fp32, each plan's cost is told to within a seventh."""
    measured = [
        entry
        for entry in read_measurements(EVIDENCE).files
        if (entry.target, entry.model, entry.tower) == (target, "pocketclip_nano", Tower.IMAGE)
    ]
    subject = make_subject("pocketclip_nano", Tower.IMAGE, target, Precision.INT8_STATIC)
    graph = CostGraph(work_of(subject.passed.module, subject.passed.example), target, InstructionSet.ARM64)
    factors = factors_for(target, Precision.INT8_STATIC)[InstructionSet.ARM64]
    (fp32,) = (entry.instructions for entry in measured if entry.kept is None)
    whole = graph.cost(factors, graph.everything)
    mixed = [entry for entry in measured if entry.kept is not None]
    assert fp32 is not None and len(mixed) >= 4
    for entry in mixed:
        assert entry.instructions is not None and entry.kept is not None
        share = graph.cost(factors, graph.in_float(collapsed(entry.kept, subject.units))) / whole
        assert share == pytest.approx(entry.instructions / fp32, rel=1 / 7), entry.folder_name
