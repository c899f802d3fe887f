"""Records in files and other stores, through `import pocketclip`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import pocketclip
from pocketclip.benchmark.errors import FilterError, OptionError, RecordError, ResultsFileError, StoreError
from pocketclip.export.precision import TargetName, Tower


@pytest.fixture
def store(make: Any, tmp_path: Path) -> Path:
    """A store with a benchmark of an image tower, one of a text tower, and an accuracy."""
    location = tmp_path / "records.sqlite"
    with pocketclip.open_store(location, create=True) as opened:
        for record in (make.benchmark(), make.benchmark(tower=Tower.TEXT), make.accuracy()):
            opened.append(record)
    return location


def test_to_a_file_and_back(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, other = tmp_path / "records.jsonl", tmp_path / "other.sqlite"
    assert pocketclip.write_records(file, store=store, kind="benchmark") == 2
    first = pocketclip.import_records(file, store=other)
    again = pocketclip.import_records([file], store=other)
    assert (len(first.additions.added), len(again.additions.added), len(again.additions.present)) == (2, 0, 2)
    merged = pocketclip.merge_records(store, store=other)
    assert (len(merged.additions.added), len(merged.additions.present)) == (1, 2)
    with pocketclip.open_store(other) as opened:
        assert len(opened) == 3
    with pytest.raises(ResultsFileError, match="is unknown; choose among: json, jsonl, csv, samples"):
        pocketclip.write_records(tmp_path / "records.xml", store=store, form="xml")
    assert capsys.readouterr() == ("", "")


def test_a_damaged_file_adds_nothing(store: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "records.jsonl", tmp_path / "other.sqlite"
    pocketclip.write_records(file, store=store)
    file.write_text(file.read_text() + '{"kind": "benchmark"}\n')
    with pytest.raises(RecordError, match="nothing was added"):
        pocketclip.import_records(file, store=other)
    assert not other.exists()
    found = pocketclip.import_records(file, store=other, skip_damaged=True)
    assert (len(found.additions.added), len(found.skipped)) == (3, 1)


def test_an_error_keeps_its_fix_and_code(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing was added") as caught:
        pocketclip.merge_records(tmp_path / "nowhere.sqlite", store=tmp_path / "other.sqlite")
    assert caught.value.code == "store" and not (tmp_path / "other.sqlite").exists()


def test_filters_by_enum_moment_and_age(store: Path) -> None:
    with pocketclip.open_store(store) as opened:
        assert len(opened.records(target=TargetName.ONNX, tower=Tower.TEXT)) == 1
        assert len(opened.records(tower="text", target=None)) == 1
        made = opened.records(kind="accuracy")[0].created_at
        moment = datetime.fromisoformat(made)
        assert len(opened.records(since=moment)) == len(opened.records(since=made)) >= 1
        assert opened.records(since=moment.astimezone(UTC) + timedelta(days=36500)) == []
        assert len(opened.records(since=timedelta(days=36500))) == 3


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"colour": "red"}, "records cannot be filtered by 'colour'; choose among: record_id"),
        ({"target": "openvino"}, "--target 'openvino' is unknown; choose among: onnx"),
        ({"status": "good"}, "--status 'good' is unknown; choose among: measured"),
        ({"accelerator": "tpu"}, "--accelerator 'tpu' is unknown; choose among: cpu"),
        ({"since": "yesterday"}, "--since 'yesterday' is not a time"),
    ],
)
def test_filters_that_do_not_exist(store: Path, wanted: dict[str, Any], message: str) -> None:
    with pocketclip.open_store(store) as opened, pytest.raises(FilterError) as caught:
        opened.records(**wanted)
    assert message in str(caught.value)


def test_check(store: Path, tmp_path: Path) -> None:
    found = pocketclip.check_store(store)
    assert (found.total, found.unreadable, found.removed) == (3, (), 0)
    with pytest.raises(OptionError, match="--remove needs a file"):
        pocketclip.check_store(store, remove=True)
    (tmp_path / "there.jsonl").touch()
    with pytest.raises(OptionError, match="already exists"):
        pocketclip.check_store(store, damaged_to=tmp_path / "there.jsonl")
