"""The photographs that a throughput is measured on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.errors import MeasurementError, OptionError
from pocketclip.benchmark.records.throughput import PhotoSet
from pocketclip.models.data.image_files import images_below
from pocketclip.models.data.left_out import LeftOutLog, described
from pocketclip.models.errors import ImageError
from pocketclip.models.pixels.images import decode_image
from pocketclip.models.untrusted.printable import printable_line


@dataclass(frozen=True)
class PhotoLimits:
    """How much of a folder is measured on: so many photographs, of so many bytes each and together."""

    photos: int
    bytes_of_one: int
    bytes_of_all: int


# Enough that no cache of the processor holds their pixels, few enough to be read before a launch.
HERE = PhotoLimits(photos=256, bytes_of_one=128_000_000, bytes_of_all=4_000_000_000)
# They are sent one by one, and lie on the phone twice for a moment.
ON_PHONES = PhotoLimits(photos=64, bytes_of_one=64_000_000, bytes_of_all=256_000_000)


@dataclass(frozen=True)
class PhotoFile:
    """A photograph that can be decoded here; `name` is its path below the folder, for messages."""

    path: Path
    name: str
    size_bytes: int
    sha256: str

    def check_unchanged(self) -> None:
        """Whether the file is what it was when the folder was read.

        Raises:
            MeasurementError: it is another one, or gone.
        """
        try:
            same = self.path.stat().st_size == self.size_bytes and _sha256(self.path.read_bytes()) == self.sha256
        except OSError as error:
            raise MeasurementError(
                f"the photograph {self.name} can no longer be read ({error.strerror or error}); put it back, or run it "
                "again without it"
            ) from error
        if not same:
            raise MeasurementError(
                f"the photograph {self.name} changed after it was read; run it again when nothing writes to the folder"
            )


@dataclass(frozen=True)
class PhotoFolder:
    """Photographs that can be decoded here, in the order of their paths.

    `left_out` says what else the folder holds; None where nothing.
    """

    photos: tuple[PhotoFile, ...]
    content: PhotoSet
    left_out: str | None


def read_photos(folder: Path, limits: PhotoLimits = HERE) -> PhotoFolder:
    """The first photographs below a folder that can be decoded, in the order of their paths.

    Raises:
        OptionError: there is no such folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise OptionError(f"there is no folder {folder}", fix="give --throughput a folder of photographs")
    log, photos, digest = LeftOutLog(), list[PhotoFile](), hashlib.sha256()
    total_bytes = total_pixels = 0
    for path in images_below(folder, log):
        name = printable_line(path.relative_to(folder).as_posix())
        if len(photos) == limits.photos:
            log.add(f"photographs beyond the first {limits.photos}", name)
            continue
        try:
            size = path.stat().st_size
            if (reason := _too_large(size, total_bytes, limits)) is not None:
                log.add(reason, name)
                continue
            content = path.read_bytes()
            width, height = decode_image(content, name).size
        except (ImageError, OSError) as error:
            log.add("photographs that cannot be read", f"{name}: {error}")
            continue
        photos.append(PhotoFile(path, name, len(content), _sha256(content)))
        digest.update(content)
        total_bytes, total_pixels = total_bytes + len(content), total_pixels + width * height
    if not photos:
        found = described(log.entries)
        raise OptionError(
            f"{folder} holds no photograph that can be read" + (f" ({found})" if found else ""),
            fix="give JPEG, PNG or WebP files",
        )
    count = len(photos)
    content_of_all = PhotoSet(count, total_bytes // count, total_pixels // count, digest.hexdigest())
    return PhotoFolder(tuple(photos), content_of_all, described(log.entries))


def _too_large(size_bytes: int, total_bytes: int, limits: PhotoLimits) -> str | None:
    if size_bytes > limits.bytes_of_one:
        return f"photographs of more than {limits.bytes_of_one // 1_000_000} MB"
    if total_bytes + size_bytes > limits.bytes_of_all:
        return f"photographs beyond {limits.bytes_of_all // 1_000_000} MB together"
    return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
