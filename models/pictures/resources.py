"""Qt's resource archives (`.rcc`, versions 1 to 3): a tree of names beside the files' data.

The layout is that of `QResource` in qtbase (`qresource.cpp`): a header with three offsets, a tree of fixed-size nodes,
names in UTF-16, and data with their length in front, plain or packed with zlib.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from pocketclip.models.errors import DatasetError

_MAGIC = b"qres"
_PACKED, _FOLDER, _PACKED_ZSTD = 1, 2, 4
_MOST_NODES = 20_000
_MOST_DEPTH = 20
_MOST_BYTES = 64 << 20


def resources(content: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """The files of an archive whose path is wanted.

    Raises:
        DatasetError: the archive is damaged, too deep or too large, or a wanted file is packed in a way we do not read.
    """
    try:
        yield from _Archive(content).files(wanted)
    except (struct.error, zlib.error, UnicodeDecodeError, IndexError) as error:
        raise DatasetError(f"a resource archive is damaged: {error}") from error


class _Archive:
    def __init__(self, content: bytes) -> None:
        if content[:4] != _MAGIC:
            raise DatasetError("it is no resource archive of Qt")
        version, self._tree, self._data, self._names = struct.unpack_from(">4I", content, 4)
        if version not in (1, 2, 3):
            raise DatasetError(f"its resource format is {version}; 1 to 3 are read")
        self._content = content
        # Since version 2 a node ends with the time of its file.
        self._node_bytes = 14 if version == 1 else 22

    def files(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        waiting = [(0, "", 0)]
        seen = 0
        while waiting:
            node, folder, depth = waiting.pop()
            seen += 1
            if seen > _MOST_NODES or depth > _MOST_DEPTH:
                raise DatasetError(f"a resource archive has more than {_MOST_NODES} files or {_MOST_DEPTH} levels")
            at = self._tree + node * self._node_bytes
            name_at, flags = struct.unpack_from(">IH", self._content, at)
            path = f"{folder}/{self._name(name_at)}".strip("/") if node else ""
            if flags & _FOLDER:
                count, first = struct.unpack_from(">II", self._content, at + 6)
                if count > _MOST_NODES:
                    raise DatasetError(f"a folder of a resource archive has {count} files")
                waiting += [(first + each, path, depth + 1) for each in reversed(range(count))]
            elif wanted(path):
                (data_at,) = struct.unpack_from(">I", self._content, at + 10)
                yield path, self._unpacked(path, data_at, flags)

    def _name(self, offset: int) -> str:
        (length,) = struct.unpack_from(">H", self._content, self._names + offset)
        start = self._names + offset + 6
        return self._content[start : start + 2 * length].decode("utf-16-be")

    def _unpacked(self, path: str, offset: int, flags: int) -> bytes:
        start = self._data + offset
        (length,) = struct.unpack_from(">I", self._content, start)
        stored = self._content[start + 4 : start + 4 + length]
        if len(stored) != length or length > _MOST_BYTES:
            raise DatasetError(f"{path!r} in a resource archive has {length} bytes, which is more than there are")
        if flags & _PACKED_ZSTD:
            raise DatasetError(f"{path!r} in a resource archive is packed with zstd")
        if not flags & _PACKED:
            return stored
        # The length of the unpacked data stands in front of the stream.
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(stored[4:], _MOST_BYTES + 1)
        if len(plain) > _MOST_BYTES:
            raise DatasetError(f"{path!r} in a resource archive unpacks to more than {_MOST_BYTES} bytes")
        return plain
