"""The result of comparing an artefact with PyTorch, as stored in manifests and records."""

from __future__ import annotations

from models.documents import document


@document
class ParityReport:
    """Agreement of an artefact's embeddings with PyTorch fp32 on the same real inputs.

    `cosine_p1` is the 1st percentile over samples; `snr_db` compares the power of the reference with that of
    the error; `top1_agreement` is the share of samples whose best match on a label set (image tower: labels;
    text tower: images) is PyTorch's. `multibranch_cosine_min` compares the reparameterised PyTorch model with
    the multi-branch one that was trained. `failures` words every budget that was missed.
    """

    samples: int
    cosine_mean: float
    cosine_p1: float
    cosine_min: float
    max_abs: float
    snr_db: float
    top1_agreement: float
    multibranch_cosine_min: float
    executed_by: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every budget was met."""
        return not self.failures
