"""Pictures drawn once and kept: a zip file for each source, beside the cached packages.

A drawing of the Open Clip Art Library takes some 30 ms, and each is laid on several backgrounds.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PIL import Image

from pocketclip.models import atomic
from pocketclip.models.errors import DatasetError, ImageError
from pocketclip.models.pictures import clipart
from pocketclip.models.pictures.concepts import Concept
from pocketclip.models.pictures.drawing import drawn, svg_fault
from pocketclip.models.pictures.reading import pictures_of
from pocketclip.models.pictures.sources import Reader, Source
from pocketclip.models.untrusted.printable import printable_line

# Raise it when the same package would be drawn otherwise.
_VERSION = 2
_ABOUT = "about.json"
_RENDERERS = ("pillow", "resvg-py")


@dataclass(frozen=True)
class SpriteFile:
    """The pictures of a source that could be drawn.

    Attributes:
        path: the zip file with a PNG for each key.
        keys: what is in it.
        failed: why others are not, by key.
        names: what drawings are called, by key: the name, then keywords.
    """

    path: Path
    keys: frozenset[str]
    failed: Mapping[str, str]
    names: Mapping[str, Sequence[str]]


def renderer_versions() -> dict[str, str]:
    """The packages whose versions decide about pixels."""
    found: dict[str, str] = {}
    for package in _RENDERERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def draw_sprites(
    source: Source, package: Path, wanted: Sequence[str] | None, concepts: Sequence[Concept], folder: Path
) -> SpriteFile:
    """Draws the pictures of a package, unless an earlier build has.

    Args:
        source: the package's pin and layout.
        package: its file.
        wanted: the keys to draw; None draws all.
        concepts: for packages that name pictures by label.
        folder: where the zip files are.

    Raises:
        DatasetError: the package is damaged.
        StorageError: the folder cannot be written.
    """
    words = [_VERSION, source.sha256, sorted(renderer_versions().items()), None if wanted is None else sorted(wanted)]
    digest = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
    path = folder / f"{source.file}-{digest}.zip"
    if not path.is_file():
        with atomic.storage_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with atomic.storage_errors(part), zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                _draw_all(source, package, wanted, concepts, archive)
            with atomic.storage_errors(path):
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return open_sprites(path)


def open_sprites(path: Path) -> SpriteFile:
    """The sprites of an earlier call.

    Raises:
        DatasetError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(_ABOUT))
            return SpriteFile(path, frozenset(archive.namelist()) - {_ABOUT}, about["failed"], about["names"])
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {error}", fix="delete it and build again") from error


def _draw_all(
    source: Source,
    package: Path,
    wanted: Sequence[str] | None,
    concepts: Sequence[Concept],
    archive: zipfile.ZipFile,
) -> None:
    failed: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    chosen = None if wanted is None else frozenset(wanted)
    for encoded in pictures_of(source, package, chosen, concepts):
        try:
            image = drawn(encoded.content, encoded.kind)
        except ImageError as error:
            failed[encoded.key] = printable_line(str(error))
            continue
        if source.reader is Reader.CLIPART and svg_fault(encoded.content) is None:
            named = clipart.named(encoded.key, encoded.content)
            if named is None:
                failed[encoded.key] = "nothing says what it shows"
                continue
            names[encoded.key] = [named.name, *named.keywords]
        archive.writestr(encoded.key, _png(image))
    archive.writestr(_ABOUT, json.dumps({"failed": failed, "names": names}))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


class SpriteReader:
    """Pictures of several sources by name; files are opened as they are needed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._opened: dict[str, zipfile.ZipFile] = {}

    def picture(self, source: str, key: str) -> Image.Image:
        """The picture as RGBA.

        Raises:
            DatasetError: it cannot be read.
        """
        try:
            archive = self._opened.get(source)
            if archive is None:
                archive = self._opened[source] = zipfile.ZipFile(self._files[source])
            with Image.open(io.BytesIO(archive.read(key)), formats=["PNG"]) as image:
                return image.convert("RGBA")
        except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise DatasetError(
                f"cannot read {key!r} in {self._files[source]}: {error}", fix="delete that file and build again"
            ) from error

    def close(self) -> None:
        """Closes the files."""
        for archive in self._opened.values():
            archive.close()
        self._opened.clear()
