"""Which paths a bundle may name: those that stay inside its folder on every system."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from export.errors import BundleCorruptError

# Of a phone's and a computer's file systems alike; no separator but the slash, no drive, nothing hidden.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_LONGEST = 200


def path_fault(path: str) -> str | None:
    """What makes a relative path unsafe, in words; None where it is safe."""
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if ".." in re.split(r"[/\\]", path):
        return "leaves the folder"
    if len(path) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if not all(_PART.fullmatch(part) for part in path.split("/")):
        return "has a part that is not made of letters, digits and . _ + -"
    return None


def check_paths(paths: Iterable[str], source: Path) -> None:
    """Refuses paths that leave the folder, or that some file system takes for the same.

    Raises:
        BundleCorruptError: naming the first.
    """
    seen: dict[str, str] = {}
    for path in paths:
        fault = path_fault(path)
        if fault is not None:
            raise BundleCorruptError(f"{source} names {path!r}, which {fault}; do not use this bundle")
        other = seen.setdefault(path.lower(), path)
        if other is not path:
            raise BundleCorruptError(f"{source} names {other!r} and {path!r}: the same file on some systems")


def check_no_links(folder: Path, paths: Iterable[str]) -> None:
    """Refuses files that are links or lie below one: what they point to is not what was checked.

    Raises:
        BundleCorruptError: naming the first.
    """
    for path in paths:
        place = folder
        for part in path.split("/"):
            place = place / part
            if place.is_symlink():
                raise BundleCorruptError(f"{place} is a link; copy the bundle with the files themselves")
