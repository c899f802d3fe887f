"""Numbers as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from pocketclip.benchmark.statistics import formatting


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123, "0.012"),
        (0.88, "0.880"),
        (0.9999, "1.00"),
        (3.214, "3.21"),
        (36.04, "36.0"),
        (99.96, "100"),
        (0, "0.000"),
    ],
)
def test_three_digits(value: float, shown: str) -> None:
    assert formatting.three_digits(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (0.999999, "0.99999"), (0.5, "0.50000"), (-0.25, "-0.25000")],
)
def test_cosine_is_never_rounded_up(value: float, shown: str) -> None:
    assert formatting.cosine(value) == shown


def test_units_and_unknowns() -> None:
    assert formatting.milliseconds(3_214_000).split() == ["3.21", "ms"]
    assert formatting.megabytes(11_000_000).split() == ["11.0", "MB"]
    assert formatting.percent(0.8812).split() == ["88.1", "%"]
    assert {formatting.milliseconds(None), formatting.megabytes(None), formatting.percent(None)} == {formatting.UNKNOWN}


def test_timings_of_a_record(make: Any) -> None:
    shown = formatting.timings(make.benchmark(median_ms=3.0))
    assert len(shown) == 5
    assert [cell.split()[1] for cell in shown] == ["ms", "ms", "ms", "ms", "MB"]
