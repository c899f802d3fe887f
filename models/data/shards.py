"""Tar shards in the layout of DataComp and DataCompDR: an index of their samples, read by offset.

Members of one sample lie side by side and share their name up to the first dot: `KEY.jpg`, `KEY.txt`, `KEY.syn.json`,
`KEY.paug.json`, `KEY.npz` or `KEY.pth.gz`.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import DatasetError

IMAGE_MEMBERS = ("jpg", "jpeg", "png", "webp")
CAPTION_MEMBER = "txt"
SYNTHETIC_MEMBER = "syn.json"
AUGMENTATION_MEMBER = "paug.json"
NPZ_MEMBER = "npz"
TORCH_MEMBER = "pth.gz"
EMBEDDING_MEMBERS = (NPZ_MEMBER, TORCH_MEMBER)
_KNOWN = frozenset((*IMAGE_MEMBERS, CAPTION_MEMBER, SYNTHETIC_MEMBER, AUGMENTATION_MEMBER, *EMBEDDING_MEMBERS))


@dataclass(frozen=True)
class ShardSample:
    """One sample: its key and where its members lie in the file, `(offset, bytes)` by extension."""

    key: str
    members: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class ShardIndex:
    """The samples of a shard in file order; `fault` says what is wrong where the shard ends too early or is no tar."""

    path: Path
    samples: tuple[ShardSample, ...]
    fault: str | None = None


def index_shard(path: Path) -> ShardIndex:
    """Reads the headers of a tar file.

    A file that is cut keeps the samples before the cut; the last one, which may be incomplete, is given up.
    """
    samples: list[ShardSample] = []
    members: dict[str, tuple[int, int]] = {}
    current: str | None = None
    fault = None
    try:
        size = path.stat().st_size
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError("unexpected end of data")
                key, extension = split_name(member.name)
                if key != current:
                    _finish(samples, current, members)
                    current, members = key, {}
                if extension in _KNOWN:
                    members[extension] = (member.offset_data, member.size)
            end = archive.offset
        _require_end(path, end)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        if current is None:
            return ShardIndex(path, (), f"no readable tar file ({_reason(error)})")
        fault = f"cut or damaged after {len(samples)} samples ({_reason(error)})"
    else:
        _finish(samples, current, members)
    return ShardIndex(path, tuple(samples), fault)


def split_name(name: str) -> tuple[str, str]:
    """A member's key and extension, the latter from the first dot of the file name, in lower case."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


def read_members(path: Path, members: Mapping[str, tuple[int, int]]) -> dict[str, bytes]:
    """The bytes of a sample's members by extension.

    Raises:
        DatasetError: the file is gone or shorter than when it was indexed.
    """
    content: dict[str, bytes] = {}
    try:
        with path.open("rb") as stream:
            for extension, (offset, size) in members.items():
                stream.seek(offset)
                content[extension] = stream.read(size)
                if len(content[extension]) != size:
                    raise DatasetError(f"{path} ends within the member .{extension}")
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
    return content


def _finish(samples: list[ShardSample], key: str | None, members: dict[str, tuple[int, int]]) -> None:
    # Groups without a member that we know, such as a shard's own notes, are no samples.
    if key is not None and members:
        samples.append(ShardSample(key, members))


def _require_end(path: Path, offset: int) -> None:
    # tarfile takes a cut or damaged header for the end; a whole tar has blocks of zeros there.
    with path.open("rb") as stream:
        stream.seek(offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end-of-archive block")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
