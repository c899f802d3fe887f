"""The photographs that a throughput is measured on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.errors import OptionError
from pocketclip.models.data.image_files import images_below
from pocketclip.models.data.left_out import LeftOutLog, described
from pocketclip.models.errors import ImageError
from pocketclip.models.pixels.images import load_image

# Enough that no cache of the processor holds their pixels, few enough to be read before a launch.
MOST_PHOTOS = 256


@dataclass(frozen=True)
class PhotoFolder:
    """Photographs that can be decoded: their files, size and content.

    `sha256` is that of all files' contents, in order. `left_out` says what else the folder holds; None where nothing.
    """

    paths: tuple[Path, ...]
    mean_bytes: int
    mean_pixels: int
    sha256: str
    left_out: str | None


def read_photos(folder: Path) -> PhotoFolder:
    """The first photographs below a folder that can be decoded, in the order of their paths.

    Raises:
        OptionError: there is no such folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise OptionError(f"there is no folder {folder}", fix="give --throughput a folder of photographs")
    log, paths, digest = LeftOutLog(), list[Path](), hashlib.sha256()
    total_bytes = total_pixels = 0
    for path in images_below(folder, log):
        if len(paths) == MOST_PHOTOS:
            log.add(f"photographs beyond the first {MOST_PHOTOS}", path.name)
            continue
        try:
            content = path.read_bytes()
            width, height = load_image(path).size
        except (ImageError, OSError) as error:
            log.add("photographs that cannot be read", f"{path.name}: {error}")
            continue
        paths.append(path)
        digest.update(content)
        total_bytes, total_pixels = total_bytes + len(content), total_pixels + width * height
    if not paths:
        raise OptionError(f"{folder} holds no photograph that can be read", fix="give JPEG, PNG or WebP files")
    count = len(paths)
    return PhotoFolder(
        tuple(paths), total_bytes // count, total_pixels // count, digest.hexdigest(), described(log.entries)
    )
