"""The index on disk: a matrix that can be mapped into memory, and a log that says whose row is which.

Three files in a folder, `N` being the generation that `index.json` names:

- `index.json`: whose embeddings these are, and of which folder.
- `rows-N.f16`: half floats, little-endian, one normalised embedding of `width` values after the other.
- `photos-N.jsonl`: a line for each row that was added (`photo`, `version`, `row`) or forgotten (`photo` only).

Rows are written before the lines that name them, and both are only appended to: a process that is killed loses what it
had not written yet, and nothing else. Where many rows are forgotten, a new generation is written beside the old one,
and `index.json` is replaced last.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from annotated_types import Ge, Le, MaxLen, MinLen
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from pocketclip.export.errors import GalleryError
from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import PlainName, Sha256
from pocketclip.models.untrusted.numbers import Count
from pocketclip.models.untrusted.printable import printable_line

SCHEMA_VERSION = 1
INDEX_NAME = "index.json"
_LOCK_NAME = ".index.lock"
_VALUE_BYTES = 2
_MOST_PHOTOS = 10_000_000
# A new generation pays once so many rows are of no use, and they are half of all.
_LEAST_FORGOTTEN = 1_000
# At a limit of 4096 bytes for a path, a line of JSON stays far below.
_MOST_LINE_BYTES = 1 << 16

Rows = NDArray[np.float16]


@document
class IndexIdentity:
    """Whose embeddings an index has. Those of another artefact may not be compared with them.

    `folder` is where the photographs were, `artifact` the image artefact's folder: both help to find them again.
    """

    schema_version: int
    model: PlainName
    weights_sha256: Sha256
    image_sha256: Sha256
    width: Annotated[int, Ge(1), Le(65_536)]
    folder: Annotated[str, MinLen(1), MaxLen(4096)]
    artifact: Annotated[str, MinLen(1), MaxLen(4096)]
    generation: Count = 0

    def same_embeddings(self, other: IndexIdentity) -> bool:
        """Whether rows of both can be compared."""
        return (self.image_sha256, self.width) == (other.image_sha256, other.width)


@document
class _Line:
    """What the log says of a photograph: its row, or that it is forgotten.

    `name` is what to show where `photo` says nothing to people: apps name photographs as their system does.
    """

    photo: Annotated[str, MinLen(1), MaxLen(4096)]
    version: Annotated[str, MaxLen(100)] | None = None
    row: Annotated[int, Ge(0), Le(_MOST_PHOTOS)] | None = None
    name: Annotated[str, MaxLen(4096)] | None = None


@dataclass(frozen=True)
class Indexed:
    """A photograph's row, and the version of the file that it was made of."""

    version: str
    row: int


class GalleryIndex:
    """An open index. Photographs are named by their path below the indexed folder (POSIX)."""

    def __init__(self, path: Path, identity: IndexIdentity) -> None:
        self.path, self.identity = path, identity
        self.photos: dict[str, Indexed] = {}
        self._rows = 0
        self._lacks_rows = False

    @property
    def row_count(self) -> int:
        """Rows of the matrix, forgotten ones too."""
        return self._rows

    def matrix(self) -> Rows:
        """`(rows, width)`, mapped from the file; rows of forgotten photographs are among them.

        A value may be NaN or infinite: whoever computes with rows asks `require_finite` about the result.
        """
        if not self._rows:
            return np.zeros((0, self.identity.width), np.float16)
        return np.memmap(self._rows_path, "<f2", "r", shape=(self._rows, self.identity.width))

    def rows_of_photos(self) -> NDArray[np.int64]:
        """The row of every photograph, in the order of `photos`."""
        return np.fromiter((each.row for each in self.photos.values()), np.int64, len(self.photos))

    def require_finite(self, values: NDArray[np.float32]) -> None:
        """Checks what was computed from rows of photographs that are there.

        Raises:
            GalleryError: a value is NaN or infinite, and so is one in such a row.
        """
        if not np.isfinite(values).all():
            raise GalleryError(f"{self.path} has a value that is NaN or infinite", fix="delete it and index again")

    @property
    def _rows_path(self) -> Path:
        return self.path / f"rows-{self.identity.generation}.f16"

    @property
    def _photos_path(self) -> Path:
        return self.path / f"photos-{self.identity.generation}.jsonl"

    def read(self) -> None:
        """Reads the log.

        Raises:
            GalleryError: a line in the middle is damaged, or names a photograph outside the folder.
        """
        row_bytes = _VALUE_BYTES * self.identity.width
        self._rows = self._rows_path.stat().st_size // row_bytes if self._rows_path.is_file() else 0
        self.photos.clear()
        self._lacks_rows = False
        if not self._photos_path.is_file():
            return
        with self._photos_path.open("rb") as stream:
            for number, line in enumerate(_whole_lines(stream), 1):
                self._take(line, number)

    def _take(self, text: bytes, number: int) -> None:
        where = f"{self._photos_path.name}, line {number}"
        line = documents.parse(_Line, text, source=where, error=GalleryError)
        if not _is_below(line.photo):
            raise GalleryError(f"{where}: {printable_line(line.photo)} is not below the folder")
        if line.row is None or line.version is None:
            self.photos.pop(line.photo, None)
        elif line.row < self._rows:
            self.photos[line.photo] = Indexed(line.version, line.row)
        else:
            # Its row was never written: the process ended in between, or the disk lost it.
            self._lacks_rows = True


class IndexWriter:
    """Appends to an index; `writing` makes one."""

    def __init__(self, index: GalleryIndex, rows: BinaryIO, photos: BinaryIO) -> None:
        self.index, self._rows, self._photos = index, rows, photos
        self._pending: list[_Line] = []

    def add(self, photo: str, version: str, embedding: NDArray[np.float32]) -> None:
        """Adds a photograph, or replaces it; on disk after `flush`."""
        index = self.index
        self._rows.write(embedding.astype("<f2").tobytes())
        self._pending.append(_Line(photo, version, index._rows))
        index.photos[photo] = Indexed(version, index._rows)
        index._rows += 1

    def forget(self, photo: str) -> None:
        """Forgets a photograph; on disk after `flush`."""
        self.index.photos.pop(photo, None)
        self._pending.append(_Line(photo))

    def flush(self) -> None:
        """Writes what is pending: rows first, and through to the disk, so that no line outlives its row."""
        if not self._pending:
            return
        with atomic.storage_errors(self.index.path):
            self._rows.flush()
            os.fsync(self._rows.fileno())
            for line in self._pending:
                content = {name: value for name, value in vars(line).items() if value is not None}
                self._photos.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
            self._photos.flush()
            os.fsync(self._photos.fileno())
        self._pending.clear()


def open_index(path: Path) -> GalleryIndex:
    """Opens an index for reading.

    Raises:
        GalleryError: there is none, it is damaged, or of another version.
    """
    file = path / INDEX_NAME
    if not file.is_file():
        raise GalleryError(f"there is no index in {path}", fix="make one with `pocketclip index FOLDER --out INDEX`")
    identity = documents.read(IndexIdentity, file, error=GalleryError)
    if identity.schema_version != SCHEMA_VERSION:
        raise GalleryError(
            f"{path} is an index of version {identity.schema_version}; this PocketCLIP reads version {SCHEMA_VERSION}",
            fix="index the folder again into another folder",
        )
    index = GalleryIndex(path, identity)
    index.read()
    return index


@contextlib.contextmanager
def writing(path: Path, identity: IndexIdentity) -> Iterator[IndexWriter]:
    """Opens an index for writing, or begins one; what is pending is written at the end, also after an error.

    Raises:
        GalleryError: another process writes, the index is damaged, or it is of another artefact or folder.
        StorageError: the folder cannot be written.
    """
    with atomic.storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / _LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise GalleryError(f"another process writes into {path}", fix="wait for its end") from error
    try:
        yield from _writer(path, identity)
    finally:
        lock.release()


def _writer(path: Path, identity: IndexIdentity) -> Iterator[IndexWriter]:
    if (path / INDEX_NAME).is_file():
        index = open_index(path)
        _require_same(index, identity)
    else:
        index = GalleryIndex(path, identity)
        with atomic.storage_errors(path):
            # Of an index whose `index.json` is gone: nobody knows whose rows they are.
            for left in (index._rows_path, index._photos_path):
                left.unlink(missing_ok=True)
        documents.write(identity, path / INDEX_NAME)
    if index._lacks_rows:
        # The next row would take the place of the missing one, under the missing one's name.
        _renew(index)
    _cut(index)
    with atomic.storage_errors(path), index._rows_path.open("ab") as rows, index._photos_path.open("ab") as photos:
        writer = IndexWriter(index, rows, photos)
        try:
            yield writer
        finally:
            writer.flush()
    _compact(index)


def _require_same(index: GalleryIndex, identity: IndexIdentity) -> None:
    own = index.identity
    if not own.same_embeddings(identity):
        raise GalleryError(
            f"{index.path} has embeddings of {own.model} by another artefact than {identity.artifact}",
            fix="give another --out, or the artefact that it was made with",
        )
    if own.folder != identity.folder:
        raise GalleryError(f"{index.path} is of the folder {own.folder}", fix="give another --out for another folder")


def _cut(index: GalleryIndex) -> None:
    """Takes away what a process that was killed had half written."""
    row_bytes = _VALUE_BYTES * index.identity.width
    with atomic.storage_errors(index.path):
        for path, size in (
            (index._rows_path, index.row_count * row_bytes),
            (index._photos_path, _whole_bytes(index._photos_path)),
        ):
            if path.is_file() and path.stat().st_size > size:
                os.truncate(path, size)


def _compact(index: GalleryIndex) -> None:
    """Leaves out forgotten rows, where there are enough of them."""
    forgotten = index.row_count - len(index.photos)
    if forgotten >= max(_LEAST_FORGOTTEN, index.row_count // 2):
        _renew(index)


def _renew(index: GalleryIndex) -> None:
    """Writes a new generation of the photographs that are there."""
    matrix, old = index.matrix(), index.identity
    kept: Mapping[str, Indexed] = dict(sorted(index.photos.items(), key=lambda each: each[1].row))
    next_one = GalleryIndex(index.path, replace(old, generation=old.generation + 1))
    with atomic.storage_errors(index.path):
        for path in (next_one._rows_path, next_one._photos_path):
            path.unlink(missing_ok=True)
        with next_one._rows_path.open("ab") as rows, next_one._photos_path.open("ab") as photos:
            writer = IndexWriter(next_one, rows, photos)
            for photo, entry in kept.items():
                writer.add(photo, entry.version, np.asarray(matrix[entry.row], np.float32))
            writer.flush()
        documents.write(next_one.identity, index.path / INDEX_NAME)
        for path in (index._rows_path, index._photos_path):
            path.unlink(missing_ok=True)
    index.identity, index.photos, index._rows = next_one.identity, next_one.photos, next_one._rows
    index._lacks_rows = False


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_MOST_LINE_BYTES):
        if not line.endswith(b"\n") and len(line) < _MOST_LINE_BYTES:
            # The last one, half written. One that is too long is damage, which its parser names.
            return
        yield line


def _whole_bytes(path: Path) -> int:
    """How far a log goes in whole lines."""
    if not path.is_file():
        return 0
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _MOST_LINE_BYTES))
        tail = stream.read()
    return size - (len(tail) - (tail.rfind(b"\n") + 1))


def _is_below(photo: str) -> bool:
    parts = photo.split("/")
    return not photo.startswith("/") and "\0" not in photo and not {"", ".", ".."} & set(parts)
