"""Labels ranked for a photograph, with artefacts or a bundle: what `classify` computes, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.export.bundle.reading import OpenedBundle

Sign = Callable[[object], None]


@dataclass(frozen=True)
class Ranking:
    """Labels and their probabilities, the likeliest first."""

    labels: tuple[tuple[str, float], ...]


def rank_with_bundle(bundle: OpenedBundle, photograph: Path, labels: Sequence[str], *, sign: Sign) -> Ranking:
    """Ranks labels with a bundle; none takes its own.

    Raises:
        ImageError: the file is no image.
        BundleError, ArtifactCorruptError, NonFiniteError: as `export.bundle.classifying.classify`.
    """
    from pocketclip.export.bundle.classifying import classify
    from pocketclip.models.pixels.preprocess import load_image

    return Ranking(tuple(classify(bundle, load_image(photograph), labels, sign=sign)))


def rank_with_pair(
    image_artifact: Artifact, text_artifact: Artifact, photograph: Path, labels: Sequence[str], *, sign: Sign
) -> Ranking:
    """Ranks labels with an image and a text artefact.

    Raises:
        ImageError: the file is no image.
        ManifestError, ArtifactCorruptError, NonFiniteError: as `export.encoders.open_pair`.
    """
    import numpy as np

    from pocketclip.export.encoders import open_pair
    from pocketclip.models.evaluation.zero_shot import rank_labels
    from pocketclip.models.pixels.preprocess import load_image, preprocess

    loaded = load_image(photograph)
    with open_pair(image_artifact, text_artifact) as encoders:
        embedding = encoders.encode_image(preprocess(loaded, encoders.preprocess)[None])
        candidates = []
        for label in labels:
            candidates.append(encoders.encode_text(label))
            sign(label)
        ranked = rank_labels(embedding, np.concatenate(candidates), encoders.logit_scale)
    return Ranking(tuple((labels[place], probability) for place, probability in ranked))
