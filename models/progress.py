"""How long work tells how far it has come: records to one callback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

_LOG = logging.getLogger("pocketclip")


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of `task` are done; `total` is None where nobody knows it."""

    task: str
    done: int
    total: int | None


OnProgress = Callable[[Progress], object]


def silent(event: object) -> None:
    """A callback that does nothing."""
    del event


class CountingWatch:
    """What parts of the work call as they begin and advance; each call becomes a `Progress`, each note a log entry."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._now = Progress("", 0, None)

    def begin(self, label: str, total: int | None) -> None:
        """A part of the work begins."""
        self._tell(Progress(label, 0, total))

    def advance(self, count: int) -> None:
        """So many steps more are done."""
        self._tell(Progress(self._now.task, self._now.done + count, self._now.total))

    def note(self, message: str) -> None:
        """Something that the user should know."""
        _LOG.info("%s", message)

    def _tell(self, progress: Progress) -> None:
        self._now = progress
        self._on_progress(progress)
