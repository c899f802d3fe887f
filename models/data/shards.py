"""Tar shards in the layout of DataComp, DataCompDR and clip-benchmark: an index of their samples, read by offset.

Members of one sample lie side by side and share their name up to the first dot: `KEY.jpg`, `KEY.txt`, `KEY.cls`,
`KEY.syn.json`, `KEY.paug.json`, `KEY.npz` or `KEY.pth.gz`. A key may hold dots itself where what follows its first one
is no kind of member: `photo.v2.jpg` and `photo.v2.txt` are the sample `photo.v2`.

Nothing here runs a command or asks a network: a shard is a path, whatever its name looks like.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pocketclip.models.data.compressed import plain_tar
from pocketclip.models.data.image_files import IMAGE_MEMBERS, passed_over
from pocketclip.models.data.left_out import LeftOut, LeftOutLog
from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted.stand_ins import HEAD_BYTES, stand_in

CAPTION_MEMBER = "txt"
LABEL_MEMBER = "cls"
SYNTHETIC_MEMBER = "syn.json"
AUGMENTATION_MEMBER = "paug.json"
NPZ_MEMBER = "npz"
TORCH_MEMBER = "pth.gz"
EMBEDDING_MEMBERS = (NPZ_MEMBER, TORCH_MEMBER)

_MIB = 1 << 20
# A member that is larger is no sample: memory would be taken before anything of it is checked.
_MOST_BYTES = {
    **dict.fromkeys(IMAGE_MEMBERS, 256 * _MIB),
    **dict.fromkeys(EMBEDDING_MEMBERS, 64 * _MIB),
    **dict.fromkeys((CAPTION_MEMBER, SYNTHETIC_MEMBER, AUGMENTATION_MEMBER, LABEL_MEMBER), _MIB),
}
_READ_AT_ONCE = _MIB

Places = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Layout:
    """What the members of a sample are: the `kinds` that are read, and the one that every image needs beside it."""

    kinds: frozenset[str]
    partner: str

    def is_whole(self, members: Collection[str]) -> bool:
        """Whether members of these kinds are an image and what it needs."""
        return self.partner in members and any(kind in members for kind in IMAGE_MEMBERS)


CAPTIONED = Layout(
    frozenset((*IMAGE_MEMBERS, CAPTION_MEMBER, LABEL_MEMBER, SYNTHETIC_MEMBER, AUGMENTATION_MEMBER))
    | frozenset(EMBEDDING_MEMBERS),
    CAPTION_MEMBER,
)
LABELLED = Layout(frozenset((*IMAGE_MEMBERS, LABEL_MEMBER)), LABEL_MEMBER)


@dataclass(frozen=True)
class ShardSample:
    """One sample: its key and where its members lie in the file, `(offset, bytes)` by extension.

    `fault` says why it cannot be used, where its members contradict each other.
    """

    key: str
    members: Places
    fault: str | None = None


@dataclass(frozen=True)
class ShardIndex:
    """The samples of a shard in file order; `fault` says what is wrong where the shard ends too early or is no tar.

    `path` is the file that offsets are in: of a compressed shard its unpacked copy. `left_out` counts members that
    belong to no sample.
    """

    path: Path
    samples: tuple[ShardSample, ...]
    fault: str | None = None
    left_out: tuple[LeftOut, ...] = ()


def index_shard(path: Path, layout: Layout = CAPTIONED) -> ShardIndex:
    """Reads the headers of a tar file, of every archive in it where several were put together.

    A file that is cut keeps the samples before the cut; the last one, which may be incomplete, is given up. What
    follows the end of an archive and is none is a fault.

    Raises:
        StorageError: the folder of unpacked shards cannot be written.
    """
    grouping = _Grouping(layout, path.name)
    try:
        path = plain_tar(path)
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            start: int | None = 0
            while start is not None:
                start = _read_archive(stream, start, size, grouping)
    except DatasetError as error:
        return ShardIndex(path, (), f"not a readable tar file ({error})")
    except OSError as error:
        return _faulty(path, grouping, error.strerror or str(error))
    except tarfile.ReadError as error:
        instead = None if grouping.began else _stand_in(path)
        return _faulty(path, grouping, instead or str(error))
    except (tarfile.TarError, ValueError, EOFError, RecursionError, OverflowError, MemoryError) as error:
        return _faulty(path, grouping, str(error) or type(error).__name__)
    return ShardIndex(path, tuple(grouping.samples), None, grouping.left_out.entries)


def split_name(name: str) -> tuple[str, str]:
    """A member's key and extension, the latter from the first dot of the file name, in lower case."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


def read_members(path: Path, members: Places) -> dict[str, bytes]:
    """The bytes of a sample's members by extension.

    Raises:
        DatasetError: a member is larger than any of its kind, or the file is gone or shorter than when it was indexed.
    """
    content: dict[str, bytes] = {}
    try:
        with path.open("rb") as stream:
            for extension, (offset, size) in members.items():
                most = _MOST_BYTES.get(extension, _MIB)
                if size > most:
                    raise DatasetError(f"the member .{extension} has {size} bytes; at most {most} are read")
                stream.seek(offset)
                content[extension] = stream.read(size)
                if len(content[extension]) != size:
                    raise DatasetError(f"{path} ends within the member .{extension}")
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
    return content


def _stand_in(path: Path) -> str | None:
    with path.open("rb") as stream:
        instead = stand_in(stream.read(HEAD_BYTES))
    return None if instead is None else f"it is {instead.what}; {instead.fix}"


def _faulty(path: Path, grouping: _Grouping, reason: str) -> ShardIndex:
    if not grouping.samples and not grouping.began:
        return ShardIndex(path, (), f"not a readable tar file ({reason})", grouping.left_out.entries)
    samples = tuple(grouping.samples)
    return ShardIndex(
        path, samples, f"cut or damaged after {len(samples)} samples ({reason})", grouping.left_out.entries
    )


def _read_archive(stream: BinaryIO, start: int, size: int, grouping: _Grouping) -> int | None:
    """Reads one archive of a file; where the next one begins, None where nothing follows."""
    stream.seek(start)
    before = -1
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            # Sizes below zero, which headers can hold, would lead back and around for ever.
            if archive.offset <= before or member.size < 0:
                raise tarfile.ReadError("a header has a negative size")
            before = archive.offset
            if member.isfile() and not member.issparse():
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError("unexpected end of data")
                grouping.take(member.name, member.offset_data, member.size)
            elif not member.isdir():
                grouping.left_out.add("links, devices and sparse files", f"{grouping.shard}/{member.name}")
        end = archive.offset
        if start and before < 0:
            # Anywhere but at the start of a file, tarfile takes what is no header for the end.
            raise tarfile.ReadError(f"{size - start} bytes after the end of the archive are not an archive")
    _require_end(stream, end)
    # Archives that were put together may end and begin with the same key.
    grouping.finish()
    return _next_content(stream, end)


def _require_end(stream: BinaryIO, offset: int) -> None:
    # tarfile takes a cut or damaged header for the end; a whole tar has blocks of zeros there.
    stream.seek(offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end-of-archive block")


def _next_content(stream: BinaryIO, offset: int) -> int | None:
    """Where the zeros behind an archive end; None where the file does."""
    stream.seek(offset)
    while block := stream.read(_READ_AT_ONCE):
        rest = block.lstrip(b"\0")
        if rest:
            return offset + len(block) - len(rest)
        offset += len(block)
    return None


class _Grouping:
    """Puts members that follow each other together to samples."""

    def __init__(self, layout: Layout, shard: str) -> None:
        self._layout, self.shard = layout, shard
        self.samples: list[ShardSample] = []
        self.left_out = LeftOutLog()
        self.began = False
        self._key: str | None = None
        self._members: list[tuple[str, str, tuple[int, int]]] = []

    def take(self, name: str, offset: int, size: int) -> None:
        """The next member of the archive."""
        self.began = True
        name = name.removeprefix("./")
        reason = passed_over(name)
        if reason is not None:
            self.left_out.add(reason, f"{self.shard}/{name}")
            return
        key, extension = split_name(name)
        if key != self._key:
            self.finish()
            self._key = key
        self._members.append((name, extension, (offset, size)))

    def finish(self) -> None:
        """Ends the sample that is under way."""
        if self._key is None:
            return
        groups: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for name, extension, place in self._members:
            key, kind = self._key, extension
            if kind not in self._layout.kinds:
                key, kind = _split_at_later_dot(name, self._layout.kinds)
            if kind:
                groups.setdefault(key, {}).setdefault(kind, []).append(place)
        if not groups:
            for name, _, _ in self._members:
                self.left_out.add("members that belong to no sample", f"{self.shard}/{name}")
        samples = {key: group for key, group in groups.items() if key == self._key or self._layout.is_whole(group)}
        for key, group in groups.items():
            if samples and key not in samples and any(kind in group for kind in IMAGE_MEMBERS):
                self.left_out.add("further images of a sample", f"{self.shard}/{key}")
        # Without any whole one, each is a sample of its own that says what it lacks.
        for key, group in (samples or groups).items():
            self._add(key, group)
        self._key, self._members = None, []

    def _add(self, key: str, group: Mapping[str, list[tuple[int, int]]]) -> None:
        images = [kind for kind in IMAGE_MEMBERS if kind in group]
        if len(images) > 1:
            self.left_out.add("further images of a sample", f"{self.shard}/{key}.{images[1]}", len(images) - 1)
        twice = next((kind for kind, places in group.items() if len(places) > 1), None)
        fault = None if twice is None else f"it holds .{twice} {len(group[twice])} times"
        self.samples.append(ShardSample(key, {kind: places[0] for kind, places in group.items()}, fault))


def _split_at_later_dot(name: str, kinds: Collection[str]) -> tuple[str, str]:
    """The key and the longest kind that a name ends with; no kind where it ends with none."""
    folder, slash, base = name.rpartition("/")
    at = base.find(".")
    while (at := base.find(".", at + 1)) > 0:
        if base[at + 1 :].lower() in kinds:
            return folder + slash + base[:at], base[at + 1 :].lower()
    return folder + slash + base, ""
