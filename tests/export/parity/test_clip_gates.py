"""CLIP-level gates against cases that can be counted by hand, and the table of their budgets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pocketclip.export.parity.budgets import BUDGETS
from pocketclip.export.parity.clip_budgets import CLIP_BUDGETS
from pocketclip.export.parity.clip_gates import ClipBudget, ClipGates, ClipSet, judge, overlap
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import TARGETS

STRICT = ClipBudget(0.1, 0.0, 1.0, 1.0, 1.0, 1.0, "planted")


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def towers() -> tuple[ClipSet, ClipSet]:
    """Images, and captions near them with labels."""
    generator = np.random.default_rng(3)
    images = unit(generator.standard_normal((40, 8)))
    return ClipSet(images), ClipSet(unit(images + 0.3 * generator.standard_normal((40, 8))), unit(images[:6]))


def judged(tower: Tower, fp32: ClipSet, artifact: ClipSet, other: ClipSet, **options: str) -> ClipGates:
    return judge(tower, fp32, artifact, other, keep=np.arange(len(fp32.samples)), budget=STRICT, **options)


@pytest.mark.parametrize("tower", Tower)
def test_equal_embeddings_pass_everything(tower: Tower, towers: tuple[ClipSet, ClipSet]) -> None:
    ours, other = towers if tower is Tower.IMAGE else towers[::-1]
    gates = judged(tower, ours, ours, other)
    assert not gates.failures
    assert gates.cosine_min == pytest.approx(1)
    assert gates.histogram == (0, 0, 0, 0, 0, 0, 0, 40)
    assert (gates.samples, gates.labels) == (40, 6)


@pytest.mark.parametrize("tower", Tower)
def test_noise_fails_everything(tower: Tower, towers: tuple[ClipSet, ClipSet]) -> None:
    ours, other = towers if tower is Tower.IMAGE else towers[::-1]
    generator = np.random.default_rng(5)
    noise = ClipSet(
        unit(generator.standard_normal(ours.samples.shape)),
        None if ours.labels is None else unit(generator.standard_normal(ours.labels.shape)),
    )
    gates = judged(tower, ours, noise, other)
    assert {failure.split()[0] for failure in gates.failures} == {
        field.name for field in dataclasses.fields(ClipBudget) if field.name not in ("margin", "reason")
    }
    assert not judged(tower, ours, noise, other, unjudged="planted").failures


def test_flips_count_beyond_the_margin_alone() -> None:
    labels = np.eye(2, 4, dtype=np.float32)
    images = unit(np.array([[1.0, 0.0, 0, 1], [0.50, 0.49, 0, 1]]))
    flipped = unit(np.array([[0.0, 1.0, 0, 1], [0.49, 0.50, 0, 1]]))
    gates = judged(Tower.IMAGE, ClipSet(images), ClipSet(flipped), ClipSet(images, labels))
    # Both labels change; one led by 0.7, the other by 0.008.
    assert gates.top1_agreement == 0
    assert gates.margin_flips == 0.5


def test_overlap_by_hand_and_with_ties() -> None:
    expected = np.array([[0.9, 0.8, 0.1, 0.0]], np.float32)
    assert overlap(expected, np.array([[0.9, 0.0, 0.8, 0.1]], np.float32), nearest=2) == 0.5
    tied = np.array([[0.9, 0.8, 0.8, 0.0]], np.float32)
    assert overlap(tied, np.array([[0.9, 0.0, 0.8, 0.1]], np.float32), nearest=2) == 1.0


def test_every_cell_of_the_matrix_has_a_budget() -> None:
    cells = {(name, precision) for name, entry in TARGETS.items() for precision in entry.precisions}
    assert set(CLIP_BUDGETS) == cells == set(BUDGETS)
    assert all(budget.reason for budget in CLIP_BUDGETS.values())
    assert CLIP_BUDGETS[TargetName.ONNX, Precision.FP32].margin_flips == 0
