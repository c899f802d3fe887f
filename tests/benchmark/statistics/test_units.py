"""Outliers among units: how often one is told where there is none, how often a planted one is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.records.validity import InvalidityCode, invalidity
from pocketclip.benchmark.statistics.units import UnitVerdict, extreme_deviates, variation_of_units


def units(make: Any, factors: list[float], launches: int = 6, name: str = "pixel7") -> list[BenchmarkRecord]:
    """A record of each unit, whose times are a common one times its factor."""
    found = []
    for number, factor in enumerate(factors):
        record = make.benchmark(launches=launches, median_ms=3.0 * factor, device=name)
        found.append(replace(record, device=replace(record.device, instance=f"{number:016x}")))
    return found


@pytest.mark.parametrize("count", [6, 8, 16])
def test_alike_units_are_seldom_called_outliers(count: int) -> None:
    chance = np.random.default_rng(5)
    false = sum(bool(extreme_deviates(chance.normal(0, 0.02, count))) for _ in range(2000))
    # 5 % of families, within what 2,000 of them vary by.
    assert false / 2000 <= 0.066


def test_planted_outliers_are_found() -> None:
    chance = np.random.default_rng(6)
    found = 0
    for _ in range(200):
        levels = chance.normal(0, 0.01, 12)
        levels[4] += 0.08
        found += extreme_deviates(levels) == [4]
    assert found > 180
    # Two do not hide each other.
    levels = [*np.linspace(-0.01, 0.01, 14), 0.2, 0.21]
    assert set(extreme_deviates(levels)) == {14, 15}


def test_a_slow_unit_is_named(make: Any) -> None:
    (found,) = variation_of_units(units(make, [1.0, 1.005, 0.995, 1.0, 1.01, 0.99, 1.3]))
    assert (found.model, found.cells, found.words) == ("pixel7", 1, "1 of 7 units are outliers")
    first, *others = found.units
    assert (first.unit, first.verdict) == (f"{6:016x}", UnitVerdict.SLOWER)
    assert 0.2 < first.level < 0.4 and first.interval is not None and first.interval[0] > 0.02
    assert {each.verdict for each in others} == {UnitVerdict.LIKE_OTHERS}
    assert found.spread is not None and found.spread_interval is not None
    assert found.spread_interval[0] <= found.spread <= found.spread_interval[1]


def test_a_fast_unit_is_named(make: Any) -> None:
    (found,) = variation_of_units(units(make, [1.0, 1.005, 0.995, 1.0, 1.01, 0.99, 0.7]))
    assert found.units[-1].verdict is UnitVerdict.FASTER


def test_few_units_cannot_tell(make: Any) -> None:
    (found,) = variation_of_units(units(make, [1.0, 1.0, 1.0, 1.0, 2.0]))
    assert {each.verdict for each in found.units} == {UnitVerdict.UNKNOWN}
    assert found.words == "no outlier can be told: 5 of 5 units have 5 launches that may be ranked, 6 are needed"
    assert found.spread_interval is None


def test_few_launches_cannot_tell(make: Any) -> None:
    (found,) = variation_of_units(units(make, [1.0] * 5 + [2.0] * 3, launches=4))
    assert {each.verdict for each in found.units} == {UnitVerdict.UNKNOWN}
    assert "0 of 8 units have 5 launches" in found.words


def test_what_may_not_be_ranked_counts_for_nothing(make: Any) -> None:
    hot = (invalidity(InvalidityCode.HOT, "thermal status 3"),)
    records = [replace(each, invalid=hot) for each in units(make, [1.0] * 8)]
    assert variation_of_units(records) == []


def test_models_and_artefacts_are_apart(make: Any) -> None:
    """Units that measured other artefacts are compared by what they share."""
    first = units(make, [1.0] * 6)
    second = [replace(each, artifact=replace(each.artifact, sha256="b" * 64)) for each in units(make, [4.0] * 3)]
    alone = units(make, [1.0], name="galaxy-s24")
    (found,) = variation_of_units([*first, *second, *alone])
    assert (found.model, found.cells, len(found.units)) == ("pixel7", 2, 6)
    assert all(abs(each.level) < 0.1 for each in found.units)


def test_computers_are_units_of_one_model_where_their_processors_are_the_same(make: Any) -> None:
    """All of them are called `host`."""
    records = units(make, [1.0, 1.005, 0.995, 1.0, 1.01, 0.99, 1.3], name="host")
    unlike = [replace(each, device=replace(each.device, cpu=f"CPU {number}")) for number, each in enumerate(records)]
    assert variation_of_units(unlike) == []
    socs = [
        replace(each, device=replace(each.device, soc="gs101" if number < 3 else "gs201"))
        for number, each in enumerate(records)
    ]
    assert [(each.model, len(each.units)) for each in variation_of_units(socs)] == [
        ("host (Example CPU, gs101)", 3),
        ("host (Example CPU, gs201)", 4),
    ]
    (found,) = variation_of_units(records)
    assert found.model == "host"
