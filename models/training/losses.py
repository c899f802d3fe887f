"""Losses on batches of normalised embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor, caption_ids: Tensor) -> Tensor:
    """CLIP's symmetric cross-entropy over the batch (Radford et al. 2021, figure 3).

    Args:
        image, text: `(N, D)`, L2-normalised.
        scale: factor on the cosines.
        caption_ids: `(N,)`; equal numbers mark equal captions. Pairs off the diagonal that share a caption are
            no negatives, so they are left out.

    Returns:
        The mean loss, a scalar.
    """
    logits = scale * image @ text.T
    same = caption_ids[:, None] == caption_ids[None, :]
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, -torch.inf)
    goal = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, goal) + functional.cross_entropy(logits.T, goal)) / 2
