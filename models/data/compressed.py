"""Compressed data, unpacked within bounds: what a few megabytes unpack to may be more than a disk holds."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import zlib
from io import BufferedIOBase
from pathlib import Path

from pocketclip.models import atomic
from pocketclip.models.errors import DatasetError
from pocketclip.models.user_cache import user_cache

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
# Images do not shrink, headers of small members do.
_LEAST_BOUND, _MOST_GROWTH = 64 << 20, 50
_AT_ONCE = 1 << 20
_FAULTS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def gunzip(content: bytes, most: int) -> bytes:
    """The content of a gzip file of at most `most` bytes.

    Raises:
        DatasetError: it is damaged, or unpacks to more.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(most + 1)
    except _FAULTS as error:
        raise DatasetError(f"damaged gzip data: {error}") from error
    if len(unpacked) > most:
        raise DatasetError(f"the gzip data unpack to more than {most} bytes")
    return unpacked


def plain_tar(path: Path) -> Path:
    """The file itself, or of a compressed one (gzip, bzip2, xz) a copy that is unpacked once into the user's cache.

    Raises:
        DatasetError: the file is compressed otherwise, is damaged, or unpacks to far more than it holds.
        OSError: it cannot be read.
        StorageError: the cache cannot be written.
    """
    if not path.is_file():
        raise DatasetError("it is not a regular file" if path.exists() else "there is no such file")
    with path.open("rb") as stream:
        head = stream.read(len(_XZ))
        about = os.fstat(stream.fileno())
    if head.startswith(_ZSTD):
        raise DatasetError("it is compressed with zstd", fix="unpack it, or compress it with gzip")
    if not head.startswith((_GZIP, _BZIP2, _XZ)):
        return path
    words = f"{path.resolve()}\n{about.st_size}\n{about.st_mtime_ns}"
    digest = hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    # The same file name: messages and records show it.
    unpacked = user_cache() / "unpacked" / digest / path.name
    if not unpacked.is_file():
        _unpack(path, head, unpacked, max(_LEAST_BOUND, _MOST_GROWTH * about.st_size))
    return unpacked


def _open(path: Path, head: bytes) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    if head.startswith(_GZIP):
        return gzip.open(path, "rb")
    return bz2.open(path, "rb") if head.startswith(_BZIP2) else lzma.open(path, "rb")


def _unpack(path: Path, head: bytes, unpacked: Path, most: int) -> None:
    # The process number keeps processes that unpack the same shard out of each other's file.
    part = unpacked.with_name(f".{os.getpid()}.part")
    with atomic.storage_errors(unpacked):
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        target = part.open("wb")
    try:
        with target, _open(path, head) as stream:
            while block := _read(stream):
                if target.tell() + len(block) > most:
                    raise DatasetError(
                        f"it unpacks to more than {most} bytes", fix="if the size is right, unpack it yourself"
                    )
                with atomic.storage_errors(unpacked):
                    target.write(block)
        with atomic.storage_errors(unpacked):
            part.replace(unpacked)
    finally:
        part.unlink(missing_ok=True)


def _read(stream: BufferedIOBase) -> bytes:
    try:
        return stream.read(_AT_ONCE)
    except _FAULTS as error:
        raise DatasetError(f"damaged compressed data: {error}") from error
