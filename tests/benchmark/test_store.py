"""The store keeps what it took, whatever happens to the writer, and words what it cannot do."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmark import cli
from benchmark import store as store_module
from benchmark.errors import RecordError, RecordVersionError, StoreError
from benchmark.record_schemas import FOLDER
from benchmark.records import Status
from benchmark.report.material import Material
from benchmark.report.render import render
from benchmark.store import RecordFilter, open_store
from export.precision import Precision, TargetName

AS_ROOT = os.geteuid() == 0


def test_default_store_is_the_same_for_the_command_line() -> None:
    assert cli.DEFAULT_STORE == store_module.DEFAULT_STORE


def test_append_and_read_back_in_order(tmp_path: Path, make: Any) -> None:
    written = [make.benchmark(), make.accuracy(), make.benchmark(TargetName.TFLITE), make.accuracy(None)]
    with open_store(str(tmp_path / "deep" / "store.sqlite")) as store:
        for record in written:
            store.append(record)
        assert store.records() == written
    with open_store(f"sqlite:///{tmp_path / 'deep' / 'store.sqlite'}", create=False) as store:
        assert store.benchmarks() == [written[0], written[2]]
        assert store.accuracies() == [written[1], written[3]]


def test_filters(tmp_path: Path, make: Any) -> None:
    with open_store(str(tmp_path / "s.sqlite")) as store:
        store.append(make.benchmark(TargetName.ONNX, Precision.FP32))
        store.append(make.benchmark(TargetName.TFLITE, Precision.INT8_STATIC))
        store.append(make.benchmark(TargetName.TFLITE, status=Status.FAILED, reason="crashed"))
        store.append(make.accuracy(TargetName.TFLITE))
        assert len(store.records(RecordFilter(target="tflite"))) == 3
        assert len(store.records(RecordFilter(target="tflite", kind="benchmark"))) == 2
        assert len(store.records(RecordFilter(status="failed"))) == 1
        assert store.records(RecordFilter(device="phone")) == []


def test_append_is_idempotent_and_records_never_change(tmp_path: Path, make: Any) -> None:
    record = make.benchmark()
    with open_store(str(tmp_path / "s.sqlite")) as store:
        store.append(record)
        store.append(record)
        assert len(store.records()) == 1
        with pytest.raises(RecordError, match="already stored with other content"):
            store.append(replace(record, tool_version="9.9"))


def test_record_that_could_not_be_read_is_never_stored(tmp_path: Path, make: Any) -> None:
    record = make.benchmark()
    wrong = replace(record, launches=(replace(record.launches[0], load_ns=-5),))
    endless = replace(record, golden_check=replace(record.golden_check, max_abs=float("inf")))
    with open_store(str(tmp_path / "s.sqlite")) as store:
        for bad in (wrong, endless):
            with pytest.raises(RecordError):
                store.append(bad)
        assert store.records() == []


@pytest.mark.parametrize("column", ["schema_version = 99", "kind = 'energy'"])
def test_newer_records_say_what_to_do(tmp_path: Path, make: Any, column: str) -> None:
    path = tmp_path / "s.sqlite"
    with open_store(str(path)) as store:
        store.append(make.benchmark())
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE records SET {column}")
    with (
        open_store(str(path)) as store,
        pytest.raises(RecordVersionError, match=r"this version reads benchmark up to 2.*update PocketCLIP"),
    ):
        store.records()


def test_missing_store_is_not_made_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(StoreError, match="there is no store"), open_store(str(path), create=False):
        pass
    assert not path.exists()


def test_corrupt_database(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="file is not a database") as caught, open_store(str(path)):
        pass
    assert "\n" not in str(caught.value)


def test_database_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE music (title)")
    with pytest.raises(StoreError, match="holds no records"), open_store(str(path), create=False):
        pass


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"), open_store(str(tmp_path)):
        pass


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match="cannot make the folder"),
        open_store(str(tmp_path / "file" / "s.sqlite")),
    ):
        pass


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with (
            pytest.raises(StoreError, match="unable to open database file"),
            open_store(str(tmp_path / "s.sqlite")),
        ):
            pass
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to stand for a full disk")
def test_full_disk(tmp_path: Path, make: Any) -> None:
    with open_store(str(tmp_path / "s.sqlite")) as store:
        store.append(make.benchmark())
        with store._engine.connect() as connection:  # pyright: ignore[reportPrivateUsage]
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            # SQLite reports its page limit as it does a full disk.
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.commit()
        # More than the page at the end of the file has room for.
        large = make.benchmark(launches=40)
        with pytest.raises(StoreError, match="database or disk is full"):
            store.append(large)
        assert len(store.records()) == 1


@pytest.mark.parametrize(
    ("location", "message"),
    [("oracle9://nowhere", "cannot use the store"), ("://", "is no store")],
)
def test_unusable_url(location: str, message: str) -> None:
    with pytest.raises(StoreError, match=message), open_store(location):
        pass


def test_password_is_not_shown() -> None:
    with pytest.raises(StoreError) as caught, open_store("oracle9://me:secret@nowhere/x"):
        pass
    assert "secret" not in str(caught.value)


WRITER = """
import sys
sys.path.insert(0, {conftest!r})
from conftest import RecordMaker
from benchmark.store import open_store
make = RecordMaker()
with open_store({path!r}) as store:
    while True:
        store.append(make.benchmark())
        print("stored", flush=True)
"""


def test_killed_writer_loses_nothing_it_reported(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "s.sqlite"
    program = WRITER.format(conftest=str(Path(__file__).parent), path=str(path))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(3):
            assert writer.stdout.readline() == "stored\n"
        time.sleep(0.05)
        writer.send_signal(signal.SIGKILL)
        reported = 3 + writer.stdout.read().count("stored")
    with open_store(str(path)) as store:
        assert len(store.records()) >= reported
        store.append(make.benchmark())


def accuracy_v1(target: str | None) -> dict[str, Any]:
    """An accuracy record as the first version wrote it."""
    exported = target is not None
    return {
        "model": "pocketclip_nano",
        "target": target,
        "precision": "fp32",
        "image_sha256": "a" * 64 if exported else None,
        "text_sha256": "b" * 64 if exported else None,
        "weights_sha256": "w" * 64,
        "dataset": "scenes",
        "split": "heldout",
        "samples": 960,
        "classes": 24,
        "correct": 807,
        "accuracy": 807 / 960,
        "accuracy_low": 0.816,
        "accuracy_high": 0.862,
        "chance": 1 / 24,
        "baseline_correct": 816 if exported else None,
        "drop_points": 0.9375 if exported else None,
        "drop_low_points": -0.02 if exported else None,
        "drop_high_points": 1.9 if exported else None,
        "executed_by": "onnxruntime 1.32.0",
        "tool_version": "0.1.0",
        "record_id": "6f1f7dd6-1a11-4f2a-9a57-0000000000a" + str(int(exported)),
        "created_at": "2026-03-01T00:00:00.000000+00:00",
        "kind": "accuracy",
        "schema_version": 1,
    }


def store_text(path: Path, content: dict[str, Any], text: str | None = None) -> None:
    """Puts a record into the store as it stands, as an older version did."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "insert into records (record_id, kind, schema_version, created_at, model, target, precision, document) "
            "values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(content[key] for key in ("record_id", "kind", "schema_version", "created_at")),
                *(content[key] for key in ("model", "target", "precision")),
                text or json.dumps(content),
            ),
        )


def test_accuracy_records_of_schema_1_are_read(tmp_path: Path, make: Any) -> None:
    path, exported = tmp_path / "s.sqlite", accuracy_v1("onnx")
    schema = json.loads((FOLDER / "accuracy-record-v1.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(exported)
    with open_store(str(path)) as store:
        store_text(path, exported)
        store_text(path, accuracy_v1(None))
        store.append(make.accuracy())
        old, own, _ = store.accuracies()
        assert (old.schema_version, old.correct, old.top5_correct, old.dataset_sha256) == (2, 807, None, None)
        assert own.comparison is None
        assert old.comparison is not None
        assert (old.comparison.baseline_correct, old.comparison.drop_points) == (816, 0.9375)
        # It was compared with PyTorch, and not tested.
        assert old.cost == old.comparison
        assert old.comparison.verdict is None
        # Kept as it was written, and known again.
        store.append(old)
        assert len(store.accuracies()) == 3
        assert store.find(old.record_id) == old
        with pytest.raises(RecordError, match="records never change"):
            store.append(replace(old, executed_by="another"))
    render_page(old, own)


def render_page(*records: Any) -> None:
    html = render(Material(accuracies=records))
    assert "84.1" in html
    assert "no loss seen" in html


def test_damaged_records_of_schema_1(tmp_path: Path) -> None:
    for name, content, text in (
        ("a", {key: value for key, value in accuracy_v1("onnx").items() if key != "drop_points"}, None),
        ("b", accuracy_v1("onnx"), "{"),
    ):
        path = tmp_path / f"{name}.sqlite"
        with open_store(str(path)) as store:
            store_text(path, content, text)
            with pytest.raises(RecordError, match=r"drop_points|is not JSON"):
                store.accuracies()


def test_retrieval_records(tmp_path: Path, make: Any) -> None:
    with open_store(str(tmp_path / "s.sqlite")) as store:
        written = [make.retrieval(), make.retrieval(TargetName.ONNX, drop_points=1.0)]
        for record in written:
            store.append(record)
        assert store.retrievals() == written
        assert store.accuracies() == []
