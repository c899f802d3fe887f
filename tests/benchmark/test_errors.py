"""The errors of `benchmark` have codes of their own, which docs/devices.md explains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pocketclip.benchmark import errors
from pocketclip.benchmark.errors import TransportError

PAGE = (Path(__file__).parents[2] / "docs/devices.md").read_text()
TRANSPORT_ERRORS = [
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TransportError)
]


@pytest.mark.parametrize("error", TRANSPORT_ERRORS, ids=lambda error: error.__name__)
def test_every_way_that_a_device_fails_is_in_the_table(error: type[TransportError]) -> None:
    row = rf"^\| {error.exit_code} \| [^|]*`{error('x').code}`"
    assert re.search(row, PAGE, re.MULTILINE), f"docs/devices.md has no row for {error('x').code}"


def test_no_two_have_one_exit_code() -> None:
    codes = [each.exit_code for each in TRANSPORT_ERRORS if each.exit_code > 2]
    assert len(codes) == len(set(codes))
