"""Retrieval over image-caption pairs: how often the right one is among the k most similar, in both directions.

An image counts as found by its captions if any of them is among the first k (Karpathy & Fei-Fei 2015, and
clip-benchmark after them). A caption that belongs to several images is right for each of them, in both directions.
Ties count against the model: one that gives the same embedding to all finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketclip.models.data.file_names import composed, find_file
from pocketclip.models.data.tables import read_rows
from pocketclip.models.data.word_lists import is_visible
from pocketclip.models.errors import CorruptSamplesError, DatasetError
from pocketclip.models.evaluation.batches import check_corrupt_share, decoded_batches
from pocketclip.models.evaluation.comparison import bootstrap_ratio_interval
from pocketclip.models.evaluation.encoders import Embeddings, Encoder
from pocketclip.models.evaluation.journal import Journal, JournalEntry
from pocketclip.models.evaluation.samples import MAX_CORRUPT_SHARE, Counted, Pixels, Sample, identity_sha256
from pocketclip.models.pixels.preprocess import PreprocessSpec, decoded, preprocess
from pocketclip.models.statistics.intervals import Interval
from pocketclip.models.untrusted.files import is_file
from pocketclip.models.untrusted.printable import printable_path

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
    left_out: Counted = field(default_factory=Counted, compare=False)

    @property
    def shared_captions(self) -> int:
        """How many different captions belong to several images."""
        owners: dict[str, set[int]] = {}
        for place, captions in enumerate(self.captions):
            for caption in captions:
                owners.setdefault(caption_key(caption), set()).add(place)
        return sum(len(places) > 1 for places in owners.values())

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
        caption_hits: (3, N) how many of the image's captions have an image that they belong to among the first k.
        captions: (N,) how many captions each image has.
        skipped: unreadable images, left out with their captions, each with the reason.
        ignored_profiles: images whose colour profile cannot be used (taken as sRGB), each with the reason.
    """

    images: NDArray[np.int64]
    image_hits: NDArray[np.bool_]
    caption_hits: NDArray[np.int64]
    captions: NDArray[np.int64]
    skipped: tuple[str, ...] = ()
    ignored_profiles: tuple[str, ...] = ()

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


def read_pairs(path: Path, count: int | None = None, seed: int = 0, *, missing_allowed: bool = False) -> RetrievalSet:
    """Image-caption pairs from a table with a header.

    Args:
        path: `.csv` (commas) or `.tsv` (tabs), with a column `image` (or `filepath`, `path`) and a column `caption`
            (or `title`, `text`); image paths start at the table's folder; an image with several captions has several
            lines.
        count: how many images to draw; None takes all.
        seed: which ones.
        missing_allowed: take images that do not exist for unreadable ones.

    Raises:
        DatasetError: the table cannot be read, lacks a column, a path or a caption, or an image does not exist.
    """
    rows = read_rows(path, partial(_columns, path))
    captions: dict[str, list[str]] = {}
    for number, (name, caption) in rows:
        if not name or not caption:
            raise DatasetError(f"{path}, line {number}: the {'image' if not name else 'caption'} is empty")
        if not is_visible(caption):
            raise DatasetError(
                f"{path}, line {number}: the caption is invisible", fix="give it text, or remove the row"
            )
        captions.setdefault(name, []).append(caption)
    if not captions:
        raise DatasetError(f"{path} holds no pair", fix="write one image and one caption on each line below the header")
    found = {name: find_file(path.parent, name) for name in captions}
    _join_spellings(captions, found)
    missing = [name for name, file in found.items() if file is None]
    if missing and not missing_allowed:
        if "://" in missing[0]:
            raise DatasetError(
                f"{path} names addresses, not files (first: {missing[0]})", fix="download the images first"
            )
        raise DatasetError(
            (
                f"{path}: {len(missing)} of {len(captions)} images do not exist (first: {path.parent / missing[0]}); "
                "paths are relative to the table's folder"
            ),
            fix="skip such images with --max-skipped",
        )
    names = list(captions)
    split = "all"
    if count is not None:
        if count > len(names):
            raise DatasetError(
                f"--count {count} is more than the {len(names)} images of the set", fix="omit it to use all"
            )
        chosen = np.sort(np.random.default_rng(seed).choice(len(names), count, replace=False))
        names, split = [names[place] for place in chosen], f"all, {count} drawn with seed {seed}"
    paths = tuple(found[name] or path.parent / name for name in names)
    words = (
        (name, file.stat().st_size if is_file(file) else None, *captions[name])
        for name, file in zip(names, paths, strict=True)
    )
    return RetrievalSet(
        printable_path(f"retrieval:{path.name}"),
        split,
        paths,
        tuple(tuple(captions[name]) for name in names),
        identity_sha256(words),
    )


def _join_spellings(captions: dict[str, list[str]], found: Mapping[str, Path | None]) -> None:
    """Gives the first name of a file the captions of its others (`a.png`, `./a.png`): it is one image."""
    first: dict[Path, str] = {}
    for name in list(captions):
        file = found[name]
        if file is not None and (kept := first.setdefault(file.resolve(), name)) != name:
            captions[kept] += captions.pop(name)


def _columns(path: Path, found: Sequence[str]) -> Sequence[str]:
    image = next((name for name in _IMAGE_COLUMNS if name in found), None)
    caption = next((name for name in _CAPTION_COLUMNS if name in found), None)
    if image is None or caption is None:
        lacking, allowed = ("image", _IMAGE_COLUMNS) if image is None else ("caption", _CAPTION_COLUMNS)
        raise DatasetError(
            f"{path} has no column for the {lacking} (found: {', '.join(filter(None, found)) or 'nothing'}); "
            f"its header must name one of: {', '.join(allowed)}"
        )
    return image, caption


def caption_key(caption: str) -> str:
    """What captions are compared by: upper case, spaces and the form of letters make no other caption of one."""
    return " ".join(composed(caption).lower().split())


def retrieve(
    encoder: Encoder,
    dataset: RetrievalSet,
    journal: Journal,
    *,
    skip_corrupt: bool = False,
    max_skipped: float = MAX_CORRUPT_SHARE,
    advance: Callable[[int], object] = lambda count: None,
) -> RetrievalResult:
    """Encodes the images and captions that are not in the journal yet, and ranks all against all.

    Args:
        encoder: what embeds both.
        dataset: the pairs.
        journal: takes each batch of embeddings; images have the first places, captions those after them.
        skip_corrupt: leave unreadable images out, with their captions.
        max_skipped: share of the images that may be unreadable; with 0 none is left out.
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
        skip = skip_corrupt and max_skipped > 0
        for batch in decoded_batches(samples, encoder.preprocess, encoder.batch_size, skip_corrupt=skip):
            embeddings = encoder.encode_images(batch.images) if len(batch.places) else None
            _keep(journal, batch.start, batch.size, batch.places, embeddings, batch.skipped, batch.ignored_profiles)
            check_corrupt_share(journal.skipped, journal.end, finished=False, total=images, share=max_skipped)
            advance(batch.size)
    check_corrupt_share(journal.skipped, images, finished=True, total=images, share=max_skipped)
    if len(journal.skipped) == images:
        raise CorruptSamplesError(f"no image of {dataset.name} can be read (first: {journal.skipped[0]})")
    texts = [caption for captions in dataset.captions for caption in captions]
    while (done := journal.end - images) < len(texts):
        part = texts[done : done + _CAPTIONS_AT_A_TIME]
        _keep(journal, images + done, len(part), np.arange(len(part)) + images + done, encoder.encode_texts(part), ())
        advance(len(part))
    places, embeddings = journal.array("places"), journal.array("embeddings")
    shown = places < images
    owners = np.repeat(np.arange(images), [len(captions) for captions in dataset.captions])
    keys: dict[str, int] = {}
    groups = np.array([keys.setdefault(caption_key(text), len(keys)) for text in texts], np.int64)
    found = rank_pairs(places[shown], embeddings[shown], owners, embeddings[~shown], journal.skipped, groups=groups)
    return replace(found, ignored_profiles=journal.ignored_profiles)


def _keep(
    journal: Journal,
    start: int,
    size: int,
    places: NDArray[np.int64],
    embeddings: Embeddings | None,
    skipped: tuple[str, ...],
    profiles: tuple[str, ...] = (),
) -> None:
    # A batch of which nothing could be read has no embeddings, and no dimension to give an empty array.
    arrays = {} if embeddings is None else {"places": places, "embeddings": embeddings}
    journal.append(JournalEntry(start, size, arrays, skipped, profiles))


def _image_samples(dataset: RetrievalSet, start: int) -> Iterator[Sample]:
    for place in range(start, len(dataset.paths)):
        path = dataset.paths[place]
        yield Sample(place, printable_path(path.name), 0, partial(_load, path))


def _load(path: Path, spec: PreprocessSpec) -> Pixels:
    with decoded(path, str(path)) as image:
        return preprocess(image, spec)


def rank_pairs(
    places: NDArray[np.int64],
    images: Embeddings,
    owners: NDArray[np.int64],
    captions: Embeddings,
    skipped: tuple[str, ...] = (),
    *,
    groups: NDArray[np.int64] | None = None,
) -> RetrievalResult:
    """Ranks every caption for every image and the other way round, a few rows of the similarities at a time.

    Args:
        places: (N,) which images were encoded.
        images: (N, D) normalised.
        owners: (M,) the place of each caption's image.
        captions: (M, D) normalised; those of images that are not in `places` are left out.
        skipped: passed on.
        groups: (M,) equal numbers for equal captions: any image of such a group is right for its captions, and any of
            its captions for its images. None takes all captions for different ones.
    """
    known = np.isin(owners, places)
    owner_rows, captions = np.searchsorted(places, owners[known]), captions[known]
    group_of = np.arange(len(captions)) if groups is None else np.unique(groups[known], return_inverse=True)[1]
    limits = np.asarray(RECALLS_AT)[:, None]
    belongs = _Belongs(owner_rows, group_of)
    caption_ranks = np.empty(len(captions), np.int64)
    for start in range(0, len(captions), _CHUNK):
        rows = slice(start, start + _CHUNK)
        right = belongs.images_of(group_of[rows], len(images))
        caption_ranks[rows] = _ranks(captions[rows] @ images.T, right)
    image_ranks = np.empty(len(images), np.int64)
    for start in range(0, len(images), _CHUNK):
        rows = slice(start, start + _CHUNK)
        image_ranks[rows] = _ranks(images[rows] @ captions.T, belongs.captions_of(start, len(images[rows])))
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


class _Belongs:
    """Which images and captions belong together, a chunk of rows at a time."""

    def __init__(self, owner_rows: NDArray[np.int64], group_of: NDArray[np.int64]) -> None:
        # Each pair of a group and an image once, sorted by group and by image.
        pairs = np.unique(np.stack([group_of, owner_rows], axis=1), axis=0)
        self._group_of = group_of
        self._groups, self._images = pairs[:, 0], pairs[:, 1]
        by_image = np.argsort(self._images, kind="stable")
        self._image_groups, self._sorted_images = self._groups[by_image], self._images[by_image]

    def images_of(self, groups: NDArray[np.int64], images: int) -> NDArray[np.bool_]:
        """`(rows, images)`: which images the captions of these groups belong to."""
        right = np.zeros((len(groups), images), bool)
        starts, ends = (np.searchsorted(self._groups, groups, side) for side in ("left", "right"))
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            right[row, self._images[start:end]] = True
        return right

    def captions_of(self, first: int, count: int) -> NDArray[np.bool_]:
        """`(count, captions)`: which captions belong to the images from `first` on."""
        right = np.zeros((count, len(self._group_of)), bool)
        shown = np.zeros(int(self._group_of.max(initial=-1)) + 1, bool)
        for row in range(count):
            start, end = np.searchsorted(self._sorted_images, [first + row, first + row + 1])
            own = self._image_groups[start:end]
            shown[own] = True
            right[row] = shown[self._group_of]
            shown[own] = False
        return right


def _ranks(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many wrong answers are at least as similar as the best right one, `(rows,)`; both are `(rows, answers)`."""
    best = np.where(right, scores, -np.inf).max(1, keepdims=True)
    return ((scores >= best) & ~right).sum(1)
