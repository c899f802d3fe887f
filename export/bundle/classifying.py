"""Zero-shot classification with a bundle alone, as an application does it: with variants for a chip where they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from PIL import Image

from pocketclip.export.bundle.image_input import image_input
from pocketclip.export.bundle.prompts import Embeddings, embed_labels
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.bundle.variants import choose_model, open_bundled
from pocketclip.export.encoders import embed
from pocketclip.export.errors import BundleError
from pocketclip.export.precision import Tower
from pocketclip.models.evaluation.zero_shot import rank_labels


def classify(
    bundle: OpenedBundle,
    image: Image.Image,
    labels: Sequence[str] = (),
    *,
    sign: Callable[[object], None] | None = None,
) -> list[tuple[str, float]]:
    """Labels and their probabilities, the likeliest first.

    Args:
        bundle: what to classify with.
        image: upright RGB of any size.
        labels: none takes the bundle's own, whose embeddings are stored; others go through its templates.
        sign: told of every prompt that has been embedded.

    Raises:
        BundleError: no labels are given and the bundle has none.
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_model`.
        NonFiniteError: a tower gives NaN or infinity.
    """
    manifest = bundle.manifest
    tower = choose_model(bundle, Tower.IMAGE).model
    names = tuple(labels) or (() if manifest.labels is None else manifest.labels.names)
    if not names:
        raise BundleError(f"{bundle.folder} has no labels", fix="give labels with --labels")
    candidates = _embed_given(bundle, labels, sign) if labels else _stored(bundle)
    with closing(open_bundled(bundle, tower)) as session:
        embedding = embed(session, image_input(image, manifest.preprocess, tower.input))
    ranked = rank_labels(embedding, candidates, manifest.model.logit_scale)
    return [(names[place], probability) for place, probability in ranked]


def _stored(bundle: OpenedBundle) -> Embeddings:
    assert bundle.manifest.labels is not None
    return bundle.tensor(bundle.manifest.labels.embeddings)


def _embed_given(bundle: OpenedBundle, labels: Sequence[str], sign: Callable[[object], None] | None) -> Embeddings:
    manifest = bundle.manifest
    tokenizer = BundleTokenizer(manifest.tokenizer, bundle.folder)
    with closing(open_bundled(bundle, choose_model(bundle, Tower.TEXT).model)) as session:

        def embedding_of(prompt: str) -> Embeddings:
            if sign is not None:
                sign(prompt)
            return embed(session, tokenizer(prompt))

        return embed_labels(labels, manifest.templates, embedding_of)
