"""The search for the fewest modules, on losses that are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from export.mixed.judge import Measured
from export.mixed.search import MOST_CONVERSIONS, Found, fewest

DROPS = tuple(2.0**-place for place in range(20))


def _search(drops: Sequence[float], allowed: float, factor: float = 1.0, floor: float = 0.0) -> tuple[Found, list[int]]:
    tried: list[int] = []

    def convert(kept: int) -> Measured:
        tried.append(kept)
        lost = floor + factor * sum(drops[kept:])
        return Measured(1 - lost, 1 - lost, lost <= allowed, lost)

    return fewest(drops, allowed, convert), tried


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("allowed", [1.9, 0.5, 0.011])
def test_fewest_that_meet_the_budget(allowed: float, factor: float) -> None:
    found, tried = _search(DROPS, allowed, factor)
    least = next(kept for kept in range(21) if factor * sum(DROPS[kept:]) <= allowed)
    assert found.kept == least
    assert len(tried) == len(set(tried)) <= MOST_CONVERSIONS
    assert [attempt.kept for attempt in found.attempts] == tried


def test_uniform_artefact_that_meets_it_is_the_only_one_made() -> None:
    found, tried = _search(DROPS, 5.0)
    assert (found.kept, tried) == (0, [0])


def test_losses_that_the_units_do_not_explain() -> None:
    """Half of the budget is lost whatever is kept: predictions are wrong, and the search still ends at a right one."""
    found, tried = _search(DROPS, 0.1, floor=0.05)
    assert found.kept is not None and 0.05 + sum(DROPS[found.kept :]) <= 0.1
    assert len(tried) <= MOST_CONVERSIONS


def test_budget_out_of_reach_is_tried_with_everything_kept() -> None:
    found, tried = _search(DROPS, 0.01, floor=0.02)
    assert found.kept is None
    assert tried[-1] == len(DROPS)


def test_a_tower_that_nothing_hurts() -> None:
    assert _search((), 0.1)[0].kept == 0
    assert _search((), 0.1, floor=0.2)[0].kept is None
