"""Searching an index: one pass over the matrix, in pieces that fit the cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.gallery.index_folder import GalleryIndex

# Rows that are widened to single precision at a time: 8 MB at a width of 512.
_PIECE = 4096
# Of a cosine: beyond them, equal rows differ by where in a product they stand.
_DIGITS = 6

Embedding = NDArray[np.float32]


@dataclass(frozen=True)
class SearchHit:
    """A photograph, by its path below the indexed folder, with its cosine to what was searched for."""

    photo: str
    cosine: float


@dataclass(frozen=True)
class SimilarGroup:
    """Photographs that resemble each other, sorted by path, with the least cosine that joins two of them."""

    photos: tuple[str, ...]
    cosine: float


def nearest(index: GalleryIndex, query: Embedding, most: int) -> list[SearchHit]:
    """The photographs nearest to an embedding of length 1, the nearest first; equal ones by path.

    Args:
        index: what to search.
        query: `(width,)`.
        most: how many to give.
    """
    if not index.photos or most < 1:
        return []
    photos, matrix = list(index.photos), index.matrix()
    owners = np.full(len(matrix), -1)
    owners[index.rows_of_photos()] = np.arange(len(photos))
    found = np.empty(0, np.int64)
    cosines = np.empty(0, np.float32)
    for start in range(0, len(matrix), _PIECE):
        here = owners[start : start + _PIECE]
        piece = (matrix[start : start + _PIECE].astype(np.float32) @ query)[here >= 0]
        index.require_finite(piece)
        found = np.concatenate([found, here[here >= 0]])
        cosines = np.concatenate([cosines, piece])
        if len(cosines) > most:
            # Ties at the border stay in, so that paths decide about them in the end.
            border = np.partition(cosines, len(cosines) - most)[len(cosines) - most]
            kept = cosines >= border - 10.0**-_DIGITS
            found, cosines = found[kept], cosines[kept]
    hits = [SearchHit(photos[place], float(cosine)) for place, cosine in zip(found, cosines, strict=True)]
    return sorted(hits, key=lambda hit: (-round(hit.cosine, _DIGITS), hit.photo))[:most]


def similar_groups(index: GalleryIndex, least_cosine: float) -> list[SimilarGroup]:
    """Groups of photographs of which each resembles another of its group, the most alike first.

    Every pair is looked at: 100,000 photographs take some minutes.

    Args:
        index: what to search.
        least_cosine: of two photographs that count as alike, 0 to 1.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    photos = sorted(index.photos)
    if len(photos) < 2:
        return []
    matrix = index.matrix()
    values = matrix[[index.photos[photo].row for photo in photos]].astype(np.float32)
    index.require_finite(values)
    first: list[NDArray[np.int64]] = []
    second: list[NDArray[np.int64]] = []
    cosines: list[NDArray[np.float32]] = []
    for start in range(0, len(values), _PIECE):
        for other in range(start, len(values), _PIECE):
            products = values[start : start + _PIECE] @ values[other : other + _PIECE].T
            one, two = np.nonzero(products >= least_cosine)
            apart = start + one < other + two
            first.append(start + one[apart])
            second.append(other + two[apart])
            cosines.append(products[one[apart], two[apart]])
    ones, twos, alike = np.concatenate(first), np.concatenate(second), np.concatenate(cosines)
    graph = coo_array((np.ones(len(ones), bool), (ones, twos)), shape=(len(values), len(values)))
    _, labels = connected_components(graph, directed=False)
    groups: dict[int, list[str]] = {}
    for photo, label in zip(photos, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(photo)
    least: dict[int, float] = {}
    for label, cosine in zip(labels[ones].tolist(), alike.tolist(), strict=True):
        least[label] = min(least.get(label, 1.0), cosine)
    found = [SimilarGroup(tuple(members), least[label]) for label, members in groups.items() if len(members) > 1]
    return sorted(found, key=lambda group: (-group.cosine, group.photos))
