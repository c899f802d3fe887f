"""A bundle as `eval` judges it: its own towers, preprocessing and tokenizer, as an application runs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy_records import Side
from benchmark.contestants import PAIR_BATCH, Contestant, TorchSettings, pytorch_of
from export.bundle.prompts import StoredTemplates
from export.bundle.reading import OpenedBundle
from export.bundle.tokenizer import BundleTokenizer
from export.encoders import embed
from export.feeding import image_input
from export.runtimes import Session
from export.targets import load_target, open_model
from models.evaluation.encoders import Embeddings, Encoder, EncoderIdentity, require_finite
from models.evaluation.prompts import Templates
from models.registry import MODELS, resolve_config


def bundle_contestant(bundle: OpenedBundle) -> Contestant:
    """Both towers of a bundle, with the identity of the artefacts that they were made from."""
    manifest = bundle.manifest
    side = Side(
        model=manifest.model.name,
        target=manifest.image.target,
        precision=manifest.image.precision,
        image_sha256=manifest.image.artifact_sha256,
        text_sha256=manifest.text.artifact_sha256,
        weights_sha256=manifest.model.weights_sha256,
    )

    @contextmanager
    def opened() -> Iterator[Encoder]:
        image, text = manifest.image, manifest.text
        with (
            closing(open_model(image.target, bundle.model_path(image))) as image_session,
            closing(open_model(text.target, bundle.model_path(text))) as text_session,
        ):
            yield _BundleEncoder(bundle, image_session, text_session)

    return Contestant(side, opened)


def bundle_pytorch(bundle: OpenedBundle, weights: str | None, settings: TorchSettings) -> Contestant | None:
    """The PyTorch model that a bundle's towers were made from; None where nothing says how that is built.

    Raises:
        ArtifactNotFoundError: the bundle was made from weights other than those PyTorch would use.
    """
    identity = bundle.manifest.model
    # An artefact keeps its configuration, a bundle keeps the name alone.
    if identity.name not in MODELS:
        return None
    return pytorch_of(resolve_config(identity.name), identity, str(bundle.folder), weights, settings)


def bundle_templates(bundles: Sequence[OpenedBundle]) -> Templates | None:
    """The prompts that all of the bundles have; None where there is no bundle, or they have different ones."""
    stored = {bundle.manifest.templates for bundle in bundles}
    return StoredTemplates(stored.pop()) if len(stored) == 1 else None


class _BundleEncoder:
    def __init__(self, bundle: OpenedBundle, image_session: Session, text_session: Session) -> None:
        manifest = bundle.manifest
        self._label = f"{manifest.model.name} {manifest.image.target}-{manifest.image.precision}"
        self._image_spec = manifest.image.input
        self._image_session, self._text_session = image_session, text_session
        self._tokenizer = BundleTokenizer(manifest.tokenizer, bundle.folder)
        self.preprocess = manifest.preprocess
        self.batch_size = PAIR_BATCH
        self.identity = EncoderIdentity(
            image_sha256=manifest.image.artifact_sha256,
            text_sha256=manifest.text.artifact_sha256,
            # Preprocessing and tokenizer are the bundle's own.
            inputs=f"bundle {manifest.sha256}",
            executed_by=load_target(manifest.image.target).executed_by(),
        )

    def encode_images(self, images: NDArray[np.float32]) -> Embeddings:
        if self._image_spec.dtype == "uint8":
            # Towers of bytes take the pixels themselves.
            mean, std = (
                np.asarray(values, np.float32).reshape(3, 1, 1)
                for values in (self.preprocess.mean, self.preprocess.std)
            )
            images = images * std + mean
        encoded = [
            embed(self._image_session, image_input(images[place : place + 1], self._image_spec))
            for place in range(len(images))
        ]
        return require_finite(np.concatenate(encoded), self._label)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        encoded = [embed(self._text_session, self._tokenizer(text)) for text in texts]
        return require_finite(np.concatenate(encoded), self._label)
