"""Paths that a manifest lists: together they name different files, and none goes through a link.

What one path may be is said by `models.untrusted.names.RelativePath`, by which manifests are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pocketclip.models.errors import PocketClipError
from pocketclip.models.untrusted.printable import printable_path


def check_listing(paths: Iterable[str], own_name: str, source: Path, *, error: type[PocketClipError]) -> None:
    """Refuses paths of which two are one file on some system, or one is a file and a folder; and the manifest itself.

    Args:
        paths: those that the manifest lists.
        own_name: the manifest's file name, which it must not list.
        source: the manifest, for messages.
        error: what is raised.
    """
    name = printable_path(source)
    seen: dict[str, str] = {own_name.lower(): own_name}
    for path in paths:
        other = seen.get(path.lower())
        if other is None:
            seen[path.lower()] = path
        elif other == path:
            raise error(f"{name} lists {'itself' if path == own_name else f'a file twice: {path!r}'}; create it again")
        else:
            raise error(f"{name} names {other!r} and {path!r}: the same file on some systems; do not use it")
    for path, spelled in seen.items():
        folder = next((str(each) for each in PurePosixPath(path).parents if str(each) in seen), None)
        if folder is not None:
            raise error(f"{name} names {seen[folder]!r} as a file and, by {spelled!r}, as a folder; do not use it")


def check_no_links(folder: Path, paths: Iterable[str], *, error: type[PocketClipError]) -> None:
    """Refuses files that are links or lie below one: what they point to is not what was checked.

    Nothing is resolved: each part is looked at by itself, and a step back is refused before the disk is asked.

    Args:
        folder: where the paths begin; it may be a link itself, for the user named it.
        paths: as a manifest lists them.
        error: what is raised, naming the first.
    """
    for path in paths:
        place = folder
        for part in path.split("/"):
            if part in ("", ".", ".."):
                raise error(f"{printable_path(folder)}: the path {path!r} points outside the folder; do not use it")
            place = place / part
            if place.is_symlink():
                raise error(f"{printable_path(place)} is a link; copy the folder with real files instead of links")
