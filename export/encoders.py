"""Both towers of an exported pair behind plain functions: image or sentence in, embedding out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.artifact.feeding import image_input
from pocketclip.export.artifact.manifest import TensorSpec
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError, ManifestError
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import open_session
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.text.tokenizer import Tokenizer, TokenizerSpec, load_tokenizer

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class EncoderPair:
    """An image and a text session with what feeds them."""

    preprocess: PreprocessSpec
    tokenizer: Tokenizer
    logit_scale: float
    image_spec: TensorSpec
    image_session: Session
    text_session: Session

    def encode_image(self, image: np.ndarray) -> Embeddings:
        """`(N, 3, S, S)` float32, as `preprocess` gives it, to a normalised `(N, D)`; N is at most the batch."""
        return embed(self.image_session, image_input(image, self.image_spec))

    def encode_text(self, text: str) -> Embeddings:
        """A sentence to a normalised `(1, D)`."""
        return embed(self.text_session, self.tokenizer(text))


@contextmanager
def open_pair(image: Artifact, text: Artifact, threads: int = 1) -> Iterator[EncoderPair]:
    """Opens both artefacts with the preprocessing and tokenizer that their manifests name.

    Raises:
        ManifestError: a manifest lacks what its tower needs.
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_session`.
    """
    preprocess, tokenizer = pair_inputs(image, text)
    image_session = open_session(image, threads)
    text_session = open_session(text, threads)
    try:
        yield EncoderPair(
            preprocess=preprocess,
            tokenizer=load_tokenizer(tokenizer, text.folder),
            logit_scale=image.manifest.model.logit_scale,
            image_spec=image.manifest.inputs[0],
            image_session=image_session,
            text_session=text_session,
        )
    finally:
        image_session.close()
        text_session.close()


def pair_inputs(image: Artifact, text: Artifact) -> tuple[PreprocessSpec, TokenizerSpec]:
    """What makes the inputs of both.

    Raises:
        ManifestError: a manifest lacks what its tower needs.
    """
    preprocess, tokenizer = image.manifest.preprocess, text.manifest.tokenizer
    if preprocess is None or tokenizer is None:
        lacking, part = (image, "preprocessing") if preprocess is None else (text, "tokenizer")
        raise ManifestError(f"the manifest of {lacking.folder} has no {part}", fix="export it again")
    return preprocess, tokenizer


def embed(session: Session, inputs: np.ndarray) -> Embeddings:
    """The session's embeddings of an input's rows, normalised: `(N, D)`.

    Raises:
        ArtifactCorruptError: the model gives no array of a row for each.
        NonFiniteError: the model gives NaN or infinity, or zeros alone, which have no direction.
    """
    embedding = np.asarray(session.run([inputs])[0], np.float32)
    if embedding.ndim != 2 or len(embedding) != len(inputs):
        wanted = f"embeddings, [{len(inputs)}, D]"
        raise ArtifactCorruptError(
            f"the exported model gave an array of shape {list(embedding.shape)} instead of {wanted}",
            fix="export it again",
        )
    if not np.isfinite(embedding).all():
        raise NonFiniteError("the exported model gave NaN or infinite values", fix="check it with `pocketclip bench`")
    norm = np.linalg.norm(embedding, axis=1, keepdims=True)
    if not norm.all():
        raise NonFiniteError("the exported model gave an embedding of zeros", fix="check it with `pocketclip bench`")
    # Artefacts exported with --raw leave this to the host; for all others it changes nothing but rounding.
    return embedding / norm
