"""The files of a folder against the manifest that lists them: the same rules for artefacts and bundles."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pocketclip.export.artifact.paths import check_listing, check_no_links
from pocketclip.models.documents import document
from pocketclip.models.errors import PocketClipError
from pocketclip.models.untrusted.names import RelativePath, Sha256
from pocketclip.models.untrusted.numbers import FileSize
from pocketclip.models.untrusted.printable import printable_path

# A manifest lists files and sentences: some ten kilobytes.
MOST_MANIFEST_BYTES = 16 << 20
# Finder writes it into every folder that it shows.
_IGNORED = frozenset({".DS_Store"})


@document
class FileEntry:
    """A file of the folder: its path below it (POSIX), size and hash."""

    path: RelativePath
    size_bytes: FileSize
    sha256: Sha256


def check_files(
    folder: Path,
    manifest_name: str,
    files: Sequence[FileEntry],
    *,
    most_bytes: int,
    error: type[PocketClipError],
    fix: str,
) -> None:
    """Compares a folder with the files that its manifest lists: exactly these, unaltered, and no links.

    Args:
        folder: where they are.
        manifest_name: the file name of the manifest.
        files: what it lists.
        most_bytes: that all of them may take together.
        error: what is raised, naming the first fault.
        fix: what to do about a file that is missing or altered.
    """
    source = folder / manifest_name
    paths = [entry.path for entry in files]
    check_listing(paths, manifest_name, source, error=error)
    total = sum(entry.size_bytes for entry in files)
    if total > most_bytes:
        raise error(f"{printable_path(source)} lists files of {total} bytes, more than the limit of {most_bytes}")
    check_no_links(folder, [manifest_name, *paths], error=error)
    # Before anything is hashed, for a runtime may pick up a file beside its model that nobody vouches for.
    unlisted = unlisted_file(folder, manifest_name, files)
    if unlisted is not None:
        raise error(
            f"{printable_path(folder)} holds {printable_path(unlisted)}, which its manifest does not list; remove it"
        )
    for entry in files:
        fault = file_fault(folder / entry.path, entry)
        if fault is not None:
            raise error(f"{fault}; {fix}")


def unlisted_file(folder: Path, manifest_name: str, files: Iterable[FileEntry]) -> str | None:
    """The first file in a folder that its manifest does not list, as a POSIX path below it; None without any."""
    listed = {manifest_name, *(entry.path for entry in files)}
    return min((path for path in _present(folder) if path not in listed), default=None)


def check_model(entry_point: str, files: Iterable[FileEntry], source: Path, *, error: type[PocketClipError]) -> None:
    """Refuses a model file or package folder that is not among the files listed."""
    if not any(each.path == entry_point or each.path.startswith(f"{entry_point}/") for each in files):
        raise error(f"{printable_path(source)}: the model {entry_point!r} is not among the files it lists")


def file_fault(path: Path, entry: FileEntry) -> str | None:
    """What is wrong with the file that a manifest lists, in words; None where size and hash are right."""
    name = printable_path(path)
    if not path.is_file():
        return f"{name} is missing"
    size = path.stat().st_size
    if size != entry.size_bytes:
        return f"{name} has {size} bytes, its manifest says {entry.size_bytes}: the file is truncated or was replaced"
    digest = hash_file(path)
    if digest != entry.sha256:
        return f"{name} has hash {digest[:12]}..., its manifest says {entry.sha256[:12]}...: the file was altered"
    return None


def hash_file(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _present(folder: Path) -> Iterator[str]:
    """Everything below the folder that is no folder, links and pipes included, as POSIX paths."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*names, *links):
            if name not in _IGNORED:
                yield Path(place, name).relative_to(folder).as_posix()
