"""The search for the cheapest modules, on losses and costs that are known."""

from __future__ import annotations

import itertools
import random

import pytest

from pocketclip.export.mixed.judge import Measured
from pocketclip.export.mixed.search import MOST_CONVERSIONS, Cost, Found, Kept, Problem, cheapest, search

DROPS = {f"m{place}": 2.0**-place for place in range(20)}


def _search(problem: Problem, allowed: float, factor: float = 1.0, floor: float = 0.0) -> tuple[Found, list[Kept]]:
    tried: list[Kept] = []

    def convert(kept: Kept) -> Measured:
        tried.append(kept)
        lost = floor + factor * problem.rounded(kept)
        return Measured(1 - lost, 1 - lost, lost <= allowed, lost)

    return search(problem, allowed, convert), tried


def bordered(weights: dict[str, float], border: float) -> Cost:
    """A chain of modules: each costs its weight in float, and each border between float and int8 the same."""
    names = list(weights)

    def cost(kept: Kept) -> float:
        changes = sum((one in kept) != (other in kept) for one, other in itertools.pairwise(names))
        return sum(weights[name] for name in kept) + border * changes

    return cost


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("allowed", [1.9, 0.5, 0.011])
def test_fewest_that_meet_the_budget_where_each_costs_the_same(allowed: float, factor: float) -> None:
    found, tried = _search(Problem(DROPS, len), allowed, factor)
    least = next(kept for kept in range(21) if factor * sum(list(DROPS.values())[kept:]) <= allowed)
    assert found.kept is not None and len(found.kept) == least
    assert len(tried) == len(set(tried)) <= MOST_CONVERSIONS
    assert [attempt.kept for attempt in found.attempts] == tried


def test_a_cheap_module_is_kept_instead_of_a_dear_one() -> None:
    """The most sensitive module is dear: two others that together lose as much are kept in its place."""
    drops = {"dear": 0.5, "one": 0.3, "two": 0.3, "rest": 0.1}
    cost = bordered({"dear": 100.0, "one": 1.0, "two": 1.0, "rest": 1.0}, 0.0)
    found, _ = _search(Problem(drops, cost), 0.6)
    assert found.kept is not None and "dear" not in found.kept


def test_a_gap_between_kept_modules_is_closed_where_borders_are_dear() -> None:
    """Converting values to int8 and back costs more than computing the module between in float."""
    drops = {"a": 0.01, "b": 0.4, "c": 0.0001, "d": 0.4, "e": 0.01}
    weights = {"a": 9.0, "b": 1.0, "c": 1.0, "d": 1.0, "e": 9.0}
    assert cheapest(Problem(drops, bordered(weights, 3.0)), 0.05) == {"b", "c", "d"}
    assert cheapest(Problem(drops, bordered(weights, 0.1)), 0.05) == {"b", "d"}


def test_near_the_cheapest_of_all_choices() -> None:
    """Against every choice of 10 modules, on 20 random chains."""
    chance = random.Random(4)
    excess = []
    for _ in range(20):
        drops = {f"m{place}": chance.random() ** 4 for place in range(10)}
        problem = Problem(drops, bordered({name: chance.random() for name in drops}, chance.random()))
        allowance = 0.2 * problem.rounded(frozenset())
        choices = itertools.chain.from_iterable(itertools.combinations(drops, size) for size in range(11))
        allowed = [frozenset(kept) for kept in choices if problem.rounded(frozenset(kept)) <= allowance]
        found = cheapest(problem, allowance)
        assert found in allowed
        excess.append(problem.cost(found) / min(map(problem.cost, allowed)) - 1)
    assert sum(excess) / len(excess) < 0.02 and max(excess) < 0.2


def test_uniform_artefact_that_meets_it_is_the_only_one_made() -> None:
    found, tried = _search(Problem(DROPS, len), 5.0)
    assert (found.kept, tried) == (frozenset(), [frozenset()])


def test_what_is_clearly_cheaper_than_the_uniform_artefact_is_made_too() -> None:
    """Its borders cost more than floats save: the cheaper plan that meets the budget as well is the one to take."""
    names = {f"m{place}": 1.0 for place in range(4)}
    chain = bordered(dict.fromkeys(names, 1.0), 0.0)

    def cost(kept: Kept) -> float:
        return 10.0 + chain(kept) - (6.0 if {"m1", "m2"} <= kept else 0.0)

    problem = Problem(dict.fromkeys(names, 0.1), cost, [frozenset({"m1", "m2"})])
    found, tried = _search(problem, 5.0)
    assert (found.kept, tried) == (frozenset({"m1", "m2"}), [frozenset(), frozenset({"m1", "m2"})])
    # One that is hardly cheaper is not worth a larger file.
    hardly = Problem(problem.drops, lambda kept: 1.0 - 0.001 * len(kept))
    assert _search(hardly, 5.0)[0].kept == frozenset()


def test_losses_that_the_units_do_not_explain() -> None:
    """Half of the budget is lost whatever is kept: predictions are wrong, and the search still ends at a right one."""
    problem = Problem(DROPS, len)
    found, tried = _search(problem, 0.1, floor=0.05)
    assert found.kept is not None and 0.05 + problem.rounded(found.kept) <= 0.1
    assert len(tried) <= MOST_CONVERSIONS


def test_budget_out_of_reach_is_tried_with_everything_kept() -> None:
    found, tried = _search(Problem(DROPS, len), 0.01, floor=0.02)
    assert found.kept is None
    assert tried[-1] == frozenset(DROPS)


def test_a_tower_that_nothing_hurts() -> None:
    assert _search(Problem({}, len), 0.1)[0].kept == frozenset()
    assert _search(Problem({}, len), 0.1, floor=0.2)[0].kept is None
