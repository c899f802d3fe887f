"""Exported pairs and bundles as `eval` judges them, one image or sentence at a time as a phone runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketclip.benchmark.errors import ContestantError
from pocketclip.benchmark.evaluation.foreign_towers import ForeignTowers, ModelFile, TowerProcesses
from pocketclip.export.artifact.feeding import image_input
from pocketclip.export.artifact.manifest import TensorSpec
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.encoders import Embeddings, pair_inputs
from pocketclip.export.errors import ManifestError
from pocketclip.export.precision import Tower
from pocketclip.models.evaluation.encoders import Encoder, EncoderIdentity, describe_inputs
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.text.tokenizer import load_tokenizer

# Artefacts take one image at a time; so many are decoded ahead and written to the journal together.
PAIR_BATCH = 32


def open_pair_encoder(image: Artifact, text: Artifact, label: str, processes: TowerProcesses) -> Encoder:
    """An exported image and text tower used together, until `processes` open others; `label` begins messages.

    Raises:
        ContestantError: a manifest lacks what its tower needs, or the models cannot be opened; and, of the encoder's
            methods, that they cannot be run.
    """
    try:
        preprocess, tokenizer = pair_inputs(image, text)
    except ManifestError as error:
        raise ContestantError(f"{label}: {error}", error.exit_code) from error
    files = {
        artifact.manifest.tower: ModelFile(artifact.manifest.target, artifact.model_path) for artifact in (image, text)
    }
    towers = processes.open(files, label)
    identity = EncoderIdentity(
        image_sha256=image.manifest.sha256,
        text_sha256=text.manifest.sha256,
        inputs=describe_inputs(preprocess, tokenizer),
        executed_by=towers.executed_by[Tower.IMAGE],
    )
    return _Encoder(towers, identity, preprocess, load_tokenizer(tokenizer, text.folder), image.manifest.inputs[0])


def open_bundle_encoder(bundle: OpenedBundle, label: str, processes: TowerProcesses) -> Encoder:
    """Both towers of a bundle, with its own preprocessing and tokenizer. As `open_pair_encoder`."""
    manifest = bundle.manifest
    files = {
        tower: ModelFile(stored.target, bundle.model_path(stored))
        for tower, stored in ((Tower.IMAGE, manifest.image), (Tower.TEXT, manifest.text))
    }
    towers = processes.open(files, label)
    identity = EncoderIdentity(
        image_sha256=manifest.image.artifact_sha256,
        text_sha256=manifest.text.artifact_sha256,
        # Preprocessing and tokenizer are the bundle's own.
        inputs=f"bundle {manifest.sha256}",
        executed_by=towers.executed_by[Tower.IMAGE],
    )
    one = BundleTokenizer(manifest.tokenizer, bundle.folder)

    def tokenize(texts: Sequence[str]) -> NDArray[np.int32]:
        return np.concatenate([one(text) for text in texts])

    return _BundleEncoder(towers, identity, manifest.preprocess, tokenize, manifest.image.input)


class _Encoder:
    """What is fed to the towers is made here, by the batch: the process that runs them has nothing but them."""

    def __init__(
        self,
        towers: ForeignTowers,
        identity: EncoderIdentity,
        preprocess: PreprocessSpec,
        tokenize: Callable[[Sequence[str]], NDArray[np.int32]],
        image_spec: TensorSpec,
    ) -> None:
        self._towers, self._tokenize, self._image_spec = towers, tokenize, image_spec
        self.identity = identity
        self.preprocess = preprocess
        self.batch_size = PAIR_BATCH

    def encode_images(self, images: NDArray[np.float32]) -> Embeddings:
        return self._towers.embed(Tower.IMAGE, image_input(images, self._image_spec))

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        return self._towers.embed(Tower.TEXT, self._tokenize(texts))


class _BundleEncoder(_Encoder):
    def encode_images(self, images: NDArray[np.float32]) -> Embeddings:
        if self._image_spec.dtype == "uint8":
            # Towers of bytes take the pixels themselves.
            mean, std = (
                np.asarray(values, np.float32).reshape(3, 1, 1)
                for values in (self.preprocess.mean, self.preprocess.std)
            )
            images = images * std + mean
        return super().encode_images(images)
