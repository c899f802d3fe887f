"""The cheapest units to keep that bring an artefact within its budget.

Losses of units add up, nearly: what an artefact loses, over the drops of the units that it rounds, is a factor that
hardly changes from plan to plan. So a plan is wanted whose rounded units have a small enough sum of drops, the
*allowance*, and which costs least; the allowance is corrected by what each converted artefact loses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pocketclip.export.mixed.judge import Measured

# A conversion takes from seconds to minutes.
MOST_CONVERSIONS = 6
# Of the loss that is allowed, what the prediction aims at.
_AIM = 0.9
# Conversions whose loss the next allowance is predicted from; later ones halve what is left.
_PREDICTED = 3
# By how much the allowance falls where no prediction helps and nothing has met the budget.
_STEP = 4.0
# Sums of drops that differ by less are equal, and so are costs.
_CLOSE = 1e-12
# By what share of its cost a plan must be predicted cheaper than the uniform artefact that meets the budget: less is
# within the error of a prediction, and the uniform artefact is the smallest.
_WORTH = 0.05

Kept = frozenset[str]
# What it costs to keep units finer.
Cost = Callable[[Kept], float]


@dataclass(frozen=True)
class Problem:
    """Units with their drops, groups of units that may be kept together, and what keeping some costs."""

    drops: Mapping[str, float]
    cost: Cost
    groups: Sequence[Kept] = ()

    def rounded(self, kept: Kept) -> float:
        """The sum of the drops of the units that are not kept."""
        return sum(drop for unit, drop in self.drops.items() if unit not in kept)

    @property
    def everything(self) -> Kept:
        return frozenset(self.drops)


@dataclass(frozen=True)
class Attempt:
    """One conversion: which units were kept, what that costs, and what the artefact reached."""

    kept: Kept
    cost: float
    measured: Measured


@dataclass(frozen=True)
class Found:
    """All conversions, in their order, and the cheapest units that met the budget; None where none did."""

    attempts: tuple[Attempt, ...]
    kept: Kept | None


def cheapest(problem: Problem, allowance: float) -> Kept:
    """The cheapest units to keep whose rest has a sum of drops within the allowance, as far as a local search goes.

    Three starts, by sensitivity, by drop for cost, and all units, are each improved until no unit or group that is
    added or let go makes it cheaper. Equal costs are decided by the number of units, then by the smaller rest.
    """

    def rank(kept: Kept) -> tuple[float, int, float]:
        return round(problem.cost(kept), 12), len(kept), problem.rounded(kept)

    limit = allowance + _CLOSE
    starts = {_by_sensitivity(problem, limit), _by_gain(problem, limit), problem.everything}
    return min((_improved(problem, start, limit, rank) for start in starts), key=rank)


def _by_sensitivity(problem: Problem, limit: float) -> Kept:
    kept: list[str] = []
    left = problem.rounded(frozenset())
    for unit, drop in sorted(problem.drops.items(), key=lambda item: (-item[1], item[0])):
        if left <= limit:
            break
        kept.append(unit)
        left -= drop
    return frozenset(kept)


def _by_gain(problem: Problem, limit: float) -> Kept:
    """Adds the unit that takes most off what is too much for what it costs more, one after the other."""
    kept: Kept = frozenset()
    while (excess := problem.rounded(kept) - limit) > 0 and kept != problem.everything:
        base = problem.cost(kept)
        # In the order of the mapping, so that equals are decided alike everywhere.
        options = [unit for unit in problem.drops if unit not in kept]

        def gain(unit: str, kept: Kept = kept, base: float = base, excess: float = excess) -> tuple[bool, float]:
            more = problem.cost(kept | {unit}) - base
            useful = min(problem.drops[unit], excess)
            # What makes the plan cheaper comes first, and the more so the more it takes off.
            return more <= 0, useful if more <= 0 else useful / more

        kept |= {max(options, key=gain)}
    return kept


def _improved(problem: Problem, kept: Kept, limit: float, rank: Callable[[Kept], tuple[float, int, float]]) -> Kept:
    moves: list[Kept] = [frozenset({unit}) for unit in problem.drops] + list(problem.groups)
    best = rank(kept)
    while True:
        neighbours = [changed for move in moves for changed in (kept | move, kept - move) if changed != kept]
        allowed = [each for each in dict.fromkeys(neighbours) if problem.rounded(each) <= limit]
        nearest = min(allowed, key=rank, default=kept)
        if rank(nearest) >= best:
            return kept
        kept, best = nearest, rank(nearest)


def search(problem: Problem, allowed: float, convert: Callable[[Kept], Measured]) -> Found:
    """Searches for the cheapest units to keep, in at most `MOST_CONVERSIONS` conversions.

    The first conversion keeps none. Where that meets the budget, only what is predicted clearly cheaper is converted
    too: small ops between borders may cost less in float. The last conversion keeps all units where no other met it.

    Args:
        problem: units and costs.
        allowed: the loss that meets the budget.
        convert: makes the artefact that keeps these units, and judges it.
    """
    attempts: list[Attempt] = []
    kept: Kept | None = frozenset()
    while kept is not None and len(attempts) < MOST_CONVERSIONS:
        attempts.append(Attempt(kept, problem.cost(kept), convert(kept)))
        uniform_met = attempts[0].measured.met
        kept = _cheaper(problem, attempts) if uniform_met else _next(problem, allowed, attempts)
    met = [each for each in attempts if each.measured.met]
    best = min(met, key=lambda each: (each.cost, len(each.kept)), default=None)
    return Found(tuple(attempts), None if best is None else best.kept)


def _cheaper(problem: Problem, attempts: Sequence[Attempt]) -> Kept | None:
    """The cheapest of all choices, where it is clearly cheaper than the uniform artefact; None once it was tried."""
    kept = cheapest(problem, problem.rounded(frozenset()))
    worth = problem.cost(kept) < (1 - _WORTH) * attempts[0].cost
    return kept if worth and len(attempts) == 1 else None


def _next(problem: Problem, allowed: float, attempts: Sequence[Attempt]) -> Kept | None:
    """Units that no attempt kept, for an allowance between those that failed and those that met; None to end."""
    tried = {each.kept for each in attempts}
    met = [each for each in attempts if each.measured.met]
    if problem.everything in tried and not met:
        return None
    if not met and len(attempts) == MOST_CONVERSIONS - 1:
        return problem.everything
    meeting = max((problem.rounded(each.kept) for each in met), default=0.0)
    failing = min(problem.rounded(each.kept) for each in attempts if not each.measured.met)
    last = attempts[-1]
    rounded = problem.rounded(last.kept)
    factor = last.measured.lost / rounded if rounded > 0 and last.measured.lost > 0 else 1.0
    # Once an artefact has met the budget, nothing is lost by one that just misses it.
    aim = (1.0 if met else _AIM) * allowed / factor
    middle = (failing * meeting) ** 0.5 if meeting > 0 else failing / _STEP
    # Where two predictions did not narrow it down, the middle is surer.
    allowances = [middle] if len(attempts) > _PREDICTED else [aim, middle]
    for allowance in allowances:
        if meeting < allowance < failing:
            kept = cheapest(problem, allowance)
            # A larger allowance that makes nothing cheaper is of no use.
            if kept not in tried and all(problem.cost(kept) < each.cost for each in met):
                return kept
    return None if met else problem.everything
