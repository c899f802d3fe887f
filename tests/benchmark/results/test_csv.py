"""CSV of hostile texts: no spreadsheet takes a cell for a formula, and every file can be imported again."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pocketclip.benchmark.results.files import FileFormat, read_results, render
from pocketclip.benchmark.store.codec import encode

# What OWASP names, and the full-width forms that some spreadsheets take for the same.
STARTERS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
HOSTILE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
LINES = st.text(st.sampled_from("=+-@'\t\r\n\",; a\N{LATIN SMALL LETTER A WITH DIAERESIS}"), max_size=8)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tag=HOSTILE | LINES, model=LINES.filter(bool), instance=LINES | HOSTILE)
@example("=cmd|' /C calc'!A0", "@SUM(1)", "\r")
@example("'=1", "''-1", "a\rb")
@example("\r", "\n", "\r\n")
def test_round_trip(make: Any, tmp_path: Path, tag: str, model: str, instance: str) -> None:
    record = make.benchmark()
    record = replace(
        record,
        tag=tag,
        artifact=replace(record.artifact, model=model),
        device=replace(record.device, instance=instance),
    )
    text = encode(record)
    content = render([text], FileFormat.CSV)
    path = tmp_path / "results.csv"
    path.write_text(content, encoding="utf-8", newline="")
    assert [each.text for each in read_results(path)] == [text.text]
    csv.field_size_limit(10**9)
    (row,) = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    for name, written in (("tag", tag), ("model", model), ("instance", instance)):
        assert not row[name].startswith(tuple(STARTERS))
        assert row[name] in (written, f"'{written}")


@pytest.mark.parametrize("tag", ["=1", "-1", "'+1"])
def test_files_of_older_versions_are_taken_in(make: Any, tmp_path: Path, tag: str) -> None:
    """They have no apostrophe before such a cell."""
    text = encode(replace(make.benchmark(), tag=tag))
    path = tmp_path / "results.csv"
    path.write_text(render([text], FileFormat.CSV).replace(f",'{tag},", f",{tag},"))
    assert f",{tag}," in path.read_text()
    assert [each.text for each in read_results(path)] == [text.text]


def test_numbers_stay_numbers(make: Any) -> None:
    record = make.benchmark()
    record = replace(record, golden_check=replace(record.golden_check, cosine_min=-0.25))
    (row,) = csv.DictReader(io.StringIO(render([encode(record)], FileFormat.CSV), newline=""))
    assert row["cosine_min"] == "-0.25"
