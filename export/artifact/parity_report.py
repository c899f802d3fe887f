"""The result of comparing an artefact with PyTorch, as stored in manifests and records."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Cosine, Count, NotNegative, Share

# Between numbers of double precision no ratio is larger.
Decibels = Annotated[float, Ge(-10_000.0), Le(10_000.0)]


@document
class ParityReport:
    """Agreement of an artefact's embeddings with PyTorch fp32 on the same real inputs.

    `cosine_p1` is the 1st percentile over samples; `snr_db` compares the power of the reference with that of
    the error; `top1_agreement` is the share of samples whose best match on a label set (image tower: labels;
    text tower: images) is PyTorch's. `multibranch_cosine_min` compares the reparameterised PyTorch model with
    the multi-branch one that was trained, on every eighth sample. `failures` words every budget that was missed.
    """

    samples: Count
    cosine_mean: Cosine
    cosine_p1: Cosine
    cosine_min: Cosine
    max_abs: NotNegative
    snr_db: Decibels
    top1_agreement: Share
    multibranch_cosine_min: Cosine
    executed_by: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every budget was met."""
        return not self.failures
