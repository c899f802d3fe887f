"""The program that measures a head: its runs are whole, its figures add up, its picture is drawn."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import BenchmarkError
from pocketclip.benchmark.fleet_scale.measuring import measure_scale
from pocketclip.benchmark.fleet_scale.picture import draw
from pocketclip.benchmark.store import open_store


def test_a_small_run(tmp_path: Path) -> None:
    store = str(tmp_path / "s.sqlite")
    found = measure_scale(30, 60, 60.0, store)
    with open_store(store) as opened:
        assert opened.count() == 60
    assert found.ideal_seconds == 120.0
    # Phones take a fifth more or less.
    assert 90 < found.simulated_seconds < 260
    assert 0 < found.store_seconds + found.ledger_seconds < found.head_seconds
    assert 0 < found.processor_seconds < 60 and min(found.peak_bytes, found.before_bytes) > 0
    draw([found, measure_scale(5, 10, 60.0, str(tmp_path / "t.sqlite"))], tmp_path / "scale.svg")
    assert ElementTree.parse(tmp_path / "scale.svg").getroot().tag.endswith("svg")
    # What is not its own run is no result.
    with pytest.raises(BenchmarkError, match="of 60 jobs, 60 are done with 120 records"):
        measure_scale(30, 60, 60.0, store)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--phones", "0"], "--phones takes numbers from 1 to 100000"),
        (["--phones", "a,b"], "--phones takes numbers from 1 to 100000"),
        (["--phones", "1,2", "--store", "s.sqlite"], "--store is for one number of phones"),
    ],
)
def test_bad_options(options: list[str], words: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pocketclip.benchmark.fleet_scale", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2 and words in line
