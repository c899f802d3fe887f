"""The splits, as they are kept in the package: which concepts are seen, which pictures exist, which photographs count.

`python -m pocketclip.models.pictures.listing` draws them from the pinned packages; nothing else changes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted.files import read_bounded

EMOJI_FILE, CLIPART_FILE, PHOTOGRAPHS_FILE = "emoji.tsv", "clipart.tsv", "photographs.tsv"
_MOST_BYTES = 4 << 20
SEEN, UNSEEN, HARD = "seen", "unseen", "hard"


@dataclass(frozen=True)
class ListedEmoji:
    """A concept: whether training shows it, whether it is among the hard ones, and the sources that have it."""

    code: str
    seen: bool
    hard: bool
    sources: tuple[str, ...]


@dataclass(frozen=True)
class ListedPhotograph:
    """A photograph by its source and its path there, with the label that was given to it by hand."""

    source: str
    path: str
    label: str


@dataclass(frozen=True)
class Lists:
    """All lists; `clipart` holds paths of drawings."""

    emoji: tuple[ListedEmoji, ...]
    clipart: tuple[str, ...]
    photographs: tuple[ListedPhotograph, ...]


def read_lists(folder: Path) -> Lists:
    """The lists in a folder.

    Raises:
        DatasetError: a list is missing or has a line that cannot be read.
    """
    emoji = tuple(_emoji(line, row) for line, row in _rows(folder / EMOJI_FILE, 3))
    clipart = tuple(path for _, (path,) in _rows(folder / CLIPART_FILE, 1))
    photographs = tuple(ListedPhotograph(*row) for _, row in _rows(folder / PHOTOGRAPHS_FILE, 3))
    return Lists(emoji, clipart, photographs)


def emoji_line(entry: ListedEmoji) -> str:
    """A concept as a line of `emoji.tsv`."""
    split = HARD if entry.hard else SEEN if entry.seen else UNSEEN
    return f"{entry.code}\t{split}\t{','.join(entry.sources)}\n"


def _emoji(line: str, row: list[str]) -> ListedEmoji:
    code, split, sources = row
    if split not in (SEEN, UNSEEN, HARD):
        raise DatasetError(f"{line}: {split!r} is no split; it must be {SEEN}, {HARD} (which is seen) or {UNSEEN}")
    return ListedEmoji(code, split != UNSEEN, split == HARD, tuple(sources.split(",")) if sources else ())


def _rows(path: Path, columns: int) -> Iterator[tuple[str, list[str]]]:
    text = read_bounded(path, _MOST_BYTES, error=DatasetError).decode()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            continue
        row = line.split("\t")
        if len(row) != columns:
            raise DatasetError(f"{path.name}, line {number} has {len(row)} columns instead of {columns}")
        yield f"{path.name}, line {number}", row
