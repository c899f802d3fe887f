"""The parity check: non-finite first, every budget judged, and planted damage found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.ladder.budgets import budget_of
from pocketclip.export.ladder.report import RungName
from pocketclip.export.parity.budgets import APPROXIMATIONS, BUDGETS
from pocketclip.export.parity.clip_budgets import clip_budget_for
from pocketclip.export.parity.measures import Reference, compare, cosines, make_reference, same_best, top1_agreement
from pocketclip.export.passes.registry import PASSES
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import create_model
from pocketclip.models.errors import NonFiniteError

FP32 = BUDGETS[TargetName.ONNX, Precision.FP32]
INT8 = BUDGETS[TargetName.ONNX, Precision.INT8_STATIC]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return make_reference(create_model("pocketclip_nano"), Tower.IMAGE)


def test_pytorch_agrees_with_itself(reference: Reference) -> None:
    report = compare(reference, reference.embeddings, FP32, "torch")
    assert report.passed
    assert report.cosine_min == pytest.approx(1)
    assert report.snr_db == 200
    assert report.top1_agreement == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_fails_before_any_metric(reference: Reference, value: float) -> None:
    outputs = reference.embeddings.copy()
    outputs[3, 5] = value
    with pytest.raises(NonFiniteError, match=r"1 of .* sample 3"):
        compare(reference, outputs, INT8, "planted")


def test_one_bad_sample_is_not_averaged_away(reference: Reference) -> None:
    outputs = reference.embeddings.copy()
    outputs[7] = -outputs[7]
    report = compare(reference, outputs, INT8, "planted")
    assert not report.passed
    assert any("cosine_min" in failure for failure in report.failures)


def test_every_metric_can_fail(reference: Reference) -> None:
    noise = np.random.default_rng(0).standard_normal(reference.embeddings.shape).astype(np.float32)
    report = compare(reference, noise / np.linalg.norm(noise, axis=1, keepdims=True), INT8, "noise")
    named = {failure.split()[0] for failure in report.failures}
    assert named == {"cosine_mean", "cosine_p1", "cosine_min", "max_abs", "snr_db", "top1_agreement"}


def test_broken_folding_is_named(reference: Reference) -> None:
    broken = dataclasses.replace(reference, multibranch_cosine_min=0.99)
    report = compare(broken, reference.embeddings, FP32, "torch")
    assert any("multi-branch" in failure for failure in report.failures)


def test_wrong_mean_is_found(reference: Reference) -> None:
    model = create_model("pocketclip_nano")
    with torch.inference_mode():
        shifted = torch.cat([model.encode_image(torch.from_numpy(array) - 0.5) for array in reference.inputs])
        outputs = torch.nn.functional.normalize(shifted, dim=-1).numpy()
    assert not compare(reference, outputs, INT8, "planted").passed


def test_metrics_against_hand_values() -> None:
    first, second = np.eye(2, dtype=np.float32), np.array([[0.6, 0.8], [0, 2]], np.float32)
    np.testing.assert_allclose(cosines(first, second), [0.6, 1.0])
    assert top1_agreement(first, second, np.eye(2, dtype=np.float32)) == 0.5


def test_of_equal_matches_any_is_the_best() -> None:
    """Untrained towers give cosines that differ by rounding alone: which is the greatest says nothing."""
    expected, counterpart = np.array([[0.6, 0.8]], np.float32), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    counterpart[0, 1] += np.float32(2e-7)
    turned = counterpart[::-1].copy()
    assert top1_agreement(expected, expected, counterpart) == 1
    assert same_best(expected @ counterpart.T, expected @ turned.T).all()
    # A lead beyond rounding counts.
    counterpart[0, 1] += np.float32(1e-4)
    assert not same_best(expected @ counterpart.T, expected @ turned.T).any()


def test_every_pass_that_changes_values_has_a_budget() -> None:
    """Without one, the ladder asks for the rounding of fp32 after a pass that is no mere rewriting."""
    inexact = {name for name, entry in PASSES.items() if not entry.exact}
    assert inexact == set(APPROXIMATIONS)
    for name in inexact:
        plain = budget_of(RungName.PASSES, TargetName.EXECUTORCH, Precision.FP16, ())
        assert budget_of(RungName.PASSES, TargetName.EXECUTORCH, Precision.FP16, (name,)).snr_db < plain.snr_db
        gates = clip_budget_for(TargetName.EXECUTORCH, Precision.FP32, (name,))
        assert gates != clip_budget_for(TargetName.EXECUTORCH, Precision.FP32)


@pytest.mark.parametrize("target", [target for target, precision in BUDGETS if precision is Precision.FP16])
def test_every_target_has_a_budget_before_its_conversion(target: TargetName) -> None:
    """Those for NPUs have no fp32 of their own."""
    plain = budget_of(RungName.PROGRAM, target, Precision.FP16)
    assert plain == budget_of(RungName.REPARAMETERISED, target, Precision.FP16) == FP32
    wider = budget_of(RungName.PROGRAM, target, Precision.FP16, (PassName.SIGMOID_GELU,))
    assert wider.cosine_min == APPROXIMATIONS[PassName.SIGMOID_GELU].cosine_min < plain.cosine_min
