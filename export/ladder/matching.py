"""Finding PyTorch's values again among those of a converted model, and the first one that is not there.

Converters rename, fuse and reorder: a value is known by what it holds. Its layout may differ (channels last); what is
fused away is not there in a sound conversion either.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.export.ladder.stations import Station, Traced
from pocketclip.export.parity.measures import snr_db

# A place that a sound conversion shows less well than this is fused or quantised away there.
VISIBLE_DB = 6.0
# What differs from a sound conversion by a factor of two in amplitude computes something else.
LOSS_DB = 6.0
# Better than this is the same value in any precision.
SAME_DB = 60.0

Flat = NDArray[np.float32]


@dataclass(frozen=True)
class Finding:
    """A place that diverges: its index among the stations, how well it is found, and the last that agreed before."""

    index: int
    snr_db: float
    expected_db: float
    after: int | None


@dataclass(frozen=True)
class _Candidate:
    flat: Flat
    norm: float


def match(stations: Sequence[Station], traced: Sequence[Traced]) -> list[float]:
    """For each station the SNR, in decibels, of the traced value that is nearest to it; -inf where none fits."""
    by_size: dict[int, list[_Candidate]] = defaultdict(list)
    for value in traced:
        flat = _flat(value.values)
        if np.isfinite(flat).all():
            by_size[flat.size].append(_Candidate(flat, float(np.linalg.norm(flat))))
    return [_best(station, by_size) for station in stations]


def first_loss(expected: Sequence[float], found: Sequence[float]) -> Finding | None:
    """The first station that a sound conversion of the same weights shows much better.

    Args:
        expected: what `match` gave for the sound conversion.
        found: what it gave for the one in question.
    """
    after: int | None = None
    for index, (sound, actual) in enumerate(zip(expected, found, strict=True)):
        if sound < VISIBLE_DB:
            continue
        if actual < min(sound - LOSS_DB, SAME_DB):
            return Finding(index, actual, sound, after)
        after = index
    return None


def first_below(stations: Sequence[Station], found: Sequence[float], limit_db: float) -> Finding | None:
    """The first station that is not found within a limit, and that nothing found later is made from."""
    sound = [snr >= limit_db for snr in found]
    for index in range(len(stations) - 1, -1, -1):
        sound[index] = sound[index] or any(sound[user] for user in stations[index].feeds)
    if all(sound):
        return None
    index = sound.index(False)
    after = max((place for place in range(index) if found[place] >= limit_db), default=None)
    return Finding(index, found[index], limit_db, after)


def _best(station: Station, by_size: dict[int, list[_Candidate]]) -> float:
    layouts = [_flat(each) for each in _layouts(station.values)]
    norm = float(np.linalg.norm(layouts[0]))
    if norm == 0:
        # Zeros are everywhere: they tell nothing.
        return 200.0
    best = -math.inf
    for candidate in sorted(by_size[layouts[0].size], key=lambda each: abs(each.norm - norm)):
        # The error is at least the difference in length, whatever the layout.
        gap = abs(candidate.norm - norm)
        if gap > 0 and 20 * math.log10(norm / gap) <= best:
            break
        best = max(best, *(snr_db(layout, candidate.flat) for layout in layouts))
    return best


def _layouts(values: tuple[np.ndarray, ...]) -> list[tuple[np.ndarray, ...]]:
    shape = values[0].shape
    found = [values]
    for source, goal in ((1, -1), (-1, 1)):
        if len(shape) < 3:
            continue
        moved = tuple(np.moveaxis(value, source, goal) for value in values)
        # A square matrix and its transpose look alike: only a change of shape is a change of layout.
        if moved[0].shape != shape:
            found.append(moved)
    return found


def _flat(values: Sequence[np.ndarray]) -> Flat:
    return np.concatenate([np.asarray(value, np.float32).ravel() for value in values])
