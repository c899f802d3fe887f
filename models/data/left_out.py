"""What a reader passes over: counted by reason, the first one named, so that nothing is left out without a word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pocketclip.models.untrusted.printable import printable_line

# Reasons name suffixes: a folder of endless ones must not become an endless list.
MOST_REASONS = 20
_MORE = "files left out for further reasons"


@dataclass(frozen=True)
class LeftOut:
    """`count` files, members or folders that were left out, in words that follow a number; `first` names one."""

    reason: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.count} {self.reason} (first: {self.first})"


class LeftOutLog:
    """Counts by reason, in the order in which the reasons came up."""

    def __init__(self, entries: Iterable[LeftOut] = ()) -> None:
        self._found: dict[str, LeftOut] = {}
        self.take(entries)

    def add(self, reason: str, name: str, count: int = 1) -> None:
        """Counts what was left out; `name` is shown where it is the first one."""
        if reason not in self._found and len(self._found) >= MOST_REASONS:
            reason = _MORE
        known = self._found.get(reason)
        first = printable_line(name) if known is None else known.first
        self._found[reason] = LeftOut(reason, count + (0 if known is None else known.count), first)

    def take(self, entries: Iterable[LeftOut]) -> None:
        """Adds what was counted elsewhere."""
        for entry in entries:
            self.add(entry.reason, entry.first, entry.count)

    @property
    def entries(self) -> tuple[LeftOut, ...]:
        """One entry a reason."""
        return tuple(self._found.values())


def described(entries: Iterable[LeftOut]) -> str | None:
    """All of it in one line for a terminal; None where nothing was left out."""
    words = "; ".join(map(str, entries))
    return f"left out: {words}" if words else None
