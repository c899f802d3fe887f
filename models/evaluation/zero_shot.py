"""Ranking labels for one photograph; whole data sets are judged by `models.evaluation`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.data.file_names import composed
from pocketclip.models.data.word_lists import is_visible, read_words, same_to_the_model
from pocketclip.models.errors import LabelError

_LOG = logging.getLogger("pocketclip.models")

Embeddings = NDArray[np.float32]


def parse_labels(text: str | None, file: Path | None) -> list[str]:
    """Labels from a comma-separated list or from a file (`models.data.word_lists`), without repeats, which are logged.

    Raises:
        LabelError: as `list_labels`, or two labels are the same to the model.
    """
    given = list_labels(text, file)
    labels = list(dict.fromkeys(given))
    if len(labels) < len(given):
        twice = next(label for label in labels if given.count(label) > 1)
        _LOG.info("%d repeated labels count once (the first: %r)", len(given) - len(labels), twice)
    require_distinct(labels)
    return labels


def list_labels(text: str | None, file: Path | None) -> list[str]:
    """`parse_labels` with repeats.

    Raises:
        LabelError: both or neither are given, the file cannot be read, a label cannot be seen, or no label is left.
    """
    if (text is None) == (file is None):
        raise LabelError('give labels either with --labels "a cat,a dog" or with --labels-file FILE')
    if file is not None:
        parts = read_words(file, "labels", error=LabelError)
    else:
        parts = [composed(part) for part in (text or "").split(",")]
    labels = [label for part in parts if (label := part.strip())]
    _require_words(labels)
    return labels


def checked_labels(labels: Sequence[str], *, none_allowed: bool = False) -> tuple[str, ...]:
    """Labels as a Python program gives them, each once.

    Raises:
        LabelError: it is one text or holds what is none, a label cannot be seen or occurs twice, two are the same to
            the model, or there is none and `none_allowed` does not say otherwise.
    """
    if isinstance(labels, str):
        raise LabelError(f"labels are a list, got the text {labels!r}", fix='give a list, such as ["a cat", "a dog"]')
    given = tuple(labels)
    other = next((label for label in given if not isinstance(label, str)), None)
    if other is not None:
        raise LabelError(f"each label is a text, got {other!r}", fix='give a list, such as ["a cat", "a dog"]')
    if none_allowed and not given:
        return ()
    _require_words(given)
    repeated = next((label for label, count in Counter(given).items() if count > 1), None)
    if repeated is not None:
        raise LabelError(f"the label {repeated!r} occurs more than once", fix="give each label once")
    require_distinct(given)
    return given


def _require_words(labels: Sequence[str]) -> None:
    if not labels:
        raise LabelError("the label list is empty", fix="give at least one label with text")
    odd = [label for label in labels if "\0" in label]
    if odd:
        raise LabelError(f"the label {odd[0]!r} holds a zero character", fix="save the labels as UTF-8")
    parted = [label for label in labels if "\t" in label]
    if parted:
        raise LabelError(f"the label {parted[0]!r} holds a tab", fix="write one label per line and nothing else")
    unseen = [label for label in labels if not is_visible(label)]
    if unseen:
        raise LabelError(
            (f"label {labels.index(unseen[0]) + 1} of {len(labels)} is {unseen[0]!a}, which is invisible"),
            fix="give it visible text or remove it",
        )


def require_distinct(labels: Sequence[str]) -> None:
    """Refuses labels between which no model can choose.

    Raises:
        LabelError: two of them become the same token ids, or one becomes none.
    """
    try:
        twice = same_to_the_model(labels)
    except ValueError as error:
        raise LabelError(f"the label {error.args[0]!r} has no text that a model can read", fix="remove it") from error
    if twice is not None:
        raise LabelError(
            (
                f"the labels {twice[0]!r} and {twice[1]!r} are the same to the model (case, spaces "
                "and invisible characters are ignored)"
            ),
            fix="give one of them",
        )


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
