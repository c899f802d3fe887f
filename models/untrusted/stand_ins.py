"""Files that stand in for another: what `git clone` and a browser leave where a large file should be."""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD_BYTES = 1024
"""Of a file, as many as tell what it is."""

_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE = re.compile(rb"^size (\d{1,15})\r?$", re.MULTILINE)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|\?xml)", re.IGNORECASE)


class StandIn(NamedTuple):
    """What a file is, in words that follow "it is", and what to do."""

    what: str
    fix: str


def stand_in(head: bytes) -> StandIn | None:
    """What stands in for the file; None where it may be the file itself.

    Args:
        head: its first `HEAD_BYTES`, or all of it.
    """
    if head.startswith(_LFS):
        stated = _LFS_SIZE.search(head[:HEAD_BYTES])
        whole = f" of {int(stated[1]):,} bytes" if stated else ""
        return StandIn(
            f"a Git LFS pointer to a file{whole}, not the file itself",
            "fetch the file with `git lfs pull`, or download it from its publisher's page",
        )
    if _PAGE.match(head[:HEAD_BYTES]):
        return StandIn(
            "a web page, not the file itself",
            "the page may ask you to sign in: open it in a browser and download the file",
        )
    return None
