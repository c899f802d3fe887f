"""Each loss against an independent computation, and at the points where its value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import log_expit, log_softmax, softmax
from torch.nn import functional

from pocketclip.models.training.losses import (
    affinity_mimicking,
    contrastive_loss,
    repeated_captions,
    sigmoid_loss,
    similarity_distillation,
    token_loss,
)
from pocketclip.models.training.memory import EmbeddingMemory, Remembered

SCALE = torch.tensor(20.0)


def unit_rows(seed: int, rows: int = 6, columns: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(rows, columns, generator=generator), dim=-1)


IMAGE, TEXT, IDS = unit_rows(1), unit_rows(2), torch.arange(6)


def test_repeated_captions_leave_the_diagonal() -> None:
    repeated = repeated_captions(torch.tensor([4, 9, 4]))
    assert repeated.tolist() == [[False, False, True], [False, False, False], [True, False, False]]


def test_contrastive_loss_is_the_mean_of_both_directions() -> None:
    logits = 20 * IMAGE.numpy().astype(np.float64) @ TEXT.numpy().T
    expected = -(np.diag(log_softmax(logits, 1)).mean() + np.diag(log_softmax(logits, 0)).mean()) / 2
    assert contrastive_loss(IMAGE, TEXT, SCALE, IDS).item() == pytest.approx(expected, rel=1e-5)


def test_contrastive_loss_of_perfect_pairs_is_near_zero_and_duplicates_are_no_negatives() -> None:
    eye, ids = torch.eye(4), torch.arange(4)
    assert contrastive_loss(eye, eye, torch.tensor(100.0), ids) < 1e-6
    twins = eye.clone()
    twins[1] = twins[0]
    same = torch.tensor([0, 0, 2, 3])
    assert contrastive_loss(twins, twins, torch.tensor(100.0), same) < 1e-6
    assert contrastive_loss(twins, twins, torch.tensor(100.0), ids) > 0.3


def test_remembered_samples_are_further_negatives_except_of_the_same_caption() -> None:
    remembered = Remembered(unit_rows(3), unit_rows(4), torch.tensor([100, 2, 101, 102, 2, 103]))
    image, text = IMAGE.numpy().astype(np.float64), TEXT.numpy().astype(np.float64)
    by_image = 20 * np.hstack([image @ text.T, image @ remembered.text.numpy().T])
    by_text = 20 * np.hstack([text @ image.T, text @ remembered.image.numpy().T])
    for logits in (by_image, by_text):
        logits[2, [7, 10]] = -np.inf
    expected = -(np.diag(log_softmax(by_image, 1)).mean() + np.diag(log_softmax(by_text, 1)).mean()) / 2
    found = contrastive_loss(IMAGE, TEXT, SCALE, IDS, remembered)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert found > contrastive_loss(IMAGE, TEXT, SCALE, IDS)


def test_a_memory_keeps_the_last_samples() -> None:
    memory = EmbeddingMemory(5, 2)
    for start in range(0, 9, 3):
        assert (memory.content() is None) == (start < 5)
        ids = torch.arange(start, start + 3)
        memory.add(ids[:, None] * torch.ones(2), -ids[:, None] * torch.ones(2), ids)
    kept = memory.content()
    assert kept is not None
    assert sorted(kept.caption_ids.tolist()) == [4, 5, 6, 7, 8]
    assert torch.equal(kept.image[:, 0], kept.caption_ids.float()) and torch.equal(kept.text, -kept.image)
    # More than fits: the last ones stay.
    memory.add(torch.zeros(12, 2), torch.zeros(12, 2), torch.arange(20, 32))
    again = memory.content()
    assert again is not None and sorted(again.caption_ids.tolist()) == [27, 28, 29, 30, 31]
    assert sorted(kept.caption_ids.tolist()) == [4, 5, 6, 7, 8]


def test_sigmoid_loss_asks_of_every_pair() -> None:
    bias = torch.tensor(-3.0)
    logits = 20 * IMAGE.numpy().astype(np.float64) @ TEXT.numpy().T - 3
    signs = 2 * np.eye(6) - 1
    expected = -log_expit(signs * logits).sum() / 6
    assert sigmoid_loss(IMAGE, TEXT, SCALE, bias, IDS).item() == pytest.approx(expected, rel=1e-5)


def test_sigmoid_loss_leaves_out_pairs_that_share_a_caption() -> None:
    eye = torch.eye(3)
    twins = eye.clone()
    twins[1] = twins[0]
    same, apart = torch.tensor([0, 0, 2]), torch.arange(3)
    scale, bias = torch.tensor(100.0), torch.tensor(-50.0)
    assert sigmoid_loss(twins, twins, scale, bias, same) < 1e-6
    assert sigmoid_loss(twins, twins, scale, bias, apart) > 10


def test_distillation_averages_the_teachers_after_the_softmax() -> None:
    teachers = [(unit_rows(3, columns=7), unit_rows(4, columns=7)), (unit_rows(5), unit_rows(6))]
    own = 20 * IMAGE.numpy().astype(np.float64) @ TEXT.numpy().T
    expected = 0.0
    for axis in (1, 0):
        goal = np.mean([softmax(100 * i.numpy().astype(np.float64) @ t.numpy().T, axis) for i, t in teachers], 0)
        expected += (goal * (np.log(goal) - log_softmax(own, axis))).sum() / 6 / 2
    loss = similarity_distillation(IMAGE, TEXT, SCALE, teachers, [100.0, 100.0])
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_distillation_is_zero_where_the_student_is_its_teacher() -> None:
    assert similarity_distillation(IMAGE, TEXT, SCALE, [(IMAGE, TEXT)], [20.0]).item() == pytest.approx(0, abs=1e-6)


def test_affinity_mimicking_is_a_cross_entropy_at_the_teachers_own_scale() -> None:
    teacher = (unit_rows(7), unit_rows(8))
    own = 20 * IMAGE.numpy().astype(np.float64) @ TEXT.numpy().T
    wanted = 50 * teacher[0].numpy().astype(np.float64) @ teacher[1].numpy().T
    expected = -sum((softmax(wanted, axis) * log_softmax(own, axis)).sum() / 6 for axis in (1, 0))
    assert affinity_mimicking(IMAGE, TEXT, SCALE, teacher, 50.0).item() == pytest.approx(expected, rel=1e-4)


def test_a_uniform_teacher_costs_the_entropy_of_the_batch() -> None:
    flat = torch.ones(6, 1)
    loss = affinity_mimicking(flat, flat, SCALE, (flat, flat), 1.0)
    assert loss.item() == pytest.approx(2 * math.log(6), rel=1e-5)


def test_token_loss_shares_by_rarity_and_leaves_out_what_is_no_word() -> None:
    # A vocabulary of 7: 0 pads, 5 starts, 6 ends. Token 1 is in every caption, 2 and 3 in one each.
    ids = torch.tensor([[5, 1, 2, 6, 0], [5, 1, 3, 6, 0], [5, 1, 1, 6, 0]], dtype=torch.int32)
    image, weight = unit_rows(3, rows=3), torch.from_numpy(np.random.default_rng(0).normal(size=(7, 5))).float()
    logits = math.sqrt(5) * image.numpy().astype(np.float64) @ weight.numpy().T
    # log(4 / 4) is nothing: the word that all share; log(4 / 2) is all there is of the others.
    expected = -(log_softmax(logits, 1)[0, 2] + log_softmax(logits, 1)[1, 3]) / 3
    assert token_loss(image, ids, weight).item() == pytest.approx(expected, rel=1e-5)


def test_token_loss_of_captions_without_words_is_nothing() -> None:
    ids = torch.tensor([[5, 6, 0], [5, 6, 0]], dtype=torch.int32)
    assert token_loss(unit_rows(3, rows=2), ids, torch.ones(7, 5)).item() == 0
