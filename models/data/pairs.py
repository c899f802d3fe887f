"""Image-caption pairs in file order, for reinforcing, validation and retrieval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pocketclip.models.data.indexes import SampleIndex, open_index
from pocketclip.models.data.left_out import LeftOut, LeftOutLog
from pocketclip.models.data.references import CAPTIONED_MEMBERS, SampleReference, ShardFault, decode_image
from pocketclip.models.data.skips import SkipLog, SkippedSample, reason_of
from pocketclip.models.data.source import DataSource, SceneSource, parse_source
from pocketclip.models.errors import DatasetError
from pocketclip.models.pixels.colour_profiles import noted_profiles


@dataclass(frozen=True)
class Pair:
    """One pair: `image` upright RGB, its caption, further captions of it, and its key within the source."""

    image: Image.Image
    caption: str
    synthetic_captions: tuple[str, ...]
    key: str


class PairReader:
    """The usable pairs of an index in file order; corrupt ones are skipped, counted and named in `log`."""

    def __init__(self, index: SampleIndex, log: SkipLog, limit: int | None = None) -> None:
        self._index, self._log, self._limit = index, log, limit

    def __iter__(self) -> Iterator[Pair]:
        """Yields the pairs.

        Raises:
            DatasetError: too many samples cannot be used, or none is there.
        """
        served = 0
        try:
            for reference in references_from(self._index):
                if self._limit is not None and served >= self._limit:
                    return
                try:
                    raw = reference.read(CAPTIONED_MEMBERS)
                    with noted_profiles() as reasons:
                        image = decode_image(raw.image)
                    pair = Pair(image, raw.caption, raw.synthetic_captions, reference.key)
                except Exception as error:
                    note_corrupt(self._log, reference, error)
                    continue
                self._log.used()
                if reasons:
                    self._log.ignored_profile(f"{reference.name}: {reasons[0]}")
                served += 1
                yield pair
        finally:
            self._index.close()
        if served == 0:
            named = "; ".join(map(str, self._log.first[:3])) or "it is empty"
            raise DatasetError(f"no pair of {self._index.shards[0]} can be used: {named}")

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What was passed over in what was read so far."""
        return LeftOutLog(entry for entries in self.left_out_by_shard.values() for entry in entries).entries

    @property
    def left_out_by_shard(self) -> Mapping[str, Sequence[LeftOut]]:
        """The same by shard."""
        return {self._index.shards[shard]: entries for shard, entries in self._index.left_out.items()}

    @property
    def ignored_profiles(self) -> tuple[int, str | None]:
        """How many images so far have a colour profile that cannot be used, and the first with the reason."""
        return self._log.ignored_profiles, self._log.first_ignored_profile

    @property
    def skipped(self) -> Sequence[SkippedSample]:
        """The first skipped samples."""
        return self._log.first

    @property
    def skipped_count(self) -> int:
        """How many samples were skipped so far."""
        return self._log.count


def read_pairs(
    source: DataSource | str,
    limit: int | None = None,
    *,
    scene_seed: int = 0,
    scene_size: int = 64,
    max_skipped_share: float = 0.05,
    on_skip: Callable[[SkippedSample], object] | None = None,
    cache: Path | None = None,
) -> PairReader:
    """The pairs of any source in file order.

    Args:
        source: as `models.data.source.parse_source` reads it. Scenes are of the training split; their synthetic
            captions are further true captions of the same scene.
        limit: at most so many pairs.
        scene_seed, scene_size: which scenes, and their side in pixels.
        max_skipped_share: share of samples that may be corrupt.
        on_skip: told of every sample that is skipped.
        cache: folder of fetched shards.

    Raises:
        DatasetError: the source cannot be read; while reading, that too much of it cannot.
    """
    source = parse_source(source) if isinstance(source, str) else source
    if isinstance(source, SceneSource) and source.count is None and limit is not None:
        source = SceneSource(limit)
    index = open_index(source, cache=cache, scene_seed=scene_seed, scene_size=scene_size)
    return PairReader(index, SkipLog(max_skipped_share, shards=len(index.shards), on_skip=on_skip), limit)


def references_from(index: SampleIndex, shard: int = 0, sample: int = 0) -> Iterator[SampleReference]:
    """All references in file order from a place on."""
    for number in range(shard, len(index.shards)):
        index.prepare(range(number, min(number + 2, len(index.shards))))
        yield from index.references(number, sample if number == shard else 0)


def note_corrupt(log: SkipLog, reference: SampleReference, error: Exception) -> None:
    """Counts a reference that could not be read; see `SkipLog.skip`."""
    whole_shard = isinstance(reference, ShardFault)
    log.skip(SkippedSample(reference.name, reason_of(error)), broken_shard_of_epoch=0 if whole_shard else None)
