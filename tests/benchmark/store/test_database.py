"""The store gives back what it took, by filters and in order, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.errors import RecordError, RecordVersionError, StoreError
from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.records.validity import InvalidityCode, invalidity
from pocketclip.benchmark.store import Additions, RecordFilter, open_store, read_texts
from pocketclip.benchmark.store.codec import encode
from pocketclip.export.precision import Precision, TargetName

Execute = Callable[..., list[tuple[Any, ...]]]


def test_append_and_read_back_in_order(location: str, make: Any) -> None:
    written = [make.benchmark(), make.accuracy(), make.benchmark(TargetName.TFLITE), make.accuracy(None)]
    with open_store(location) as store:
        for record in written:
            store.append(record)
        assert store.records() == written
        assert store.count() == 4
    with open_store(location, create=False) as store:
        assert store.benchmarks() == [written[0], written[2]]
        assert store.accuracies() == [written[1], written[3]]


def test_file_and_its_url_are_one_store(tmp_path: Path, make: Any) -> None:
    record = make.benchmark()
    with open_store(str(tmp_path / "deep" / "store.sqlite")) as store:
        store.append(record)
    with open_store(f"sqlite:///{tmp_path / 'deep' / 'store.sqlite'}", create=False) as store:
        assert store.records() == [record]


def test_oldest_come_first_however_they_were_added(location: str, make: Any) -> None:
    first, second, third = (make.benchmark() for _ in range(3))
    # The same second, with and without its fraction and in the other spelling of UTC.
    third = replace(third, created_at="2026-03-01T00:02:00.5+00:00")
    second = replace(second, created_at="2026-03-01T00:02:00Z")
    with open_store(location) as store:
        for record in (third, first, second):
            store.append(record)
        assert store.records() == [first, second, third]


def filters_and_counts() -> list[tuple[RecordFilter, int]]:
    """Filters and how many of the records of `test_filters` fit each."""
    return [
        (RecordFilter(), 5),
        (RecordFilter(target="tflite"), 3),
        (RecordFilter(target="tflite", kind="benchmark"), 2),
        (RecordFilter(status="failed"), 1),
        (RecordFilter(device="phone"), 0),
        (RecordFilter(model="pocketclip_nano", precision="int8-static"), 1),
        (RecordFilter(scheme="onnx-fp32-mixed"), 1),
        (RecordFilter(instance="b7"), 1),
        (RecordFilter(tag="v1"), 2),
        (RecordFilter(tag="v1", valid=True), 1),
        (RecordFilter(valid=False), 1),
        (RecordFilter(valid=True), 3),
        (RecordFilter(tower="image"), 4),
    ]


def test_filters(location: str, make: Any) -> None:
    busy = invalidity(InvalidityCode.BUSY, "other programs took 2 cores")
    tagged = make.benchmark(TargetName.ONNX, Precision.FP32)
    tagged = replace(
        tagged,
        tag="v1",
        artifact=replace(tagged.artifact, scheme="onnx-fp32-mixed"),
        device=replace(tagged.device, instance="b7"),
    )
    written = [
        tagged,
        replace(make.benchmark(TargetName.TFLITE, Precision.INT8_STATIC), tag="v1", invalid=(busy,)),
        make.benchmark(TargetName.TFLITE, status=Status.FAILED, reason="crashed"),
        make.accuracy(TargetName.TFLITE),
        make.benchmark(),
    ]
    with open_store(location) as store:
        for record in written:
            store.append(record)
        for wanted, count in filters_and_counts():
            assert len(store.records(wanted)) == count, wanted
        moment = datetime.fromisoformat(written[3].created_at)
        assert store.records(RecordFilter(since=moment)) == written[3:]
        assert store.records(RecordFilter(since=moment + timedelta(microseconds=1))) == written[4:]
        elsewhere = moment.astimezone(timezone(timedelta(hours=-7)))
        assert store.records(RecordFilter(since=elsewhere, kind="accuracy")) == written[3:4]


def test_append_is_idempotent_and_records_never_change(location: str, make: Any) -> None:
    record = make.benchmark()
    with open_store(location) as store:
        store.append(record)
        store.append(record)
        assert len(store.records()) == 1
        with pytest.raises(RecordError, match="already stored with other content"):
            store.append(replace(record, tool_version="9.9"))


def test_record_that_could_not_be_read_is_never_stored(location: str, make: Any) -> None:
    record = make.benchmark()
    wrong = replace(record, launches=(replace(record.launches[0], load_ns=-5),))
    endless = replace(record, golden_check=replace(record.golden_check, max_abs=float("inf")))
    with open_store(location) as store:
        for bad in (wrong, endless):
            with pytest.raises(RecordError):
                store.append(bad)
        assert store.records() == []


@pytest.mark.parametrize("column", ["schema_version = 99", "kind = 'energy'"])
def test_newer_records_say_what_to_do(location: str, make: Any, execute: Execute, column: str) -> None:
    with open_store(location) as store:
        store.append(make.benchmark())
    execute(f"UPDATE records SET {column}")
    with (
        open_store(location) as store,
        pytest.raises(RecordVersionError, match=r"this version reads benchmark up to 5.*update PocketCLIP"),
    ):
        store.records()


def test_row_that_holds_another_record(location: str, make: Any, execute: Execute) -> None:
    record, other = make.benchmark(), make.benchmark()
    with open_store(location) as store:
        store.append(record)
        execute("UPDATE records SET record_id = :id", id=other.record_id)
        with pytest.raises(RecordError, match=f"{other.record_id} holds the content of record {record.record_id}"):
            store.records()


def test_addition_is_whole_or_not_at_all(location: str, make: Any) -> None:
    old, new, foreign = make.benchmark(), make.accuracy(), make.benchmark()
    changed = replace(old, tool_version="9.9")
    with open_store(location) as store:
        store.append(old)
        damaged = replace(encode(foreign), text=encode(foreign).text.replace('"steady_ns": [', '"steady_ns": [-1, '))
        with pytest.raises(RecordError, match=f"record {foreign.record_id} is not a valid"):
            store.add([encode(new), damaged])
        assert store.records() == [old]

        # Twice in one addition is once in the store.
        found = store.add(encode(record) for record in (old, new, changed, new))
        assert found == Additions(
            added=(encode(new),), present=(encode(old), encode(new)), conflicts=(encode(changed),)
        )
        assert store.records() == [old, new]


def test_retrieval_records(location: str, make: Any) -> None:
    with open_store(location) as store:
        written = [make.retrieval(), make.retrieval(TargetName.ONNX, drop_points=1.0)]
        for record in written:
            store.append(record)
        assert store.retrievals() == written
        assert store.accuracies() == []


def test_store_takes_in_another_of_any_database(location: str, tmp_path: Path, make: Any) -> None:
    here, there = make.benchmark(), make.retrieval(TargetName.ONNX, drop_points=1.0)
    other = str(tmp_path / "other.sqlite")
    for place, record in ((location, here), (other, there)):
        with open_store(place) as store:
            store.append(record)
    for source, goal in ((other, location), (location, other)):
        with open_store(goal) as store:
            found = store.add(read_texts(source))
            assert store.records() == [here, there]
        assert {text.record_id for text in (*found.added, *found.present)} == {
            text.record_id for text in read_texts(source)
        }
    with open_store(location) as store:
        first = store.texts()
    with open_store(other) as store:
        assert store.texts() == first


def test_password_is_in_no_message_of_a_merge(postgres: str, make: Any) -> None:
    secret = postgres.replace("tests@", "tests:secret@")
    with open_store(secret) as store:
        store.append(make.benchmark())
    origins = {text.origin for text in read_texts(secret)}
    assert len(origins) == 1 and not any("secret" in origin for origin in origins)


def test_missing_driver_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with (
        pytest.raises(StoreError, match=r"cannot use the store.*pip install -e '\.\[postgres\]'"),
        open_store("postgresql+psycopg://nowhere/x"),
    ):
        pass


def test_server_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="it comes with the extra `postgres`")
    with (
        pytest.raises(StoreError, match=r"cannot open the store postgresql.*check that the server is running"),
        open_store(f"postgresql+psycopg:///x?host={tmp_path}"),
    ):
        pass
