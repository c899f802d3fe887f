"""Values are found again by what they hold, in any layout; the first that is missing is named."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pocketclip.export.ladder.matching import first_below, first_loss, match
from pocketclip.export.ladder.stations import Station, Traced
from pocketclip.export.targets.rejection import Place

RNG = np.random.default_rng(11)


def station(*values: np.ndarray, feeds: tuple[int, ...] = ()) -> Station:
    return Station(Place("module", "Module", None), "op", values, feeds)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def test_layouts_and_flattening_are_seen_through() -> None:
    value = floats(1, 4, 5, 6)
    for seen in (value, value.transpose(0, 2, 3, 1), value.reshape(4, 30)):
        assert match([station(value)], [Traced("other", (floats(120),)), Traced("it", (seen,))]) == [200]


def test_transposed_square_is_another_value() -> None:
    scores = floats(2, 7, 7)
    (level,) = match([station(scores)], [Traced("transposed", (scores.transpose(0, 2, 1),))])
    assert level < 3


def test_all_probes_must_fit_the_same_value() -> None:
    first, second = floats(8), floats(8)
    (level,) = match([station(first, second)], [Traced("one", (first, first)), Traced("two", (second, second))])
    assert level < 6


def test_nan_and_other_sizes_fit_nothing() -> None:
    value = floats(8)
    broken = value.copy()
    broken[2] = np.nan
    assert match([station(value)], [Traced("nan", (broken,)), Traced("size", (floats(9),))]) == [-math.inf]


def test_noise_is_measured_in_decibels() -> None:
    value = floats(10_000)
    (level,) = match([station(value)], [Traced("noisy", (value + 0.1 * floats(10_000),))])
    assert level == pytest.approx(20, abs=0.5)


def test_loss_against_a_sound_conversion() -> None:
    sound = [120.0, 2.0, 118.0, 119.0]
    assert first_loss(sound, [120.0, 1.0, 118.0, 119.0]) is None
    # The second is fused away in the sound one too: it tells nothing.
    finding = first_loss(sound, [120.0, 0.0, 4.0, 3.0])
    assert finding is not None and (finding.index, finding.after) == (2, 0)
    # What is lost to a precision anywhere is no fault of the file.
    assert first_loss([31.0, 25.0], [30.0, 24.0]) is None


def test_what_something_found_later_is_made_from_is_right() -> None:
    stations = [station(floats(1), feeds=feeds) for feeds in ((1,), (2,), (3,), ())]
    assert first_below(stations, [100.0, 0.0, 100.0, 90.0], 60) is None
    finding = first_below(stations, [100.0, 0.0, 100.0, 10.0], 60)
    assert finding is not None and (finding.index, finding.after) == (3, 2)
    finding = first_below(stations, [100.0, 0.0, 0.0, 10.0], 60)
    assert finding is not None and (finding.index, finding.after) == (1, 0)
