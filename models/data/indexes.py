"""The samples of a source by shard and place: tar shards, the rows of a table, files of a folder, generated scenes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from pocketclip.models.data.file_names import composed, find_file
from pocketclip.models.data.image_files import files_below, is_image
from pocketclip.models.data.left_out import LeftOut, LeftOutLog
from pocketclip.models.data.references import FileReference, SampleReference, SceneReference, ShardFault, ShardReference
from pocketclip.models.data.shard_cache import local_shard
from pocketclip.models.data.shards import CAPTION_MEMBER, ShardIndex, index_shard
from pocketclip.models.data.source import CsvSource, DataSource, FolderSource, SceneSource, ShardSource, is_url
from pocketclip.models.data.tables import Row, read_rows
from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted.printable import printable_path

_FETCHED_AT_ONCE = 4
_INDEXES_KEPT = 32


class SampleIndex(Protocol):
    """A source's shards and their samples. A table and the scenes are one shard each."""

    @property
    def shards(self) -> Sequence[str]:
        """The shards' names, the same ones wherever the files lie."""
        ...

    def count(self, shard: int) -> int:
        """How many references a shard has, faults included."""
        ...

    def references(self, shard: int, start: int = 0, stop: int | None = None) -> list[SampleReference]:
        """A shard's references from `start` to before `stop`, in file order."""
        ...

    @property
    def left_out(self) -> Mapping[int, tuple[LeftOut, ...]]:
        """What was passed over in the shards that were read so far, by shard; those without are not in it."""
        ...

    def prepare(self, shards: Iterable[int]) -> None:
        """Says which shards are read next, so that they can be fetched meanwhile."""
        ...

    def close(self) -> None:
        """Ends what `prepare` began."""
        ...


class ShardFiles:
    """Tar shards; one that cannot be read has a single reference, which says why."""

    def __init__(self, source: ShardSource, cache: Path | None = None) -> None:
        self._places, self._cache = source.shards, cache
        self._fetching: dict[int, Future[Path]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._left_out: dict[int, tuple[LeftOut, ...]] = {}
        self._index = functools.lru_cache(_INDEXES_KEPT)(self._read_index)

    @property
    def shards(self) -> Sequence[str]:
        """The file names."""
        return [place.rsplit("/", 1)[-1] for place in self._places]

    def count(self, shard: int) -> int:
        """Samples, and one for a fault."""
        index = self._index(shard)
        return len(index.samples) + (index.fault is not None)

    def references(self, shard: int, start: int = 0, stop: int | None = None) -> list[SampleReference]:
        """Samples in file order, then the fault."""
        index = self._index(shard)
        last = self.count(shard) if stop is None else stop
        found: list[SampleReference] = [
            ShardReference(shard, start + place, sample.key, index.path, sample.members, sample.fault)
            for place, sample in enumerate(index.samples[start:last])
        ]
        if index.fault is not None and start <= len(index.samples) < last:
            found.append(ShardFault(shard, len(index.samples), printable_path(self._places[shard]), index.fault))
        return found

    @property
    def left_out(self) -> Mapping[int, tuple[LeftOut, ...]]:
        """Members that belong to no sample."""
        return self._left_out

    def prepare(self, shards: Iterable[int]) -> None:
        """Fetches URLs in the background."""
        for shard in shards:
            if is_url(self._places[shard]) and shard not in self._fetching:
                self._pool = self._pool or ThreadPoolExecutor(_FETCHED_AT_ONCE)
                self._fetching[shard] = self._pool.submit(local_shard, self._places[shard], self._cache)

    def close(self) -> None:
        """Waits for transfers under way; others are not begun."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._fetching.clear()

    def _read_index(self, shard: int) -> ShardIndex:
        place = self._places[shard]
        fetching = self._fetching.pop(shard, None)
        try:
            index = index_shard(local_shard(place, self._cache) if fetching is None else fetching.result())
        except DatasetError as error:
            return ShardIndex(Path(place), (), str(error))
        if index.left_out:
            self._left_out[shard] = index.left_out
        return index


class Table:
    """The rows of a CSV or TSV file."""

    def __init__(self, source: CsvSource) -> None:
        self._path = source.path
        self._rows = _read_rows(source)

    @property
    def shards(self) -> Sequence[str]:
        """The table's file name."""
        return [self._path.name]

    def count(self, shard: int) -> int:
        """The number of rows."""
        return len(self._rows)

    def references(self, shard: int, start: int = 0, stop: int | None = None) -> list[SampleReference]:
        """Rows in file order."""
        return [
            FileReference(
                shard,
                start + place,
                f"{self._path.name} row {start + place + 1}",
                _named_file(self._path.parent, row.values[0]),
                row.values[1],
            )
            for place, row in enumerate(self._rows[start:stop])
        ]

    @property
    def left_out(self) -> Mapping[int, tuple[LeftOut, ...]]:
        """Nothing: every row is a sample or an error."""
        return {}

    def prepare(self, shards: Iterable[int]) -> None:
        """Nothing to fetch."""

    def close(self) -> None:
        """Nothing to end."""


class Folder:
    """Images of a folder and those in it, each with its caption in a text file of the same name."""

    def __init__(self, source: FolderSource) -> None:
        self._path = source.path
        log = LeftOutLog()
        below = dict(files_below(source.path))
        # The name in small letters comes last, and wins where there are both.
        texts = [path for path in sorted(below) if path.suffix.lower() == f".{CAPTION_MEMBER}"]
        self._captions = {_without_suffix(path): path for path in texts}
        self._images = [
            (path, name)
            for path, name in below.items()
            if path.suffix.lower() != f".{CAPTION_MEMBER}" and is_image(path, log, name)
        ]
        without = self._captions.keys() - {_without_suffix(path) for path, _ in self._images}
        for path in sorted(self._captions[name] for name in without):
            log.add("captions without an image", path.relative_to(source.path).as_posix())
        self._left_out = {0: log.entries} if log.entries else {}

    @property
    def shards(self) -> Sequence[str]:
        """The folder's name."""
        return [self._path.resolve().name]

    def count(self, shard: int) -> int:
        """The number of images."""
        return len(self._images)

    def references(self, shard: int, start: int = 0, stop: int | None = None) -> list[SampleReference]:
        """Images in the order of their paths."""
        return [
            FileReference(
                shard,
                start + place,
                name,
                path,
                None,
                self._captions.get(_without_suffix(path), path.with_suffix(f".{CAPTION_MEMBER}")),
            )
            for place, (path, name) in enumerate(self._images[start:stop])
        ]

    @property
    def left_out(self) -> Mapping[int, tuple[LeftOut, ...]]:
        """What is no image and no caption."""
        return self._left_out

    def prepare(self, shards: Iterable[int]) -> None:
        """Nothing to fetch."""

    def close(self) -> None:
        """Nothing to end."""


def _without_suffix(path: Path) -> str:
    """By what an image and its caption are the same: cameras write suffixes large, and disks letters decomposed."""
    return composed(str(path.with_suffix("")))


class Scenes:
    """The first `count` scenes of the training split, `size` pixels square."""

    def __init__(self, count: int, *, seed: int, size: int) -> None:
        self._count, self._seed, self._size = count, seed, size

    @property
    def shards(self) -> Sequence[str]:
        """One for all scenes."""
        return ["scenes"]

    def count(self, shard: int) -> int:
        """The number of scenes."""
        return self._count

    def references(self, shard: int, start: int = 0, stop: int | None = None) -> list[SampleReference]:
        """Scenes by number."""
        last = self._count if stop is None else min(stop, self._count)
        return [SceneReference(number, self._seed, self._size) for number in range(start, last)]

    @property
    def left_out(self) -> Mapping[int, tuple[LeftOut, ...]]:
        """Nothing."""
        return {}

    def prepare(self, shards: Iterable[int]) -> None:
        """Nothing to fetch."""

    def close(self) -> None:
        """Nothing to end."""


def open_index(
    source: DataSource, *, cache: Path | None = None, scene_seed: int = 0, scene_size: int = 64
) -> SampleIndex:
    """The samples of any source.

    Raises:
        DatasetError: a table cannot be read, or `scenes` without a count.
    """
    if isinstance(source, ShardSource):
        return ShardFiles(source, cache)
    if isinstance(source, CsvSource):
        return Table(source)
    if isinstance(source, FolderSource):
        return Folder(source)
    return Scenes(_scene_count(source), seed=scene_seed, size=scene_size)


def _scene_count(source: SceneSource) -> int:
    if source.count is None:
        raise DatasetError("the number of scenes is unlimited", fix="give a number: scenes:COUNT")
    return source.count


def _read_rows(source: CsvSource) -> list[Row]:
    wanted = (source.image_column, source.caption_column)

    def choose(columns: Sequence[str]) -> Sequence[str]:
        missing = [name for name in wanted if name not in columns]
        if missing:
            raise DatasetError(
                (
                    f"{source.path} has no column {' and no column '.join(missing)} "
                    f"(it has: {', '.join(filter(None, columns)) or 'none'})"
                ),
                fix=f"name them: csv:{source.path}?image=COLUMN&caption=COLUMN",
            )
        return wanted

    return read_rows(source.path, choose)


def _named_file(folder: Path, name: str) -> Path | None:
    """The file that a row names; where there is none, the path that it should have, for the message."""
    return (find_file(folder, name) or folder / name) if name else None
