"""Embeddings of earlier batches as further negatives (cross-batch memory, Wang et al. 2020, 1912.06798)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Remembered(NamedTuple):
    """Embeddings `(M, D)` each, L2-normalised and without gradients, and the ids `(M,)` of their captions."""

    image: Tensor
    text: Tensor
    caption_ids: Tensor


class EmbeddingMemory(nn.Module):
    """The last embeddings of both towers. They count once the memory is full: the first ones change most.

    Its content is part of a checkpoint, so that a resumed run goes on as it would have.
    """

    image: Tensor
    text: Tensor
    caption_ids: Tensor
    written: Tensor

    def __init__(self, size: int, width: int) -> None:
        """
        Args:
            size: the number of samples that are kept.
            width: of an embedding.
        """
        super().__init__()
        self.register_buffer("image", torch.zeros(size, width))
        self.register_buffer("text", torch.zeros(size, width))
        self.register_buffer("caption_ids", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def content(self) -> Remembered | None:
        """What is kept; None before the memory is full."""
        if int(self.written) < len(self.image):
            return None
        # Copies: the backward pass reads them after the batch has been added.
        return Remembered(self.image.clone(), self.text.clone(), self.caption_ids.clone())

    @torch.no_grad()
    def add(self, image: Tensor, text: Tensor, caption_ids: Tensor) -> None:
        """Keeps a batch, `(N, D)` twice and `(N,)`, in place of the oldest samples."""
        size, start = len(self.image), int(self.written)
        places = torch.arange(start, start + len(image), device=self.image.device)[-size:] % size
        for kept, new in ((self.image, image), (self.text, text), (self.caption_ids, caption_ids)):
            kept[places] = new.detach()[-size:].to(kept.dtype)
        self.written += len(image)
