"""The fewest units, taken in the order of their sensitivity, that bring an artefact within its budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.mixed.judge import Measured

# A conversion takes from seconds to minutes.
MOST_CONVERSIONS = 6
# Of the loss that is allowed, what the prediction aims at.
_AIM = 0.9


@dataclass(frozen=True)
class Attempt:
    """One conversion: how many of the ranked units were kept, and what the artefact reached."""

    kept: int
    measured: Measured


@dataclass(frozen=True)
class Found:
    """All conversions, in their order, and the least `kept` that met the budget; None where none did."""

    attempts: tuple[Attempt, ...]
    kept: int | None


def fewest(drops: Sequence[float], allowed: float, convert: Callable[[int], Measured]) -> Found:
    """Searches for the least number of units to keep, in at most `MOST_CONVERSIONS` conversions.

    Losses of units add up, nearly: what an artefact loses, over the drops of the units that it rounds, is the factor by
    which the next number is predicted. The last conversion keeps all units where no other met the budget.

    Args:
        drops: of the units, the largest first.
        allowed: the loss that meets the budget.
        convert: makes the artefact that keeps the first k units, and judges it.
    """
    attempts: list[Attempt] = []
    failing, meeting = -1, len(drops) + 1
    while meeting - failing > 1 and len(attempts) < MOST_CONVERSIONS:
        last_chance = meeting > len(drops) and len(attempts) == MOST_CONVERSIONS - 1
        kept = len(drops) if last_chance else _next(drops, allowed, attempts, failing, meeting)
        attempts.append(Attempt(kept, convert(kept)))
        if attempts[-1].measured.met:
            meeting = kept
        else:
            failing = kept
    return Found(tuple(attempts), meeting if meeting <= len(drops) else None)


def _next(drops: Sequence[float], allowed: float, attempts: Sequence[Attempt], failing: int, meeting: int) -> int:
    """A number between the largest that failed and the least that met."""
    if not attempts:
        return 0
    last = attempts[-1]
    rounded = sum(drops[last.kept :])
    factor = last.measured.lost / rounded if rounded > 0 else 1.0
    predicted = next(
        (kept for kept in range(len(drops)) if factor * sum(drops[kept:]) <= _AIM * allowed),
        len(drops),
    )
    middle = (max(failing, 0) + min(meeting, len(drops))) // 2
    # Two predictions that did not narrow it down to a neighbour: halve instead.
    chosen = predicted if len(attempts) < 3 else middle
    return min(max(chosen, failing + 1), meeting - 1)
