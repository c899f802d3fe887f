"""How often a head does what, and durations in words."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.benchmark.fleet.ledger import BEAT_SECONDS, LOST_SECONDS


@dataclass(frozen=True)
class Timing:
    """How often a head does what, in seconds.

    A drained device is looked at after the first of `doctor`, then half as often each time, at most after the last.
    `patience` is how long jobs wait for devices of which none is in use; `store` how long for a database that is away.
    """

    announce: float = 5.0
    beat: float = BEAT_SECONDS
    lost: float = LOST_SECONDS
    doctor: tuple[float, float] = (30.0, 600.0)
    busy: float = 10.0
    patience: float = 600.0
    store: float = 900.0
    tell: float = 30.0
    gather: float = 0.1


def worded_seconds(seconds: float) -> str:
    """A duration as people say it: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
