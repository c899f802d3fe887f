"""Labels ranked for a photograph, with artefacts or a bundle: what `classify` computes, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.export.bundle.reading import OpenedBundle
    from pocketclip.models.evaluation.prompts import Templates

Sign = Callable[[object], None]


@dataclass(frozen=True)
class Ranking:
    """Labels and their probabilities, the likeliest first.

    `notes` say whose colour profile could not be used, and which variants of a bundle ran: what the process that ranks
    knows, and the user must.
    """

    labels: tuple[tuple[str, float], ...]
    notes: tuple[str, ...] = ()


def rank_with_bundle(
    bundle: OpenedBundle, photograph: Image.Image | Path, labels: Sequence[str], *, sign: Sign
) -> Ranking:
    """Ranks labels with a bundle; none takes its own.

    Raises:
        ImageError: the file is no image.
        BundleError, ArtifactCorruptError, NonFiniteError: as `export.bundle.classifying.classify`.
    """
    from pocketclip.export.bundle.classifying import classify
    from pocketclip.export.bundle.variants import choose_model
    from pocketclip.export.precision import Tower

    ranked = tuple(classify(bundle, _opened(photograph), labels, sign=sign))
    # The bundle's own labels need no text tower.
    used = Tower if labels else (Tower.IMAGE,)
    told = (choose_model(bundle, tower).told for tower in used)
    return Ranking(ranked, (*filter(None, told), *_profile_notes()))


def rank_with_pair(
    image_artifact: Artifact,
    text_artifact: Artifact,
    photograph: Image.Image | Path,
    labels: Sequence[str],
    templates: Templates | None,
    *,
    sign: Sign,
) -> Ranking:
    """Ranks labels with an image and a text artefact.

    Args:
        image_artifact: of the image tower.
        text_artifact: of the text tower.
        photograph: what the labels are ranked for.
        labels: the labels to rank.
        templates: sentences to put each label into; None takes it as it is.
        sign: called with each sentence that is embedded.

    Raises:
        ImageError: the file is no image.
        ManifestError, ArtifactCorruptError: as `export.encoders.open_pair`.
        NonFiniteError: an embedding is NaN or infinite, or a label's sentences cancel each other out.
    """
    from pocketclip.export.bundle.prompts import OneByOne
    from pocketclip.export.encoders import open_pair
    from pocketclip.models.evaluation.prompts import TextTemplates, prompt_set
    from pocketclip.models.evaluation.text_cache import class_embeddings
    from pocketclip.models.evaluation.zero_shot import rank_labels
    from pocketclip.models.pixels.preprocess import preprocess

    loaded = _opened(photograph)
    with open_pair(image_artifact, text_artifact) as encoders:
        embedding = encoders.encode_image(preprocess(loaded, encoders.preprocess)[None])

        def embedding_of(prompt: str) -> NDArray[np.float32]:
            sign(prompt)
            return encoders.encode_text(prompt)

        prompts = prompt_set(labels, templates or TextTemplates("label", ("{}",)))
        candidates = class_embeddings(prompts, OneByOne(embedding_of))
        ranked = rank_labels(embedding, candidates, encoders.logit_scale)
    return Ranking(tuple((labels[place], probability) for place, probability in ranked), _profile_notes())


def embed_with_bundle(bundle: OpenedBundle, item: Image.Image | Path | str) -> NDArray[np.float32]:
    """The normalised embedding `(D,)` of an image (or the file of one), or of a sentence.

    Raises:
        ImageError: the file is no image.
        ArtifactCorruptError, NonFiniteError: as `export.encoders.embed`.
    """
    from contextlib import closing

    from pocketclip.export.bundle.image_input import image_input
    from pocketclip.export.bundle.tokenizer import BundleTokenizer
    from pocketclip.export.bundle.variants import choose_model, open_bundled
    from pocketclip.export.encoders import embed
    from pocketclip.export.precision import Tower

    manifest = bundle.manifest
    if isinstance(item, str):
        tower = choose_model(bundle, Tower.TEXT).model
        inputs = BundleTokenizer(manifest.tokenizer, bundle.folder)(item)
    else:
        tower = choose_model(bundle, Tower.IMAGE).model
        inputs = image_input(_opened(item), manifest.preprocess, tower.input)
    with closing(open_bundled(bundle, tower)) as session:
        return embed(session, inputs)[0]


def _profile_notes() -> tuple[str, ...]:
    from pocketclip.models.pixels.colour_profiles import IGNORED

    return (str(IGNORED),) if IGNORED.count else ()


def _opened(photograph: Image.Image | Path) -> Image.Image:
    from pocketclip.models.pixels.preprocess import load_image

    return load_image(photograph) if isinstance(photograph, Path) else photograph.convert("RGB")
