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
        if error.fix is not None:
            return Finding(precondition, str(error).removesuffix(f"; {error.fix}"), error.fix), None
        # Most messages end with what to do.
        detail, _, fix = str(error).rpartition("; ")
        if not detail or fix.startswith(("stderr: ", "nothing on stderr")):
            detail, fix = str(error), "see what the device says there"
        return Finding(precondition, detail, fix), None
    return Finding(precondition, worded(outcome)), outcome
