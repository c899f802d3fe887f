"""Members of packages: tarballs of npm and packages of Debian, read in order and within bounds.

Nothing is unpacked to disk, and nothing of a package runs. A package has the hash of its pin before it is opened; the
bounds hold all the same.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted.printable import printable_line

_MIB = 1 << 20
MOST_MEMBER_BYTES = 64 * _MIB
"""What is read of one member. The largest that we read has 25 MB."""
_MOST_MEMBERS = 50_000
_MOST_PATH = 300
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_MOST_CONTROL_BYTES = 16 * _MIB
_FAULTS = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError, OverflowError)


def members(
    path: Path, wanted: Callable[[str], bool], *, most_bytes: int = MOST_MEMBER_BYTES
) -> Iterator[tuple[str, bytes]]:
    """The regular files of a `.tgz` or `.deb` whose path is wanted, in the order of the archive.

    Paths have no `./` or leading folder of npm (`package/`). Links, devices and paths that leave the archive are passed
    over, whatever `wanted` says.

    Raises:
        DatasetError: the package is damaged, has far too many members, or a wanted one is larger than `most_bytes`.
    """
    try:
        with path.open("rb") as stream:
            plain, mode = _archive_of(path, stream)
            with tarfile.open(fileobj=plain, mode=mode) as archive:
                yield from _wanted(path, archive, wanted, most_bytes)
    except _FAULTS as error:
        raise DatasetError(f"{path.name} is damaged: {error or type(error).__name__}") from error


def _archive_of(path: Path, stream: BinaryIO) -> tuple[BinaryIO | _Part, Literal["r|gz", "r|xz"]]:
    if path.suffix != ".deb":
        return stream, "r|gz"
    return _data_of_debian(path, stream)


def _wanted(
    path: Path, archive: tarfile.TarFile, wanted: Callable[[str], bool], most_bytes: int
) -> Iterator[tuple[str, bytes]]:
    for count, member in enumerate(archive):
        if count >= _MOST_MEMBERS:
            raise DatasetError(f"{path.name} has more than {_MOST_MEMBERS:,} members")
        name = _plain_path(member.name)
        if name is None or not member.isreg() or not wanted(name):
            continue
        if member.size > most_bytes:
            raise DatasetError(
                f"{path.name}: {printable_line(name)} has {member.size:,} bytes; at most {most_bytes:,} are read"
            )
        content = archive.extractfile(member)
        assert content is not None
        yield name, content.read()


def _plain_path(name: str) -> str | None:
    """The path below the archive's top; None for one that leaves it or is not text."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or len(name) > _MOST_PATH or ".." in parts or "\\" in name or not name.isprintable():
        return None
    if parts and parts[0] == "package":
        parts = parts[1:]
    return "/".join(parts) or None


def _data_of_debian(path: Path, stream: BinaryIO) -> tuple[_Part, Literal["r|gz", "r|xz"]]:
    """The compressed tar file with a package's files: the member `data.tar.*` of an `ar` archive."""
    if stream.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DatasetError(f"{path.name} is not a package of Debian")
    while len(header := stream.read(_AR_HEADER)) == _AR_HEADER:
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            break
        size = int(digits)
        if name in ("data.tar.xz", "data.tar.gz"):
            return _Part(stream, size), "r|xz" if name.endswith("xz") else "r|gz"
        if size > _MOST_CONTROL_BYTES:
            break
        stream.seek(size + size % 2, io.SEEK_CUR)
    raise DatasetError(f"{path.name} holds no data.tar.xz or data.tar.gz")


class _Part(io.RawIOBase):
    """The next `size` bytes of a stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(content)
        return content
