"""Zero-shot classification of a stream of images (CLIP, Radford et al. 2021, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.errors import CorruptSamplesError, DatasetError
from pocketclip.models.evaluation.batches import check_corrupt_share, decoded_batches
from pocketclip.models.evaluation.encoders import Embeddings, Encoder
from pocketclip.models.evaluation.journal import Journal, JournalEntry
from pocketclip.models.evaluation.prompts import prompt_set
from pocketclip.models.evaluation.samples import MAX_CORRUPT_SHARE, ClassificationSet
from pocketclip.models.evaluation.text_cache import class_embeddings

TOP = 5
_EMPTY = "the data set {} is empty; it needs at least one sample"


@dataclass(frozen=True)
class ZeroShotResult:
    """Predictions of a whole set.

    Attributes:
        places: (N,) places of the samples in their set, growing.
        labels: (N,) places among `classes` classes.
        top: (N, k) the likeliest classes, the first one first; k is `TOP`, or all classes where there are fewer.
        classes: how many classes there were to choose from.
        skipped: unreadable samples left out, each with the reason.
        ignored_profiles: images whose colour profile cannot be used (taken as sRGB), each with the reason.
    """

    places: NDArray[np.int64]
    labels: NDArray[np.int64]
    top: NDArray[np.int32]
    classes: int
    skipped: tuple[str, ...] = ()
    ignored_profiles: tuple[str, ...] = ()

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whose likeliest class is the right one, (N,)."""
        return self.top[:, 0] == self.labels

    @property
    def correct(self) -> int:
        """How many samples were classified correctly."""
        return int(self.right.sum())

    @property
    def correct_of_top5(self) -> int | None:
        """Of how many the right class is among the five likeliest; None where there are not more than five."""
        if self.classes <= TOP:
            return None
        return int((self.top == self.labels[:, None]).any(1).sum())

    @property
    def accuracy(self) -> float:
        """The share of samples classified correctly."""
        return self.correct / len(self.labels)


def classify(
    encoder: Encoder,
    dataset: ClassificationSet,
    classes: Embeddings,
    journal: Journal,
    *,
    skip_corrupt: bool = False,
    max_skipped: float = MAX_CORRUPT_SHARE,
    advance: Callable[[int], object] = lambda count: None,
) -> ZeroShotResult:
    """Classifies the samples that are not in the journal yet, and gives the result of all.

    Args:
        encoder: what embeds the images.
        dataset: the images.
        classes: (K, D) normalised, one row per class.
        journal: takes each batch as it is done; see `models.evaluation.journal`.
        skip_corrupt: leave unreadable samples out, as sets that skip them anyway do.
        max_skipped: share of the set that may be unreadable; with 0 none is left out.
        advance: called with the number of samples done.

    Raises:
        CorruptSamplesError: a sample is unreadable and may not be skipped, or too many are.
        DatasetError: the set is empty.
        NonFiniteError: an embedding is NaN or infinite.
        StorageError: the journal cannot be written.
    """
    advance(journal.end)
    batches = decoded_batches(
        dataset.source(journal.end),
        encoder.preprocess,
        encoder.batch_size,
        skip_corrupt=(skip_corrupt or dataset.skips_corrupt) and max_skipped > 0,
    )
    for batch in batches:
        journal.append(
            JournalEntry(
                batch.start,
                batch.size,
                {"top": _top(encoder, batch.images, classes), "places": batch.places, "labels": batch.labels},
                batch.skipped,
                batch.ignored_profiles,
            )
        )
        check_corrupt_share(journal.skipped, journal.end, finished=False, total=dataset.count, share=max_skipped)
        advance(batch.size)
    if not journal.end:
        raise DatasetError(_EMPTY.format(dataset.name))
    check_corrupt_share(journal.skipped, journal.end, finished=True, total=dataset.count, share=max_skipped)
    places, labels, top = (journal.array(name) for name in ("places", "labels", "top"))
    if not len(places):
        raise CorruptSamplesError(f"no sample of {dataset.name} can be read (first: {journal.skipped[0]})")
    return ZeroShotResult(places, labels, top, len(classes), journal.skipped, journal.ignored_profiles)


def classify_at_once(encoder: Encoder, dataset: ClassificationSet) -> ZeroShotResult:
    """Classifies a whole set with its own prompts, without a journal; every sample must be readable.

    Raises:
        CorruptSamplesError: a sample is unreadable.
        DatasetError: the set is empty.
        NonFiniteError: an embedding is NaN or infinite.
    """
    classes = class_embeddings(prompt_set(dataset.class_names, dataset.templates), encoder)
    batches = [
        (batch.places, batch.labels, _top(encoder, batch.images, classes))
        for batch in decoded_batches(dataset.source(0), encoder.preprocess, encoder.batch_size, skip_corrupt=False)
    ]
    if not batches:
        raise DatasetError(_EMPTY.format(dataset.name))
    places, labels, top = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return ZeroShotResult(places, labels, top, len(classes))


def _top(encoder: Encoder, images: NDArray[np.float32], classes: Embeddings) -> NDArray[np.int32]:
    most = min(TOP, len(classes))
    if not len(images):
        return np.empty((0, most), np.int32)
    scores = encoder.encode_images(images) @ classes.T
    # Stable: of equal scores the lower class comes first, as with argmax.
    return np.argsort(-scores, axis=1, kind="stable")[:, :most].astype(np.int32)
