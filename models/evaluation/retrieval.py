"""Retrieval over image-caption pairs: how often the right one is among the k most similar, in both directions.

An image counts as found by its captions if any of them is among the first k (Karpathy & Fei-Fei 2015, and
clip-benchmark after them). Ties count against the model: one that gives the same embedding to all finds nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.batches import check_corrupt_share, decoded_batches
from models.evaluation.comparison import bootstrap_ratio_interval
from models.evaluation.encoders import Embeddings, Encoder
from models.evaluation.journal import Journal, JournalEntry
from models.evaluation.samples import Pixels, Sample, identity_sha256
from models.preprocess import PreprocessSpec, decoded, preprocess
from models.statistics import Interval

RECALLS_AT = (1, 5, 10)
_CAPTIONS_AT_A_TIME = 256
# Rows of the similarity matrix that exist at a time.
_CHUNK = 512
_IMAGE_COLUMNS = ("image", "filepath", "path", "url")
_CAPTION_COLUMNS = ("caption", "title", "text")


class Direction(StrEnum):
    """What is given and what is looked for."""

    IMAGE_TO_TEXT = "image-to-text"
    TEXT_TO_IMAGE = "text-to-image"


@dataclass(frozen=True)
class RetrievalSet:
    """Images, each with one caption or several."""

    name: str
    split: str
    paths: tuple[Path, ...]
    captions: tuple[tuple[str, ...], ...]
    sha256: str

    @property
    def count(self) -> int:
        """Images and captions together: what there is to encode."""
        return len(self.paths) + sum(len(each) for each in self.captions)


@dataclass(frozen=True)
class RetrievalResult:
    """Who found what, at each of `RECALLS_AT`.

    Attributes:
        images: (N,) places of the images in their set.
        image_hits: (3, N) whether one of the image's captions is among the first k.
        caption_hits: (3, N) how many of the image's captions have the image among the first k.
        captions: (N,) how many captions each image has.
        skipped: unreadable images, left out with their captions, each with the reason.
    """

    images: NDArray[np.int64]
    image_hits: NDArray[np.bool_]
    caption_hits: NDArray[np.int64]
    captions: NDArray[np.int64]
    skipped: tuple[str, ...] = ()

    def counts(self, direction: Direction, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Per image, how many queries found what they should, and how many there were."""
        row = RECALLS_AT.index(k)
        if direction is Direction.IMAGE_TO_TEXT:
            return self.image_hits[row].astype(np.int64), np.ones(len(self.images), np.int64)
        return self.caption_hits[row], self.captions

    def recall(self, direction: Direction, k: int) -> float:
        """The share of queries that find what they should among the first k."""
        hits, queries = self.counts(direction, k)
        return float(hits.sum() / queries.sum())

    def interval(self, direction: Direction, k: int) -> Interval:
        """Interval of `recall`, by bootstrap over images: captions of one image are not independent."""
        return bootstrap_ratio_interval(*self.counts(direction, k))


def read_pairs(path: Path, count: int | None = None, seed: int = 0) -> RetrievalSet:
    """Image-caption pairs from a table with a header.

    Args:
        path: `.csv` (commas) or `.tsv` (tabs), with a column `image` (or `filepath`, `path`) and a column `caption`
            (or `title`, `text`); image paths start at the table's folder; an image with several captions has several
            lines.
        count: how many images to draw; None takes all.
        seed: which ones.

    Raises:
        DatasetError: the table cannot be read, lacks a column, a path or a caption, or an image does not exist.
    """
    captions: dict[str, list[str]] = {}
    for number, name, caption in _lines(path):
        if not name or not caption:
            raise DatasetError(f"{path}, line {number}: the {'image' if not name else 'caption'} is empty")
        captions.setdefault(name, []).append(caption)
    if not captions:
        raise DatasetError(f"{path} holds no pair; write one image and one caption a line, below the header")
    missing = [name for name in captions if not (path.parent / name).is_file()]
    if missing:
        raise DatasetError(
            f"{path}: {len(missing)} of {len(captions)} images do not exist (first: {path.parent / missing[0]}); "
            "paths start at the folder of the table"
        )
    names = list(captions)
    split = "all"
    if count is not None:
        if count > len(names):
            raise DatasetError(f"--count {count} is more than the {len(names)} images of the set; leave it out for all")
        chosen = np.sort(np.random.default_rng(seed).choice(len(names), count, replace=False))
        names, split = [names[place] for place in chosen], f"all, {count} drawn with seed {seed}"
    paths = tuple(path.parent / name for name in names)
    words = ((name, file.stat().st_size, *captions[name]) for name, file in zip(names, paths, strict=True))
    return RetrievalSet(
        f"retrieval:{path.name}", split, paths, tuple(tuple(captions[name]) for name in names), identity_sha256(words)
    )


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
            found = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = found
            image = next((name for name in _IMAGE_COLUMNS if name in found), None)
            caption = next((name for name in _CAPTION_COLUMNS if name in found), None)
            if image is None or caption is None:
                lacking, allowed = ("image", _IMAGE_COLUMNS) if image is None else ("caption", _CAPTION_COLUMNS)
                raise DatasetError(
                    f"{path} has no column of the {lacking} (found: {', '.join(found) or 'nothing'}); "
                    f"its header must name one of: {', '.join(allowed)}"
                )
            for row in reader:
                yield reader.line_num, (row[image] or "").strip(), (row[caption] or "").strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot read the pairs in {path}: {error}") from error


def retrieve(
    encoder: Encoder,
    dataset: RetrievalSet,
    journal: Journal,
    *,
    skip_corrupt: bool = False,
    advance: Callable[[int], object] = lambda count: None,
) -> RetrievalResult:
    """Encodes the images and captions that are not in the journal yet, and ranks all against all.

    Args:
        encoder: what embeds both.
        dataset: the pairs.
        journal: takes each batch of embeddings; images have the first places, captions those after them.
        skip_corrupt: leave unreadable images out, with their captions.
        advance: called with the number of images and captions done.

    Raises:
        CorruptSamplesError: an image is unreadable and may not be skipped, or too many are.
        NonFiniteError: an embedding is NaN or infinite.
        StorageError: the journal cannot be written.
    """
    images = len(dataset.paths)
    advance(journal.end)
    if journal.end < images:
        samples = _image_samples(dataset, journal.end)
        for batch in decoded_batches(samples, encoder.preprocess, encoder.batch_size, skip_corrupt=skip_corrupt):
            embeddings = encoder.encode_images(batch.images) if len(batch.places) else None
            _keep(journal, batch.start, batch.size, batch.places, embeddings, batch.skipped)
            check_corrupt_share(journal.skipped, journal.end, finished=False, total=images)
            advance(batch.size)
    check_corrupt_share(journal.skipped, images, finished=True, total=images)
    texts = [caption for captions in dataset.captions for caption in captions]
    while (done := journal.end - images) < len(texts):
        part = texts[done : done + _CAPTIONS_AT_A_TIME]
        _keep(journal, images + done, len(part), np.arange(len(part)) + images + done, encoder.encode_texts(part), ())
        advance(len(part))
    places, embeddings = journal.array("places"), journal.array("embeddings")
    shown = places < images
    owners = np.repeat(np.arange(images), [len(captions) for captions in dataset.captions])
    return rank_pairs(places[shown], embeddings[shown], owners, embeddings[~shown], journal.skipped)


def _keep(
    journal: Journal,
    start: int,
    size: int,
    places: NDArray[np.int64],
    embeddings: Embeddings | None,
    skipped: tuple[str, ...],
) -> None:
    # A batch of which nothing could be read has no embeddings, and no dimension to give an empty array.
    arrays = {} if embeddings is None else {"places": places, "embeddings": embeddings}
    journal.append(JournalEntry(start, size, arrays, skipped))


def _image_samples(dataset: RetrievalSet, start: int) -> Iterator[Sample]:
    for place in range(start, len(dataset.paths)):
        path = dataset.paths[place]
        yield Sample(place, path.name, 0, partial(_load, path))


def _load(path: Path, spec: PreprocessSpec) -> Pixels:
    with decoded(path, str(path)) as image:
        return preprocess(image, spec)


def rank_pairs(
    places: NDArray[np.int64],
    images: Embeddings,
    owners: NDArray[np.int64],
    captions: Embeddings,
    skipped: tuple[str, ...] = (),
) -> RetrievalResult:
    """Ranks every caption for every image and the other way round, a few rows of the similarities at a time.

    Args:
        places: (N,) which images were encoded.
        images: (N, D) normalised.
        owners: (M,) the place of each caption's image.
        captions: (M, D) normalised; those of images that are not in `places` are left out.
        skipped: passed on.
    """
    known = np.isin(owners, places)
    owner_rows, captions = np.searchsorted(places, owners[known]), captions[known]
    limits = np.asarray(RECALLS_AT)[:, None]
    caption_ranks = np.empty(len(captions), np.int64)
    for start in range(0, len(captions), _CHUNK):
        rows = owner_rows[start : start + _CHUNK]
        scores = captions[start : start + _CHUNK] @ images.T
        own = scores[np.arange(len(rows)), rows][:, None]
        caption_ranks[start : start + _CHUNK] = (scores >= own).sum(1) - 1
    image_ranks = np.empty(len(images), np.int64)
    for start in range(0, len(images), _CHUNK):
        scores = images[start : start + _CHUNK] @ captions.T
        mine = owner_rows[None, :] == np.arange(start, start + len(scores))[:, None]
        best = np.where(mine, scores, -np.inf).max(1, keepdims=True)
        image_ranks[start : start + _CHUNK] = ((scores >= best) & ~mine).sum(1)
    caption_hits = np.stack(
        [np.bincount(owner_rows, weights=found, minlength=len(images)) for found in caption_ranks < limits]
    )
    return RetrievalResult(
        places,
        image_ranks < limits,
        caption_hits.astype(np.int64),
        np.bincount(owner_rows, minlength=len(images)),
        skipped,
    )
