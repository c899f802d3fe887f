"""An index of photographs with what was forgotten and replaced in it, and what searching it finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.gallery.index_folder import IndexIdentity, open_index, writing
from pocketclip.export.gallery.searching import SearchHit, SimilarGroup, nearest, similar_groups

WIDTH = 24
_PHOTOS = 60
_LEAST_COSINE = 0.9


def write_index(folder: Path) -> None:
    """Writes the index: rows in an order of their own, some of them equal, near to others, replaced or forgotten."""
    rng = np.random.default_rng(7)
    rows = _normalised(rng.normal(size=(_PHOTOS, WIDTH)))
    # Equal ones, whose paths decide, and near ones.
    rows[20] = rows[21] = rows[22]
    rows[30] = _normalised(rows[31] + 0.02 * rng.normal(size=WIDTH))
    rows[40] = _normalised(rows[31] + 0.05 * rng.normal(size=WIDTH))
    # A value below the least normal half float, and a whole one.
    rows[50] = 0.0
    rows[50, :2] = 1.0, 3e-6
    names = [f"holiday/{'ÄÖÜäöü'[place % 6]}{place:02d}.jpg" for place in range(_PHOTOS)]
    identity = IndexIdentity(
        schema_version=1,
        model="golden",
        weights_sha256="1" * 64,
        image_sha256="2" * 64,
        width=WIDTH,
        folder="/photographs",
        artifact="/artifacts/golden/image",
    )
    with writing(folder, identity) as writer:
        for place in rng.permutation(_PHOTOS).tolist():
            writer.add(names[place], "1", rows[place] if place != 10 else rows[11])
        writer.flush()
        writer.add(names[10], "2", rows[10])
        writer.forget(names[5])
        writer.forget(names[22])
    (folder / ".index.lock").unlink(missing_ok=True)


def expected(folder: Path) -> dict[str, Any]:
    """What is found in the index of a folder."""
    index = open_index(folder)
    matrix = index.matrix()
    rng = np.random.default_rng(8)
    queries = [_normalised(rng.normal(size=WIDTH)) for _ in range(3)]
    queries.append(np.asarray(matrix[index.photos["holiday/Ü20.jpg"].row], np.float32))
    like = "holiday/Ö31.jpg"
    own = np.asarray(matrix[index.photos[like].row], np.float32)
    others = [hit for hit in nearest(index, own, 6) if hit.photo != like][:5]
    groups = similar_groups(index, _LEAST_COSINE)
    return {
        "queries": [
            {"vector": query.tolist(), "most": most, "hits": _rounded(nearest(index, query, most))}
            for query, most in zip(queries, (1, 5, 100, 3), strict=True)
        ],
        "similar": {"photo": like, "most": 5, "hits": _rounded(others)},
        "groups": {"least_cosine": _LEAST_COSINE, "groups": _rounded(groups)},
    }


def _rounded(found: Sequence[SearchHit] | Sequence[SimilarGroup]) -> list[dict[str, Any]]:
    """Without the digits in which computers differ."""
    return [{**asdict(each), "cosine": round(each.cosine, 5)} for each in found]


def write_gallery(folder: Path) -> None:
    """Writes the index and `expected.json`."""
    for old in folder.glob("*"):
        old.unlink()
    write_index(folder)
    (folder / "expected.json").write_text(json.dumps(expected(folder), ensure_ascii=False, indent=1) + "\n", "utf-8")


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)
