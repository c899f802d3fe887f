"""What a check of a device found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pocketclip.benchmark.errors import BenchmarkError

LEAST_FREE_BYTES = 500_000_000


Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Finding:
    """A precondition: `detail` is what was found; `fix` what to do where it is not met, else None."""

    precondition: str
    detail: str
    fix: str | None = None

    @property
    def met(self) -> bool:
        """Whether the device may be used as far as this goes."""
        return self.fix is None


def attempt(
    precondition: str, action: Callable[[], Outcome], worded: Callable[[Outcome], str]
) -> tuple[Finding, Outcome | None]:
    """What came of an action in words, and its outcome; None, with the fix, where it failed."""
    try:
        outcome = action()
    except BenchmarkError as error:
        return Finding(precondition, error.what, error.fix or "see what the device says there"), None
    return Finding(precondition, worded(outcome)), outcome
