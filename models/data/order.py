"""The endless order of samples: a function of seed, epoch, rank and world alone, with an exact cursor.

Each epoch permutes the shards and deals them out among the ranks; within a window of a few shards the samples are
permuted. A source of one shard is cut into pieces, so that it can be permuted and dealt out, too.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pocketclip.models.data.indexes import SampleIndex
from pocketclip.models.data.references import SampleReference, ShardFault
from pocketclip.models.errors import ConfigError, DatasetError
from pocketclip.models.untrusted.numbers import MAX_SEED

PIECE_SAMPLES = 1000
WINDOW_SHARDS = 4

# The first word of a generator's key, so that no two kinds of draw share a stream.
_SHARD_DRAWS, _WINDOW_DRAWS, _SAMPLE_DRAWS = 1, 2, 3


class Cursor(NamedTuple):
    """A place in the order: the next sample is number `place` of the window."""

    epoch: int = 0
    window: int = 0
    place: int = 0


@dataclass(frozen=True)
class Piece:
    """Some samples of a shard; `stop` None means all to its end."""

    shard: int
    start: int = 0
    stop: int | None = None


class SampleOrder:
    """The order in which rank `rank` of `world` sees a source's samples.

    Raises `DatasetError` where the source is empty or has fewer shards (of one shard: samples) than ranks.
    """

    def __init__(self, index: SampleIndex, *, seed: int, rank: int = 0, world: int = 1) -> None:
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError(f"seed {seed} is out of range: choose one of 0..{MAX_SEED}")
        if not 0 <= rank < world:
            raise ConfigError(f"rank {rank} is out of range: choose one of 0..{world - 1}")
        self._index, self._seed, self._rank, self._world = index, seed, rank, world
        self._pieces = _pieces(index, world)
        self.shards = -(-len(self._pieces) // world)

    @property
    def identity(self) -> str:
        """A hash of what the order depends on: two orders with the same one serve the same samples."""
        parts = [str(part) for part in (self._seed, self._rank, self._world, WINDOW_SHARDS)]
        parts += [f"{self._index.shards[piece.shard]} {piece.start} {piece.stop}" for piece in self._pieces]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def walk(self, start: Cursor) -> Iterator[tuple[Cursor, SampleReference]]:
        """From a cursor on without end: each sample with the cursor behind it.

        Raises:
            DatasetError: the cursor lies beyond its window, or a whole epoch has no sample.
        """
        epoch, window, place = start
        while True:
            found = False
            windows = self._windows(epoch)
            while window < len(windows):
                self._index.prepare(piece.shard for pieces in windows[window : window + 2] for piece in pieces)
                references = self._window(epoch, window, windows[window])
                if place > len(references):
                    raise DatasetError(
                        f"the position {place} lies beyond the {len(references)} samples: "
                        "the data changed since it was saved"
                    )
                found = found or bool(references)
                for number in range(place, len(references)):
                    yield Cursor(epoch, window, number + 1), references[number]
                window, place = window + 1, 0
            if not found and start.epoch != epoch:
                raise DatasetError(f"no sample in {self._named()}", fix="give shards with images and captions")
            epoch, window = epoch + 1, 0

    def _windows(self, epoch: int) -> list[list[Piece]]:
        order = np.random.default_rng([_SHARD_DRAWS, self._seed, epoch]).permutation(len(self._pieces))
        mine = [self._pieces[number] for number in order[self._rank :: self._world].tolist()]
        return [mine[first : first + WINDOW_SHARDS] for first in range(0, len(mine), WINDOW_SHARDS)]

    def _window(self, epoch: int, window: int, pieces: list[Piece]) -> list[SampleReference]:
        references = [
            reference for piece in pieces for reference in self._index.references(piece.shard, piece.start, piece.stop)
        ]
        key = [_WINDOW_DRAWS, self._seed, epoch, window, self._rank, self._world]
        return [references[number] for number in np.random.default_rng(key).permutation(len(references)).tolist()]

    def _named(self) -> str:
        names = self._index.shards
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def sample_generator(seed: int, epoch: int, reference: SampleReference) -> np.random.Generator:
    """The generator of all that is drawn for one sample in one epoch."""
    return np.random.default_rng([_SAMPLE_DRAWS, seed, epoch, reference.shard, reference.sample])


def torch_seed(generator: np.random.Generator) -> int:
    """A seed for torch's generators, drawn."""
    return int(generator.integers(2**63 - 1))


def cursor_from_state(state: Any) -> Cursor:
    """Reads a stored `[epoch, window, place]`; `DatasetError` where it is none."""
    if not isinstance(state, list) or len(state) != 3 or not all(isinstance(part, int) and part >= 0 for part in state):
        raise DatasetError(f"{state!r} is not a position [epoch, window, place]")
    return Cursor(*state)


def _pieces(index: SampleIndex, world: int) -> list[Piece]:
    if len(index.shards) > 1:
        if len(index.shards) < world:
            raise DatasetError(
                f"{len(index.shards)} shards cannot be divided among {world} processes",
                fix=f"give at least {world} shards, or a single shard or table, which is split",
            )
        return [Piece(shard) for shard in range(len(index.shards))]
    count = index.count(0)
    first = index.references(0, 0, 1)
    if first and isinstance(first[0], ShardFault):
        raise DatasetError(f"{first[0].name}: {first[0].reason}", fix="give another shard")
    if count == 0:
        raise DatasetError(f"{index.shards[0]} holds no sample", fix="give one with images and captions")
    if count < world:
        raise DatasetError(f"{index.shards[0]} holds {count} samples, fewer than the {world} processes that read it")
    edges = np.linspace(0, count, max(world, -(-count // PIECE_SAMPLES)) + 1).astype(int).tolist()
    return [Piece(0, start, stop) for start, stop in itertools.pairwise(edges)]
