"""Token embeddings."""

from __future__ import annotations

from torch import Tensor, nn


class LowRankEmbedding(nn.Module):
    """A table of `rank` columns and a linear map to the model's width (ALBERT, 1909.11942, section 3.1).

    `vocabulary * rank + rank * width` parameters instead of `vocabulary * width`.
    Shape: ids `(N, T)` to `(N, T, width)`.
    """

    def __init__(self, vocabulary_size: int, rank: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, rank)
        self.widen = nn.Linear(rank, width, bias=False)

    @property
    def weight(self) -> Tensor:
        """The product of both, `(vocabulary, width)`: the table that this one stands for."""
        return self.table.weight @ self.widen.weight.T

    def forward(self, token_ids: Tensor) -> Tensor:
        return self.widen(self.table(token_ids))
