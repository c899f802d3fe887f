"""Which files are images: the one rule by which training, evaluation and calibration take or leave a file or member.

A file counts by its suffix, and where it has none by its first bytes. What macOS and Windows put beside images is none,
whatever its suffix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pocketclip.models.data.left_out import LeftOutLog

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".bmp",
    ".jpe",
    ".jfif",
    ".gif",
    ".tif",
    ".tiff",
    ".avif",
)
"""In the order in which one image of several of a sample is chosen."""

IMAGE_MEMBERS = tuple(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES)
"""The same as extensions of members in shards."""

SYSTEM_FILES = "files that macOS or Windows keeps beside others"
HIDDEN_FILES = "hidden files"
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"})
_SYSTEM_NAMES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
# JPEG, PNG, GIF, TIFF of both byte orders; then those with their mark further on.
_MARKS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_BMP = re.compile(rb"BM.{4}\0{4}", re.DOTALL)
_WEBP = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
_AVIF = re.compile(rb".{4}ftypavi[fs]", re.DOTALL)
_HEAD_BYTES = 16


def is_system_file(path: str) -> bool:
    """Whether a path (POSIX) belongs to what macOS or Windows keeps beside a user's files."""
    parts = PurePosixPath(path).parts
    name = parts[-1] if parts else ""
    return name.startswith("._") or name.lower() in _SYSTEM_NAMES or not _SYSTEM_FOLDERS.isdisjoint(parts)


def is_hidden(path: str) -> bool:
    """Whether a path (POSIX, below a folder that was named) has a part that begins with a dot."""
    return any(part.startswith(".") and part not in (".", "..") for part in PurePosixPath(path).parts)


def passed_over(path: str) -> str | None:
    """Why a file of that path is nobody's data, in words of `LeftOut`; None where it may be."""
    if is_system_file(path):
        return SYSTEM_FILES
    return HIDDEN_FILES if is_hidden(path) else None


def looks_like_image(head: bytes) -> bool:
    """Whether a file that begins with these bytes is of a format that is read here."""
    return head.startswith(_MARKS) or any(pattern.match(head) is not None for pattern in (_BMP, _WEBP, _AVIF))


def is_image(path: Path, log: LeftOutLog, name: str) -> bool:
    """Whether a file is an image; where it is none, why goes into the log under its `name` (POSIX)."""
    reason = passed_over(name) or _other_kind(path)
    if reason is None:
        return True
    log.add(reason, name)
    return False


def images_below(folder: Path, log: LeftOutLog, ignored: frozenset[str] = frozenset()) -> list[Path]:
    """All images in a folder and the folders in it, sorted; files with a suffix of `ignored` have another use."""
    return [
        path for path, name in files_below(folder) if path.suffix.lower() not in ignored and is_image(path, log, name)
    ]


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every path below a folder that is no folder, sorted, with its name from there (POSIX)."""
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            yield path, path.relative_to(folder).as_posix()


def _other_kind(path: Path) -> str | None:
    if not path.is_file():
        return "entries that are no regular file"
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    if suffix:
        return f"files with the suffix {suffix}"
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        return f"files without a suffix that cannot be read ({error.strerror or error})"
    return None if looks_like_image(head) else "files without a suffix that are no image"
