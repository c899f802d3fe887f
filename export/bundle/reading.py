"""Reading a bundle: nothing in it is used before its paths, its manifest and every file have been checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketclip.export.artifact.listed_files import MOST_MANIFEST_BYTES, check_files, check_model
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.artifact.stored_tensors import MOST_BUNDLED_BYTES, size_fault
from pocketclip.export.bundle.image_input import check_image_input
from pocketclip.export.bundle.manifest import (
    BUNDLE_SCHEMA_VERSION,
    NPU_SCHEMA_VERSION,
    PLAIN_SCHEMA_VERSION,
    SYSTEM_SCHEMA_VERSION,
    Bundle,
    BundledModel,
    ElementType,
    NpuBundle,
    StoredTensor,
    SystemBundle,
)
from pocketclip.export.bundle.tensors import read_tensor
from pocketclip.export.bundle.tokenizer import BYTES, BundleTokenizer
from pocketclip.export.bundle.variant_faults import variant_faults
from pocketclip.export.errors import BundleCorruptError, BundleError
from pocketclip.export.precision import Tower
from pocketclip.models import documents
from pocketclip.models.text.vocabulary import BYTE_TOKENS, FULL_VOCABULARY_SIZE
from pocketclip.models.untrusted.files import reading_errors

_KINDS: dict[int, type[Bundle]] = {
    PLAIN_SCHEMA_VERSION: Bundle,
    NPU_SCHEMA_VERSION: NpuBundle,
    SYSTEM_SCHEMA_VERSION: SystemBundle,
}
# More than any model that a phone could hold in memory.
MOST_BUNDLE_BYTES = 4 << 30


@dataclass(frozen=True)
class OpenedBundle:
    """A bundle on disk that passed every check."""

    folder: Path
    manifest: Bundle

    def model_path(self, model: BundledModel) -> Path:
        """A tower's model file or that of a variant, or the package folder of formats that are folders."""
        return self.folder / model.entry_point

    def model_size_bytes(self, model: BundledModel) -> int:
        """Bytes of its files: all that lie in its folder."""
        return sum(entry.size_bytes for entry in self.manifest.files if entry.path.startswith(f"{model.place}/"))

    def tensor(self, stored: StoredTensor) -> np.ndarray:
        """The values of a stored tensor; raises as `read_tensor`."""
        return read_tensor(self.folder, stored)


def read_bundle(folder: Path) -> OpenedBundle:
    """Reads a bundle and checks all of it: schema, paths, sizes, hashes, tensors, and that its parts fit together.

    Raises:
        BundleError: the folder holds no bundle, or it or a file in it may not be read.
        BundleCorruptError: the bundle is malformed, newer, hostile, incomplete or altered.
    """
    with reading_errors(folder, error=BundleError):
        return _read(folder)


def _read(folder: Path) -> OpenedBundle:
    manifest = read_bundle_manifest(folder)
    _check_files(folder, manifest)
    _check_tensors(folder, manifest)
    _check_parts(folder / BUNDLE_NAME, manifest)
    return OpenedBundle(folder, manifest)


def read_bundle_manifest(folder: Path) -> Bundle:
    """What a bundle says of itself, which is not compared with its files; raises as `read_bundle`."""
    path = folder / BUNDLE_NAME
    if not path.is_file():
        raise BundleError(
            f"there is no bundle at {folder}: it has no {BUNDLE_NAME}", fix="create one with `pocketclip bundle`"
        )
    version = documents.read_schema_version(path, error=BundleCorruptError)
    if version > BUNDLE_SCHEMA_VERSION:
        raise BundleCorruptError(
            f"{path} has schema version {version}; this version reads up to {BUNDLE_SCHEMA_VERSION}: "
            "update PocketCLIP or create the bundle again"
        )
    return documents.read(_KINDS[version], path, error=BundleCorruptError, most_bytes=MOST_MANIFEST_BYTES)


def _check_files(folder: Path, manifest: Bundle) -> None:
    path = folder / BUNDLE_NAME
    listed = {entry.path: entry for entry in manifest.files}
    for model in manifest.models:
        check_model(model.entry_point, manifest.files, path, error=BundleCorruptError)
    for tensor in manifest.tensors:
        entry = listed.get(tensor.file)
        if entry is None:
            raise BundleCorruptError(f"{path}: the tensor {tensor.file!r} is not among the files it lists")
        fault = size_fault(tensor.shape, tensor.dtype, entry.size_bytes, most_bytes=MOST_BUNDLED_BYTES)
        if fault is not None:
            raise BundleCorruptError(f"{path}: {tensor.file} {fault}", fix="create the bundle again")
    check_files(
        folder,
        BUNDLE_NAME,
        manifest.files,
        most_bytes=MOST_BUNDLE_BYTES,
        error=BundleCorruptError,
        fix="copy or create the bundle again",
    )


def _check_tensors(folder: Path, manifest: Bundle) -> None:
    """Shapes that follow from each other, before values that are not finite show when a tensor is read."""
    end, width = manifest.end_to_end, manifest.model.embedding_dim
    images, sentences = len(end.images), len(end.sentences)
    length = manifest.tokenizer.context_length
    expected: list[tuple[StoredTensor, tuple[int, ...], str]] = [
        (end.preprocessed, (images, *manifest.image.input.shape[1:]), manifest.image.input.dtype),
        (end.image_embeddings, (images, width), ElementType.FLOAT32),
        (end.token_ids, (sentences, length), ElementType.INT32),
        (end.sentence_embeddings, (sentences, width), ElementType.FLOAT32),
        *((image.pixels, (*image.pixels.shape[:2], 3), ElementType.UINT8) for image in end.images),
        (manifest.tokenizer.merges, (FULL_VOCABULARY_SIZE - BYTE_TOKENS - 2, 2), ElementType.UINT16),
    ]
    for model in manifest.models:
        samples = model.golden.inputs.shape[:1]
        expected += [
            (model.golden.inputs, (*samples, *model.input.shape[1:]), model.input.dtype),
            (model.golden.reference, (*samples, width), ElementType.FLOAT32),
            (model.golden.outputs, (*samples, width), ElementType.FLOAT32),
        ]
    if manifest.labels is not None:
        expected.append((manifest.labels.embeddings, (len(manifest.labels.names), width), ElementType.FLOAT32))
    if manifest.tokenizer.kept_ids is not None:
        expected.append((manifest.tokenizer.kept_ids, (manifest.tokenizer.vocabulary_size,), ElementType.UINT16))
    for tensor, shape, dtype in expected:
        if tensor.shape != shape or tensor.dtype != dtype or not math.prod(shape):
            raise BundleCorruptError(
                (
                    f"{folder / BUNDLE_NAME}: {tensor.file} is {tensor.dtype} {list(tensor.shape)} where {dtype} "
                    f"{list(shape)} belongs"
                ),
                fix="create the bundle again",
            )
    embeddings = _embeddings(manifest)
    for tensor in manifest.tensors:
        values = read_tensor(folder, tensor)
        if tensor in embeddings and not _has_directions(values):
            raise BundleCorruptError(
                f"{folder / BUNDLE_NAME}: {tensor.file} holds an embedding without a direction: a row of zeros, or one "
                "beyond float32's range",
                fix="create the bundle again",
            )


def _embeddings(manifest: Bundle) -> list[StoredTensor]:
    end = manifest.end_to_end
    golden = [tensor for model in manifest.models for tensor in (model.golden.reference, model.golden.outputs)]
    labels = [] if manifest.labels is None else [manifest.labels.embeddings]
    return [end.image_embeddings, end.sentence_embeddings, *golden, *labels]


def _has_directions(embeddings: np.ndarray) -> bool:
    """Whether every row can be normalised, so that its cosines are numbers."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(embeddings, axis=1)
    return bool(((lengths > 0) & np.isfinite(lengths)).all())


def _check_parts(path: Path, manifest: Bundle) -> None:
    """What the schema cannot say: that both towers, the tokenizer and the labels are about one model."""
    tokenizer, labels = manifest.tokenizer, manifest.labels
    images: tuple[BundledModel, ...] = (manifest.image, *manifest.variants_of(Tower.IMAGE))
    texts: tuple[BundledModel, ...] = (manifest.text, *manifest.variants_of(Tower.TEXT))
    faults = [
        *variant_faults(manifest),
        (len({model.normalized for model in manifest.models}) > 1, "only one tower gives raw embeddings"),
        (
            any(model.input.shape != (1, tokenizer.context_length) for model in texts),
            "the text tower takes a different context length",
        ),
        (
            any(model.output.shape != (1, manifest.model.embedding_dim) for model in manifest.models),
            "a tower's output is not the model's embedding",
        ),
        (
            any(model.input.dtype != ElementType.INT32 for model in texts),
            "the text tower does not take int32 ids",
        ),
        (not all(_lies_alone(model, manifest) for model in manifest.models), "a model has no folder of its own"),
        (sorted(tokenizer.byte_order) != list(range(BYTES)), "byte_order is not a permutation of the 256 bytes"),
        (
            (tokenizer.start_id, tokenizer.end_id) != (tokenizer.vocabulary_size - 2, tokenizer.vocabulary_size - 1),
            "start and end are not the last two ids",
        ),
        (tokenizer.pad_id >= tokenizer.vocabulary_size, "pad_id is not an id of the vocabulary"),
        (
            tokenizer.kept_ids is None and tokenizer.vocabulary_size != FULL_VOCABULARY_SIZE,
            "vocabulary_size is smaller than the whole vocabulary, but kept_ids is missing",
        ),
        (labels is not None and not labels.names, "the label list is empty"),
        (labels is not None and len(set(labels.names)) != len(labels.names), "a label occurs twice"),
        (not manifest.templates.texts, "there are no prompt templates"),
        (not all("{}" in text for text in manifest.templates.texts), "a template has no place for the label"),
        (
            labels is not None
            and any(
                image.ranking is not None and not all(0 <= place < len(labels.names) for place in image.ranking.places)
                for image in manifest.end_to_end.images
            ),
            "a golden ranking names a label that does not exist",
        ),
        (
            any(
                ranking is not None and {len(ranking.places)} != {len(ranking.cosines), len(ranking.probabilities)}
                for ranking in (image.ranking for image in manifest.end_to_end.images)
            ),
            "a golden ranking has other numbers of places, cosines and probabilities",
        ),
    ]
    for wrong, words in faults:
        if wrong:
            raise BundleCorruptError(f"{path}: {words}", fix="create the bundle again")
    try:
        for model in images:
            check_image_input(manifest.preprocess, model.input)
        # What it is made of may be wrong as well: ids, and the pattern.
        BundleTokenizer(tokenizer, path.parent)
    except BundleError as error:
        raise BundleCorruptError(f"{path}: {error}") from error


def _lies_alone(model: BundledModel, manifest: Bundle) -> bool:
    """Whether a model lies in a folder without tensors: what lies there is measured, and sent to a phone."""
    folder = f"{model.place}/"
    return model.entry_point.startswith(folder) and not any(each.file.startswith(folder) for each in manifest.tensors)
