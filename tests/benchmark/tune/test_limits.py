"""Limits: their units, what is beyond one, and by how much."""

from __future__ import annotations

import pytest

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.tune.limits import Bounded, Limit, Limits, parse_limit, shown, violations
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Cost
from tests.benchmark.tune.cheap import cheap_space


@pytest.mark.parametrize(
    ("limit", "text", "value"),
    [
        (Limit.LATENCY, "8ms", 8e6),
        (Limit.LATENCY, "1.5 s", 1.5e9),
        (Limit.LATENCY, "800us", 8e5),
        (Limit.INSTRUCTIONS, "20M", 2e7),
        (Limit.INSTRUCTIONS, "5", 5.0),
        (Limit.DROP, "1.0pt", 1.0),
        (Limit.SIZE, "40MB", 4e7),
    ],
)
def test_units(limit: Limit, text: str, value: float) -> None:
    assert parse_limit(limit, text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["8", "0ms", "-1ms", "8pt", "nan ms", "inf", "", "8 ms ms", "1e3ms", "9" * 30 + "ms"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--max-latency takes a number above zero with a unit"):
        parse_limit(Limit.LATENCY, text)


def test_no_limit_is_none() -> None:
    assert parse_limit(Limit.SIZE, None) is None
    assert violations(Limits(), [Bounded(Limit.SIZE, 1e12, 1e12, 1e12)]) == []


def test_a_violation_says_by_how_much_and_whether_it_is_certain() -> None:
    limits = Limits(latency_ns=8e6, size_bytes=4e7)
    figures = [Bounded(Limit.LATENCY, 9.1e6, 7.9e6, 9.5e6), Bounded(Limit.SIZE, 5e7, 5e7, 5e7)]
    late, large = violations(limits, figures)
    assert not late.certain and large.certain
    assert late.words == "max-latency: 9.1 ms, 1.1 ms (14 %) above 8 ms"
    assert large.share == pytest.approx(0.25)
    assert shown(Limit.DROP, 1.25) == "1.25 points"


def test_limits_of_what_is_not_measured_are_refused() -> None:
    space = cheap_space().space
    with pytest.raises(OptionError, match="--max-instructions bounds what this study does not measure"):
        StudySettings(space, limits=Limits(instructions=1e6))
    with pytest.raises(OptionError, match="--max-latency bounds what this study does not measure"):
        StudySettings(space, cost=Cost.INSTRUCTIONS, limits=Limits(latency_ns=1e6))
    with pytest.raises(OptionError, match="--max-drop bounds accuracy"):
        StudySettings(space, train=False, limits=Limits(drop_points=1.0))
