"""One damaged document hides none of the others: they are listed, exported and compared, and it is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark.api import read_store
from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.errors import OptionError, RecordError, StoreError
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.store.codec import encode

Execute = Callable[..., list[tuple[Any, ...]]]


def results(*arguments: object) -> Any:
    return CliRunner().invoke(results_app, [*map(str, arguments)])


@pytest.fixture
def damaged(location: str, execute: Execute, make: Any) -> tuple[str, list[Any]]:
    """A store with three records, the second of them damaged behind its back; and all three as they were."""
    records = [make.benchmark(), make.benchmark(), make.accuracy()]
    with open_store(location) as store:
        for record in records:
            store.append(record)
    text = encode(records[1]).text.replace('"steady_ns": [', f'"steady_ns": [{10**59}, ')
    execute("UPDATE records SET document = :text WHERE record_id = :id", text=text, id=records[1].record_id)
    return location, records


def test_listing_shows_the_rest(damaged: tuple[str, list[Any]], tmp_path: Path) -> None:
    location, records = damaged
    shown = results("--store", location)
    assert shown.exit_code == 0
    assert all(record.record_id[:8] in shown.stdout for record in (records[0], records[2]))
    assert records[1].record_id[:8] not in shown.stdout
    (line,) = shown.stderr.splitlines()
    assert (
        line.startswith("warning: skipped 1 unreadable record in ")
        and records[1].record_id in line
        and "60 digits" in line
    )
    for form in ("json", "jsonl", "csv", "samples"):
        written = results("--store", location, "--format", form)
        assert written.exit_code == 0 and records[0].record_id in written.stdout
        assert f'"{records[1].record_id}"' not in written.stdout
        assert "skipped 1 unreadable record" in written.stderr
    found = read_store(location)
    assert (found.benchmarks, found.accuracies) == ([records[0]], [records[2]])


def test_damaged_ones_are_taken_out_and_kept(damaged: tuple[str, list[Any]], tmp_path: Path) -> None:
    location, records = damaged
    out = tmp_path / "damaged.jsonl"
    found = results("check", "--store", location)
    assert isinstance(found.exception, RecordError) and found.exception.exit_code == 1
    assert "1 of 3 records" in str(found.exception) and records[1].record_id in found.stdout
    refused = results("check", "--remove", "--store", location)
    assert isinstance(refused.exception, OptionError) and "--out FILE" in str(refused.exception)
    removed = results("check", "--remove", "--out", out, "--store", location)
    assert removed.exit_code == 0, removed.exception
    (kept,) = map(json.loads, out.read_text().splitlines())
    assert kept["record_id"] == records[1].record_id and str(10**59) in kept["document"]
    assert isinstance(results("check", "--out", out, "--store", location).exception, OptionError)
    assert results("check", "--store", location).exit_code == 0
    # The sound one of another machine may come back.
    with open_store(location) as store:
        assert store.records() == [records[0], records[2]]
        store.append(records[1])
        assert store.records() == records


def test_what_can_be_read_is_never_removed(location: str, execute: Execute, make: Any, tmp_path: Path) -> None:
    record, newer = make.benchmark(), make.benchmark()
    with open_store(location) as store:
        store.append(record)
        store.append(newer)
        execute("UPDATE records SET schema_version = 9 WHERE record_id = :id", id=newer.record_id)
        for text in store.texts():
            with pytest.raises(RecordError, match="only damaged records may be removed"):
                store.remove([text])
    found = results("check", "--remove", "--out", tmp_path / "o.jsonl", "--store", location)
    assert isinstance(found.exception, RecordError) and "update PocketCLIP" in str(found.exception)
    with open_store(location) as store:
        assert store.count() == 2


def test_merge_and_import_leave_damaged_ones_out_where_asked(
    damaged: tuple[str, list[Any]], make: Any, tmp_path: Path
) -> None:
    location, records = damaged
    goal = str(tmp_path / "goal.sqlite")
    refused = results("merge", location, "--store", goal)
    assert isinstance(refused.exception, RecordError) and "nothing was added" in str(refused.exception)
    found = results("merge", location, "--skip-damaged", "--store", goal)
    assert found.exit_code == 0
    assert "skipped 1 unreadable records; the first: record " + records[1].record_id in found.stderr
    lines = [encode(record).text for record in records]
    for name, content in {
        "a.jsonl": "\n".join([lines[0], lines[1].replace('"tower"', '"tower": "image", "tower"'), "{", lines[2]]),
        "a.json": f"[{lines[0]}, {lines[1].replace('3', 'NaN', 1)}, 7, {lines[2]}]",
    }.items():
        file = tmp_path / name
        file.write_text(content)
        assert isinstance(results("import", file, "--store", tmp_path / "f.sqlite").exception, Exception)
        assert not (tmp_path / "f.sqlite").exists()
        found = results("import", file, "--skip-damaged", "--store", goal)
        if name == "a.jsonl":
            assert found.exit_code == 0, found.exception
            assert "0 added, 2 already stored" in found.stderr
            assert f"skipped 2 unreadable records; the first: {file}, line 2 holds a key twice" in found.stderr
    with open_store(goal) as store:
        assert store.records() == [records[0], records[2]]


@pytest.mark.parametrize(
    "column",
    ["document = X'FF00FE'", "document = 7", "document = CAST(X'22FF22' AS TEXT)", "kind = ''"],
)
def test_rows_that_hold_no_text(tmp_path: Path, make: Any, column: str) -> None:
    """SQLite keeps anything in any column, and bytes that are not UTF-8 in texts."""
    import sqlite3
    from contextlib import closing

    location = str(tmp_path / "s.sqlite")
    first, second = make.benchmark(), make.benchmark()
    with open_store(location) as store:
        store.append(first)
        store.append(second)
    with closing(sqlite3.connect(location)) as database:
        database.execute(f"UPDATE records SET {column} WHERE record_id = ?", (first.record_id,))
        database.commit()
    with open_store(location, create=False) as store:
        found = store.read()
    assert list(found.records) == [second]
    assert [each.text.record_id for each in found.unreadable] == [first.record_id]
    listed = results("--store", location)
    assert listed.exit_code == 0 and first.record_id in listed.stderr
    kept = tmp_path / "kept.jsonl"
    assert results("check", "--remove", "--out", kept, "--store", location).exit_code == (1 if "kind" in column else 0)
    assert kept.exists()


def test_an_old_store_with_a_damaged_document_is_brought_up(first_version: str, execute: Execute) -> None:
    ((identifier, text),) = execute(
        "SELECT record_id, document FROM records WHERE kind = 'benchmark' ORDER BY sequence LIMIT 1"
    )
    content = json.loads(text)
    content["schema_version"] = 2
    content["artifact"]["scheme"] = {"no": "text"}
    content["tag"] = "t" * 500
    content["runtime"]["accelerator_requested"] = "a\0"
    execute(
        "UPDATE records SET document = :text, schema_version = 2 WHERE record_id = :id",
        text=json.dumps(content),
        id=identifier,
    )
    with open_store(first_version) as store:
        found = store.read()
    assert [each.text.record_id for each in found.unreadable] == [identifier]
    assert len(found.records) == 3


@pytest.mark.parametrize("value", ["t" * 201, "a\0b"])
def test_both_databases_refuse_the_same(location: str, make: Any, value: str) -> None:
    from dataclasses import replace

    record = make.benchmark()
    with open_store(location) as store:
        for wrong in (
            replace(record, tag=value),
            replace(record, device=replace(record.device, instance=value)),
            replace(record, artifact=replace(record.artifact, model=value)),
        ):
            with pytest.raises(RecordError, match="must be text without NUL"):
                store.append(wrong)
        store.append(replace(record, tag="t" * 200))
        assert store.count() == 1


@pytest.mark.parametrize(
    "spelled",
    [str.upper, lambda text: f"{{{text}}}", lambda text: f"urn:uuid:{text}", lambda text: text.replace("-", "")],
)
def test_one_record_has_one_spelling_of_its_id(location: str, make: Any, spelled: Callable[[str], str]) -> None:
    record = make.benchmark()
    text = encode(record)
    other = spelled(record.record_id)
    from pocketclip.benchmark.results.json_files import from_jsonl

    (wrong,) = from_jsonl(text.text.replace(record.record_id, other).encode(), "test")
    assert not isinstance(wrong, RecordError)
    with open_store(location) as store:
        store.append(record)
        with pytest.raises(RecordError, match="must be a UUID in lower case with its hyphens"):
            store.add([wrong])
        assert store.count() == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:hunter2@nowhere.invalid/x",
        "postgresql+psycopg://nowhere.invalid/x?password=hunter2",
        "postgresql+psycopg://nowhere.invalid/x?sslpassword=hunter2&application_name=y",
        "oracle9://nowhere/x?Password=hunter2",
        "postgresql://me:hunter2@host:port/x?password=hunter2",
        "://me:hunter2@host?password=hunter2",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    for arguments in (("--store", url), ("merge", url, "--store", url)):
        found = results(*arguments)
        assert isinstance(found.exception, StoreError)
        assert "hunter2" not in str(found.exception) + found.stderr + found.stdout
