"""Zero-shot classification: labels become prompts, prompts become one embedding per class (CLIP, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import LabelError
from models.preprocess import PreprocessSpec, normalize
from models.scenes import SceneDataset, Split, class_prompts, render_arrays, scene_classes

Embeddings = NDArray[np.float32]
ImageEncoder = Callable[[np.ndarray], Embeddings]
"""`(1, 3, S, S)` float32 to a normalised `(1, D)`."""
TextEncoder = Callable[[str], Embeddings]
"""A sentence to a normalised `(1, D)`."""


@dataclass(frozen=True)
class ZeroShotResult:
    """`predictions` and `labels` (N,) are places among `classes` classes."""

    predictions: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which samples were classified correctly, (N,)."""
        return self.predictions == self.labels

    @property
    def correct(self) -> int:
        """How many samples were classified correctly."""
        return int(self.right.sum())

    @property
    def accuracy(self) -> float:
        """The share of samples classified correctly."""
        return self.correct / len(self.labels)


def class_embeddings(prompts_per_class: Sequence[Sequence[str]], encode_text: TextEncoder) -> Embeddings:
    """One normalised row per class, the mean of its prompts' embeddings: (K, D)."""
    means = np.stack(
        [np.concatenate([encode_text(prompt) for prompt in prompts]).mean(0) for prompts in prompts_per_class]
    )
    return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


def classify_scenes(
    encode_image: ImageEncoder,
    encode_text: TextEncoder,
    preprocess: PreprocessSpec,
    *,
    count: int = 960,
    split: Split = Split.HELDOUT,
    seed: int = 0,
    advance: Callable[[], object] = lambda: None,
) -> ZeroShotResult:
    """Zero-shot classification of scenes among the classes of their split.

    `heldout` shows only pairs of colour and shape that training never showed. `advance` is called once per image.
    """
    prompts = [class_prompts(entry.name) for entry in scene_classes(split)]
    classes = class_embeddings(prompts, encode_text)
    pixels, _ = render_arrays(split, count, seed, preprocess.image_size)
    labels = SceneDataset(split, count, seed=seed, size=preprocess.image_size).labels()
    shown = np.flatnonzero(labels >= 0)
    predictions = np.empty(len(shown), np.int64)
    for place, index in enumerate(shown):
        embedding = encode_image(normalize(pixels[index], preprocess)[None])
        predictions[place] = (embedding @ classes.T).argmax()
        advance()
    return ZeroShotResult(predictions, labels[shown], len(classes))


def parse_labels(text: str | None, file: Path | None) -> list[str]:
    """Labels from a comma-separated list or from a file with one per line, without repeats.

    Raises:
        LabelError: both or neither are given, the file cannot be read, or no label is left.
    """
    if (text is None) == (file is None):
        raise LabelError('give labels either as --labels "a cat,a dog" or as --labels-file FILE')
    if file is not None:
        try:
            parts = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LabelError(f"cannot read labels from {file}: {error}") from error
    else:
        parts = (text or "").split(",")
    labels = list(dict.fromkeys(label for part in parts if (label := part.strip())))
    if not labels:
        raise LabelError("the label list is empty; give at least one label with text")
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
