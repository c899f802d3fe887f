"""Stores of earlier revisions open as today's, wholly or not at all, and those of later ones are refused."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from pocketclip.benchmark.errors import RecordError, StoreError
from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, new_record_id
from pocketclip.benchmark.store import RecordFilter, open_store, read_texts
from pocketclip.benchmark.store.revisions import MIGRATIONS, NEWEST, REVISIONS, VERSION_TABLE
from pocketclip.benchmark.store.table import METADATA
from pocketclip.models import documents

Execute = Callable[..., list[tuple[Any, ...]]]
OPENERS = 2
IDS = [f"5d3c9d0e-0b7c-4c55-9f1a-00000000000{number}" for number in (1, 2, 3, 4)]


def engine_of(location: str) -> sa.Engine:
    return sa.create_engine(location if "://" in location else f"sqlite:///{location}", poolclass=sa.NullPool)


def columns_of(location: str) -> set[str]:
    return {column["name"] for column in sa.inspect(engine_of(location)).get_columns("records")}


def test_revisions_are_those_of_the_migrations() -> None:
    package, folder = MIGRATIONS.split(":")
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    scripts = ScriptDirectory(str(Path(spec.origin).parent / folder))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_heads() == [NEWEST]


def test_migrations_end_at_the_table_that_the_code_uses(location: str) -> None:
    with open_store(location):
        pass
    with engine_of(location).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize("create", [True, False])
def test_first_version_is_read_as_today(first_version: str, make: Any, execute: Execute, create: bool) -> None:
    before = execute("SELECT record_id, document FROM records ORDER BY sequence")
    with open_store(first_version, create=create) as store:
        benchmark, accuracy, failed, torch = store.records()
        store.append(make.benchmark())
    assert isinstance(benchmark, BenchmarkRecord) and isinstance(failed, BenchmarkRecord)
    assert isinstance(accuracy, AccuracyRecord) and isinstance(torch, AccuracyRecord)
    assert [record.record_id for record in (benchmark, accuracy, failed, torch)] == IDS
    assert (benchmark.schema_version, benchmark.artifact.scheme, benchmark.invalid) == (5, "tflite-int8-static", ())
    assert benchmark.settings.accelerator == "cpu"
    assert [len(launch.steady_ns) for launch in benchmark.launches] == [8, 8]
    assert accuracy.comparison is not None and torch.comparison is None
    after = execute("SELECT record_id, document FROM records ORDER BY sequence")
    assert after[:4] == before and len(after) == 5


@pytest.mark.parametrize("create", [True, False])
def test_second_version_is_read_as_today(second_version: str, make: Any, execute: Execute, create: bool) -> None:
    before = execute("SELECT record_id, document FROM records ORDER BY sequence")
    with open_store(second_version, create=create) as store:
        phone, text, failed, retrieval = store.records()
        store.append(replace(phone, record_id=new_record_id(), settings=replace(phone.settings, accelerator="nnapi")))
        assert store.records(RecordFilter(accelerator="cpu")) == [phone, text, failed]
        assert len(store.records(RecordFilter(accelerator="nnapi"))) == 1
        assert store.records(RecordFilter(tag="v1"))[0] == phone
    assert isinstance(phone, BenchmarkRecord) and isinstance(retrieval, RetrievalRecord)
    assert (phone.schema_version, phone.settings.accelerator, phone.device.soc) == (5, "cpu", "Google Tensor G2")
    assert [launch.during for launch in phone.launches] == [(), ()]
    assert phone.launches[0].before is not None and phone.launches[0].before.thermal_headroom is None
    after = execute("SELECT record_id, document FROM records ORDER BY sequence")
    assert after[:4] == before and len(after) == 5


def test_migration_fills_what_filters_need(first_version: str) -> None:
    with open_store(first_version) as store:
        first = store.records()[0]
        assert store.records(RecordFilter(scheme="tflite-int8-static")) == [first]
        assert [record.record_id for record in store.records(RecordFilter(valid=True))] == [IDS[0], IDS[2]]
        assert store.records(RecordFilter(valid=False)) == []


def test_migration_fills_from_records_of_schema_2(first_version: str, make: Any, execute: Execute) -> None:
    """The first table was in use when records of schema 2 came."""
    record = make.benchmark()
    content = documents.to_builtin(record)
    del content["settings"]["accelerator"]
    content["artifact"]["scheme"], content["device"]["instance"], content["tag"] = "onnx-fp32-passes", "b7", "v1"
    content["schema_version"] = 2
    content["invalid"] = [{"code": "busy", "reason": "other programs took 2 cores", "fix": "stop them"}]
    row = {
        "record_id": record.record_id,
        "kind": "benchmark",
        "schema_version": 2,
        "created_at": record.created_at,
        "model": "pocketclip_nano",
        "precision": "fp32",
        "document": json.dumps(content),
    }
    execute(f"INSERT INTO records ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", **row)
    with open_store(first_version) as store:
        for wanted in (
            RecordFilter(scheme="onnx-fp32-passes"),
            RecordFilter(instance="b7"),
            RecordFilter(tag="v1"),
            RecordFilter(valid=False),
        ):
            assert [found.record_id for found in store.records(wanted)] == [record.record_id]


def test_damaged_record_does_not_keep_a_store_from_opening(first_version: str, execute: Execute) -> None:
    execute("UPDATE records SET document = '{', created_at = 'yesterday' WHERE record_id = :id", id=IDS[0])
    with open_store(first_version) as store:
        assert store.find(IDS[1]) is not None
        with pytest.raises(RecordError, match=f"record {IDS[0]} is not JSON"):
            store.records()


def test_migration_that_breaks_off_leaves_the_store_as_it_was(
    first_version: str, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = execute("SELECT * FROM records ORDER BY sequence")
    # The index of this name is the last thing but four that the migration makes.
    execute("CREATE INDEX ix_records_scheme ON records (record_id)")
    with pytest.raises(StoreError, match=r"cannot open the store.*ix_records_scheme"), open_store(first_version):
        pass
    assert execute("SELECT * FROM records ORDER BY sequence") == before
    assert not sa.inspect(engine_of(first_version)).has_table(VERSION_TABLE)
    execute("DROP INDEX ix_records_scheme")
    with open_store(first_version) as store:
        assert store.count() == 4


@pytest.mark.parametrize("revision", ["0099", None], ids=["newer", "unnamed"])
def test_newer_store_is_refused(location: str, make: Any, execute: Execute, revision: str | None) -> None:
    with open_store(location) as store:
        store.append(make.benchmark())
    execute(f"DELETE FROM {VERSION_TABLE}")
    if revision is not None:
        execute(f"INSERT INTO {VERSION_TABLE} VALUES (:revision)", revision=revision)
    message = rf"has revision {revision or '.none.'}; this version reads up to {NEWEST}: update PocketCLIP"
    with pytest.raises(StoreError, match=message), open_store(location):
        pass
    with pytest.raises(StoreError, match=message):
        list(read_texts(location))


def test_records_of_another_program_are_left_alone(location: str, execute: Execute) -> None:
    execute("CREATE TABLE records (title VARCHAR(20), model VARCHAR(20))")
    for create in (True, False):
        with (
            pytest.raises(StoreError, match=r"a table 'records' that is not PocketCLIP's: it lacks created_at"),
            open_store(location, create=create),
        ):
            pass
    assert columns_of(location) == {"title", "model"}


def test_migrations_of_another_program_are_no_matter(location: str, make: Any, execute: Execute) -> None:
    execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    execute("INSERT INTO alembic_version VALUES ('f00d')")
    with open_store(location) as store:
        store.append(make.benchmark())
    assert execute("SELECT version_num FROM alembic_version") == [("f00d",)]


def test_reading_for_a_merge_changes_nothing(first_version: str, location: str) -> None:
    old = columns_of(first_version)
    content = Path(location).read_bytes() if "://" not in location else None
    texts = list(read_texts(first_version))
    assert [text.record_id for text in texts] == IDS
    assert [text.schema_version for text in texts] == [1, 1, 1, 1]
    assert columns_of(first_version) == old
    if content is not None:
        assert Path(location).read_bytes() == content


OPENER = """
import sys
from pocketclip.benchmark.store import open_store
print("ready", flush=True)
sys.stdin.readline()
with open_store(sys.argv[1]) as store:
    print(store.count(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("state", ["first version", "none"])
def test_processes_that_open_at_once(request: pytest.FixtureRequest, location: str, state: str) -> None:
    if state == "first version":
        request.getfixturevalue("first_version")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, location],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(OPENERS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60) for process in processes]
    count = "4\n" if state == "first version" else "0\n"
    assert outputs == [(count, "")] * OPENERS
    with open_store(location, create=False) as store:
        assert store.count() == int(count)


def test_up_to_date_store_opens_without_alembic(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sqlite")
    with open_store(path):
        pass
    program = "import sys; from pocketclip.benchmark.store import open_store\n"
    program += "with open_store(sys.argv[1]): print('alembic' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_store_in_memory(make: Any) -> None:
    with open_store("sqlite://") as store:
        assert store.records() == []
        store.append(make.benchmark())
        assert store.count() == 1
