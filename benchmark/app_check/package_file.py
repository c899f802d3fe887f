"""Android packages (.apk, .aab, .aar) and single libraries (.so): what is in them, read without unpacking to disk."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from pocketclip.benchmark.app_check.android_manifest import AndroidManifest, read_manifest
from pocketclip.benchmark.app_check.native_library import NativeLibrary, read_library
from pocketclip.benchmark.errors import AppFileError
from pocketclip.models.untrusted.printable import printable_line

# Far above every app: beyond it, names alone would fill memory.
_MOST_ENTRIES = 200_000
_MOST_LIBRARIES = 2_000
# Of one library unpacked; the largest of PyTorch's is 0.4 GB.
_MOST_LIBRARY_BYTES = 1 << 30
_LOCAL_HEADER = struct.Struct("<4s22xHH")
# What `zipfile` and the decompressors below it raise for an archive that lies, or is encrypted.
_DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError)


class PackageKind(StrEnum):
    """What a file is, by its suffix."""

    APK = "apk"
    BUNDLE = "aab"
    LIBRARY_ARCHIVE = "aar"
    LIBRARY = "so"


# Where each kind keeps native libraries: the folder of the processor, then the name.
_PLACES = {
    PackageKind.APK: re.compile(r"lib/([^/]+)/([^/]+\.so)"),
    PackageKind.BUNDLE: re.compile(r"[^/]+/lib/([^/]+)/([^/]+\.so)"),
    PackageKind.LIBRARY_ARCHIVE: re.compile(r"jni/([^/]+)/([^/]+\.so)"),
}


@dataclass(frozen=True)
class PackagedLibrary:
    """A library in a package.

    `folder` is that of the processor; None of a single file. `data_offset` is where its bytes begin in the package if
    they are stored as they are; None if they are compressed. `fault` says why it could not be read.
    """

    path: str
    folder: str | None
    size_bytes: int
    packed_bytes: int
    data_offset: int | None
    library: NativeLibrary | None
    fault: str | None = None

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class PackageFile:
    """What was read of a file; `manifest` is None where the kind has none that can be read, `unread` says why."""

    kind: PackageKind
    size_bytes: int
    libraries: tuple[PackagedLibrary, ...]
    manifest: AndroidManifest | None
    unread: tuple[str, ...] = ()

    @property
    def abis(self) -> frozenset[str]:
        """Folders of processors that the package has libraries for."""
        return frozenset(each.folder for each in self.libraries if each.folder is not None)


def read_package(path: Path) -> PackageFile:
    """Reads a package or library.

    Raises:
        AppFileError: the file is missing, of another kind, damaged, or grows beyond bounds.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in set(PackageKind):
        raise AppFileError(
            f"{path} is no Android package",
            fix=f"give a file that ends in {', '.join(f'.{kind}' for kind in PackageKind)}",
        )
    kind = PackageKind(suffix)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            if kind is PackageKind.LIBRARY:
                single = PackagedLibrary(path.name, None, size, size, None, read_library(stream, path.name))
                return PackageFile(kind, size, (single,), None)
            with zipfile.ZipFile(stream) as archive:
                return _read_archive(kind, size, archive, stream)
    except OSError as error:
        raise AppFileError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGED as error:
        raise AppFileError(f"{path} is no intact ZIP archive, as Android packages are: {error}") from error


def _read_archive(kind: PackageKind, size: int, archive: zipfile.ZipFile, stream: BinaryIO) -> PackageFile:
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise AppFileError(f"the package lists {len(entries)} files; at most {_MOST_ENTRIES} are looked at")
    found = [(entry, match) for entry in entries if (match := _PLACES[kind].fullmatch(entry.filename))]
    if len(found) > _MOST_LIBRARIES:
        raise AppFileError(f"the package has {len(found)} libraries; at most {_MOST_LIBRARIES} are looked at")
    libraries = tuple(_library(archive, stream, entry, match[1]) for entry, match in found)
    manifest, unread = None, ()
    if kind is PackageKind.APK:
        manifest = read_manifest(archive)
    elif kind is PackageKind.BUNDLE:
        unread = ("the manifest of a bundle is in another format: check an APK that bundletool makes of it",)
    return PackageFile(kind, size, libraries, manifest, (*unread, *_strays(kind, entries)))


def _strays(kind: PackageKind, entries: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Libraries at other places, which the system does not load from."""
    names = [entry.filename for entry in entries if entry.filename.endswith(".so")]
    strays = [name for name in names if _PLACES[kind].fullmatch(name) is None]
    if strays:
        yield f"{len(strays)} libraries outside the folders of processors, the first {printable_line(strays[0])}"


def _library(archive: zipfile.ZipFile, stream: BinaryIO, entry: zipfile.ZipInfo, folder: str) -> PackagedLibrary:
    path = printable_line(entry.filename)
    stored = entry.compress_type == zipfile.ZIP_STORED
    library, fault = None, None
    try:
        library = read_library(io.BytesIO(_unpacked(archive, entry)), path)
    except (AppFileError, OSError, *_DAMAGED) as error:
        fault = printable_line(str(error) or type(error).__name__)
    return PackagedLibrary(
        path,
        printable_line(folder),
        entry.file_size,
        entry.compress_size,
        _data_offset(stream, entry) if stored else None,
        library,
        fault,
    )


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _MOST_LIBRARY_BYTES:
        raise AppFileError(f"it unpacks to {entry.file_size} bytes; at most {_MOST_LIBRARY_BYTES} are read")
    with archive.open(entry) as packed:
        # An entry may hold more than it says.
        data = packed.read(_MOST_LIBRARY_BYTES + 1)
    if len(data) > _MOST_LIBRARY_BYTES:
        raise AppFileError(f"it unpacks to more than {_MOST_LIBRARY_BYTES} bytes")
    return data


def _data_offset(stream: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Where an entry's bytes begin: its local header has a length of its own."""
    stream.seek(entry.header_offset)
    header = stream.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise AppFileError(f"{printable_line(entry.filename)} has no local header where the directory says")
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    return entry.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
