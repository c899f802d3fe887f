"""Losses on batches of normalised embeddings; each sees the whole batch of all processes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pocketclip.models.training.memory import Remembered


def repeated_captions(caption_ids: Tensor) -> Tensor:
    """Pairs off the diagonal that share a caption or class, `(N, N)` bool: they are no negatives of each other.

    Args:
        caption_ids: `(N,)`; equal numbers mark equal captions, or samples of one class.
    """
    same = caption_ids[:, None] == caption_ids[None, :]
    return same.fill_diagonal_(False)


def contrastive_loss(
    image: Tensor, text: Tensor, scale: Tensor, caption_ids: Tensor, remembered: Remembered | None = None
) -> Tensor:
    """CLIP's symmetric cross-entropy over the batch (Radford et al. 2021, figure 3).

    Args:
        image, text: `(N, D)`, L2-normalised.
        scale: factor on the cosines.
        caption_ids: `(N,)`; pairs off the diagonal that share a caption are left out.
        remembered: M samples of earlier batches that are further negatives; those with the same caption are left out.

    Returns:
        The mean loss, a scalar.
    """
    logits = (scale * image @ text.T).masked_fill(repeated_captions(caption_ids), -torch.inf)
    goal = torch.arange(len(logits), device=logits.device)
    by_image, by_text = logits, logits.T
    if remembered is not None:
        same = caption_ids[:, None] == remembered.caption_ids[None, :]
        by_image = torch.cat([logits, (scale * image @ remembered.text.T).masked_fill(same, -torch.inf)], 1)
        by_text = torch.cat([logits.T, (scale * text @ remembered.image.T).masked_fill(same, -torch.inf)], 1)
    return (functional.cross_entropy(by_image, goal) + functional.cross_entropy(by_text, goal)) / 2


def sigmoid_loss(image: Tensor, text: Tensor, scale: Tensor, bias: Tensor, caption_ids: Tensor) -> Tensor:
    """SigLIP's loss: every pair is a yes-no question of its own (Zhai et al. 2023, algorithm 1).

    Args:
        image, text: `(N, D)`, L2-normalised.
        scale, bias: of the logits, both learned.
        caption_ids: `(N,)`; pairs off the diagonal that share a caption are left out.

    Returns:
        The sum over pairs divided by N, a scalar.
    """
    logits = scale * image @ text.T + bias
    signs = 2 * torch.eye(len(logits), device=logits.device) - 1
    terms = functional.logsigmoid(signs * logits).masked_fill(repeated_captions(caption_ids), 0.0)
    return -terms.sum() / len(logits)


def similarity_distillation(
    image: Tensor, text: Tensor, scale: Tensor, teachers: list[tuple[Tensor, Tensor]], teacher_scales: list[float]
) -> Tensor:
    """How far the student's similarity distributions are from its teachers' (MobileCLIP, section 4).

    Each teacher's image-to-text and text-to-image similarities become distributions by a softmax; the teachers'
    distributions are averaged, and the student's divergence from them is taken in both directions.

    Args:
        image, text: `(N, D)`, the student's, L2-normalised.
        scale: the student's factor on cosines.
        teachers: `(N, D_t)` image and text embeddings of each teacher, L2-normalised.
        teacher_scales: each teacher's factor on cosines.

    Returns:
        The Kullback-Leibler divergence per row, averaged over both directions, a scalar; 0 where the student
        agrees with its teachers.
    """
    logits = scale * image @ text.T
    wanted = [factor * left @ right.T for (left, right), factor in zip(teachers, teacher_scales, strict=True)]
    terms = [
        functional.kl_div(own.log_softmax(-1), torch.stack(goals).softmax(-1).mean(0), reduction="batchmean")
        for own, goals in ((logits, wanted), (logits.T, [each.T for each in wanted]))
    ]
    return (terms[0] + terms[1]) / 2


def affinity_mimicking(
    image: Tensor, text: Tensor, scale: Tensor, teacher: tuple[Tensor, Tensor], teacher_scale: float
) -> Tensor:
    """TinyCLIP's affinity mimicking (Wu et al. 2023, section 3.1): cross-entropy with the teacher's affinities.

    Args:
        image, text: `(N, D)`, the student's, L2-normalised.
        scale: the student's factor on cosines.
        teacher: `(N, D_t)` image and text embeddings of the teacher, L2-normalised.
        teacher_scale: the teacher's own learned factor, which sets how sharp its affinities are.

    Returns:
        The sum of both directions' cross-entropies, a scalar.
    """
    logits = scale * image @ text.T
    wanted = teacher_scale * teacher[0] @ teacher[1].T
    return functional.cross_entropy(logits, wanted.softmax(-1)) + functional.cross_entropy(
        logits.T, wanted.T.softmax(-1)
    )


def token_loss(image: Tensor, token_ids: Tensor, weight: Tensor) -> Tensor:
    """Predicts the tokens of a caption from its image: cross-entropy over the vocabulary (SuperClass, 2411.03313).

    A caption's tokens share the probability by how rare they are in the batch, so that words of templates count for
    little. Every token of the vocabulary is a negative, where contrastive losses have the captions of a batch only.

    Args:
        image: `(N, D)`, L2-normalised.
        token_ids: `(N, T)`, padded with zeros; the two highest ids mark start and end, and are no words.
        weight: `(vocabulary, D)`, learned with the model and left behind.

    Returns:
        The mean loss, a scalar; captions without a word add nothing.
    """
    vocabulary = len(weight)
    present = torch.zeros(len(image), vocabulary, device=image.device).scatter_(1, token_ids.long(), 1.0)
    present[:, [0, vocabulary - 2, vocabulary - 1]] = 0
    rarity = torch.log((len(image) + 1) / (present.sum(0) + 1))
    goal = present * rarity
    goal = goal / goal.sum(1, keepdim=True).clamp(min=torch.finfo(goal.dtype).tiny)
    # Components of a normalised embedding are about 1 / sqrt(D).
    logits = math.sqrt(image.shape[1]) * image @ weight.T
    return -(goal * functional.log_softmax(logits, dim=1)).sum(1).mean()
