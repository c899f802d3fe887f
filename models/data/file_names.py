"""Names of files and folders as people write them: composed or decomposed letters, backslashes, bytes that are no text.

Two names are the same where their composed forms (NFC) are: macOS hands out decomposed ones.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from pocketclip.models.untrusted.files import is_file, is_there
from pocketclip.models.untrusted.printable import printable_path

# Folders whose entries are kept in memory.
_MOST_LISTED = 16


def composed(text: str) -> str:
    """The form in which names, labels and captions are compared: Unicode's NFC."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_text(name: str) -> bool:
    """Whether a file's name is valid text; others hold a surrogate for every byte that is not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def name_key(name: str) -> str:
    """By what a file's name is looked up: its composed form; bytes that are no text stand as escapes, `caf\\xe9`."""
    return composed(name) if is_text(name) else composed(printable_path(name))


def find_file(folder: Path, name: str) -> Path | None:
    """The file that a table or list names, a path from `folder` on; None where there is none.

    The name as it stands comes first. Else a backslash separates folders, and letters may be composed on one side and
    decomposed on the other.
    """
    if not name or "\0" in name or not is_text(name):
        return None
    if is_file(exact := folder / name):
        return exact
    for written in dict.fromkeys((name, name.replace("\\", "/"))):
        found = _find(folder, written)
        if found is not None:
            return found
    return None


def _find(folder: Path, name: str) -> Path | None:
    path = folder
    for part in Path(name).parts:
        following = path / part
        if not is_there(following):
            same = _same_name(path, part)
            if same is None:
                return None
            following = path / same
        path = following
    return path if is_file(path) else None


def _same_name(folder: Path, name: str) -> str | None:
    """The entry of a folder whose name is the same; the first in order where there are several."""
    try:
        return _entries(folder.absolute(), folder.stat().st_mtime_ns).get(name_key(name))
    except OSError:
        return None


@functools.lru_cache(maxsize=_MOST_LISTED)
def _entries(folder: Path, changed_ns: int) -> Mapping[str, str]:
    """A folder's entries by key, as long as nothing is added or removed: a table may name thousands that lack."""
    return {name_key(entry): entry for entry in sorted(os.listdir(folder), reverse=True)}
