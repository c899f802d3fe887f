"""Climbing in a process of its own, which tells another one how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.export.ladder.climb import Watch
    from pocketclip.export.ladder.report import LadderReport
    from pocketclip.export.own_samples import SampleRequest


@dataclass(frozen=True)
class Sign:
    """A call of a `Watch`: its method, and what it was given."""

    method: str
    arguments: tuple[object, ...]

    def pass_on(self, watch: Watch) -> None:
        """Makes the call."""
        getattr(watch, self.method)(*self.arguments)


class _Telling:
    """A `Watch` whose calls become signs."""

    def __init__(self, sign: Callable[[Sign], None]) -> None:
        self._sign = sign

    def begin(self, label: str, total: int | None) -> None:
        self._sign(Sign("begin", (label, total)))

    def advance(self, count: int) -> None:
        self._sign(Sign("advance", (count,)))

    def note(self, message: str) -> None:
        self._sign(Sign("note", (message,)))


def climb_and_tell(
    artifact: Artifact,
    weights: str | None,
    samples: int | None,
    data: SampleRequest | None = None,
    *,
    sign: Callable[[Sign], None],
) -> LadderReport:
    """`climb` for an artefact; errors are those of `climb` and `load_subject`."""
    from pocketclip.export.targets.converter_noise import quiet_loggers

    quiet_loggers()
    from pocketclip.export.ladder.climb import climb
    from pocketclip.export.ladder.subject import load_subject

    watch = _Telling(sign)
    watch.begin(f"{artifact.label}: eager", None)
    return climb(load_subject(artifact, weights, samples, data), watch=watch)
