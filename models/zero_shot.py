"""Ranking labels for one photograph; whole data sets are judged by `models.evaluation`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import LabelError

Embeddings = NDArray[np.float32]


def parse_labels(text: str | None, file: Path | None) -> list[str]:
    """Labels from a comma-separated list or from a file with one per line, without repeats.

    Raises:
        LabelError: as `list_labels`.
    """
    return list(dict.fromkeys(list_labels(text, file)))


def list_labels(text: str | None, file: Path | None) -> list[str]:
    """`parse_labels` with repeats.

    Raises:
        LabelError: both or neither are given, the file cannot be read as UTF-8, or no label is left.
    """
    if (text is None) == (file is None):
        raise LabelError('give labels either as --labels "a cat,a dog" or as --labels-file FILE')
    if file is not None:
        try:
            parts = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise LabelError(
                f"{file} is no UTF-8 text (byte {error.start}: {error.reason}); save it as UTF-8"
            ) from error
        except OSError as error:
            raise LabelError(f"cannot read labels from {file}: {error.strerror or error}") from error
    else:
        parts = (text or "").split(",")
    labels = [label for part in parts if (label := part.strip())]
    if not labels:
        raise LabelError("the label list is empty; give at least one label with text")
    odd = [label for label in labels if "\0" in label]
    if odd:
        # UTF-16 without a mark at its start reads as UTF-8 with zeros in between.
        raise LabelError(f"the label {odd[0]!r} holds a zero character; save the labels as UTF-8")
    return labels


def rank_labels(image: Embeddings, labels: Embeddings, logit_scale: float) -> list[tuple[int, float]]:
    """Places of labels and their probabilities, the likeliest first.

    Args:
        image: (1, D), normalised.
        labels: (K, D), normalised.
        logit_scale: factor on the cosines before the softmax.
    """
    logits = logit_scale * (image @ labels.T)[0].astype(np.float64)
    weights = np.exp(logits - logits.max())
    probabilities = weights / weights.sum()
    return [(int(place), float(probabilities[place])) for place in np.argsort(-probabilities, kind="stable")]
