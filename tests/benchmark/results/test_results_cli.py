"""`pocketclip results` from outside: what it lists, writes, takes in and refuses."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.errors import (
    FilterError,
    RecordConflictError,
    RecordError,
    RecordVersionError,
    ResultsFileError,
    StoreError,
)
from pocketclip.benchmark.report.selection import select
from pocketclip.benchmark.store import RecordText, open_store
from pocketclip.benchmark.store.codec import decode, encode
from pocketclip.models.errors import StorageError

Results = Callable[..., Any]
DATA = Path(__file__).parents[2] / "data" / "stores"


def ids(listed: str) -> list[str]:
    return [record["record_id"] for record in json.loads(listed)["records"]]


def contents(location: str) -> list[RecordText]:
    with open_store(location, create=False) as store:
        return store.texts()


def test_table(results: Results, filled: str, texts: list[RecordText]) -> None:
    shown = results("--store", filled)
    assert shown.exit_code == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    rows = [next(line for line in lines if line.startswith(text.record_id[:8])) for text in texts]
    assert [lines.index(row) for row in rows] == sorted(lines.index(row) for row in rows)
    for row, words in zip(
        rows,
        [
            ("2026-02-01 00:00", "PyTorch fp32", "84.1 %"),
            ("2026-03-01 00:00", "onnx-fp32", "image", "host", "measured", "ms"),
            ("tflite-int8", "text", "invalid: busy", "ms"),
            ("coreml-fp32", "parity-only"),
            ("failed",),
            ("emulator-arm64", "counted", "5.00 M instr."),
            ("both", "accuracy", "90.0 %"),
            ("retrieval", "40.0 % R@1"),
        ],
        strict=True,
    ):
        for word in words:
            assert word in row.replace("\N{NO-BREAK SPACE}", " "), (word, row)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), range(8)),
        (("--kind", "accuracy"), (0, 6)),
        (("--target", "tflite"), (2,)),
        (("--target", "onnx", "--kind", "benchmark"), (1, 4, 5)),
        (("--precision", "int8-static"), (2,)),
        (("--scheme", "tflite-int8-static-mixed"), (2,)),
        (("--tower", "text"), (2,)),
        (("--device", "emulator-arm64"), (5,)),
        (("--instance", "b7"), (2,)),
        (("--tag", 'v1, "final"\nof März'), (2,)),
        (("--status", "counted"), (5,)),
        (("--valid", "--status", "measured"), (1,)),
        (("--invalid",), (2,)),
        (("--since", "2026-03-01T00:05"), (6, 7)),
        (("--since", "2026-03-01T02:05+02:00", "--kind", "retrieval"), (7,)),
        (("--model", "pocketclip_nano", "--since", "2026-02-15", "--kind", "accuracy"), (6,)),
    ],
)
def test_filters(
    results: Results, filled: str, texts: list[RecordText], arguments: tuple[str, ...], expected: Any
) -> None:
    shown = results("--store", filled, "--format", "json", *arguments)
    assert ids(shown.stdout) == [texts[index].record_id for index in expected]


def test_nothing_fits(results: Results, filled: str) -> None:
    shown = results("--store", filled, "--model", "other")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr == f"no record matches; {filled} holds 8\n"
    assert ids(results("--store", filled, "--model", "other", "--format", "json").stdout) == []


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_file_and_back(results: Results, filled: str, texts: list[RecordText], tmp_path: Path, form: str) -> None:
    file, other = tmp_path / f"results.{form}", str(tmp_path / "new" / "other.sqlite")
    written = results("--store", filled, "--out", file)
    assert (written.exit_code, written.stdout) == (0, "")
    assert written.stderr == f"wrote {file}: 8 of 8 records\n"
    assert results("--store", filled, "--format", form).stdout == file.read_text()
    assert results("import", file, "--store", other).stderr == f"{file}: 8 added, 0 already stored, 0 in conflict\n"
    assert contents(other) == texts
    # Again, and in a file of a format that its name does not say.
    again = results("import", file, file, "--store", other)
    assert again.stderr == f"{file}: 0 added, 16 already stored, 0 in conflict\n"
    forced = tmp_path / "results.txt"
    assert results("--store", filled, "--out", forced, "--format", form).exit_code == 0
    assert forced.read_text() == file.read_text()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--kind", "energy"), FilterError, "choose among: benchmark, accuracy, retrieval"),
        (("--target", "openvino"), FilterError, "choose among: onnx"),
        (("--precision", "int2"), FilterError, "choose among: fp32"),
        (("--tower", "audio"), FilterError, "choose among: image, text"),
        (("--status", "good"), FilterError, "choose among: measured, counted, parity-only, failed"),
        (("--since", "yesterday"), FilterError, "is not a time"),
        (("--format", "xml"), ResultsFileError, "choose among: table, json, jsonl, csv, samples"),
        (("--out", "results.xml"), ResultsFileError, r"its name must end in one of \.json"),
        (("--out", "results.txt", "--format", "table"), ResultsFileError, "is only for the terminal"),
        (("--out", "/dev/null/results.csv"), StorageError, "cannot write"),
        (("import", "results.xml"), ResultsFileError, "nothing was added"),
        (("import", "nowhere.json"), ResultsFileError, "cannot read nowhere.json.*nothing was added"),
        (("--tag", "v1", "import", "results.json"), FilterError, "--tag has no effect before a command"),
    ],
)
def test_requests_that_cannot_be_met(
    results: Results, filled: str, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    named = arguments if "import" in arguments else ("--store", filled, *arguments)
    found = results(*named)
    assert isinstance(found.exception, error)
    assert found.exception.exit_code == 2
    assert found.stdout == ""
    with pytest.raises(error, match=message):
        raise found.exception


def test_store_before_a_command_is_refused(results: Results, filled: str) -> None:
    found = results("--store", filled, "import", "results.json")
    assert isinstance(found.exception, FilterError)
    assert "write it after: results import ... --store" in str(found.exception)


@pytest.mark.parametrize("command", ["import", "merge"])
def test_damage_leaves_the_store_as_it_was(
    results: Results, filled: str, texts: list[RecordText], make: Any, tmp_path: Path, command: str
) -> None:
    new, bad = encode(make.benchmark()), encode(make.benchmark())
    bad = replace(bad, text=bad.text.replace('"steady_ns": [', '"steady_ns": [-1, '))
    good_source, bad_source = (
        str(tmp_path / f"{name}.{'jsonl' if command == 'import' else 'sqlite'}") for name in "gb"
    )
    if command == "import":
        Path(good_source).write_text(new.text)
        Path(bad_source).write_text(bad.text)
    else:
        for source, text in ((good_source, new), (bad_source, bad)):
            with open_store(source) as store:
                store.add([new if text is bad else text])
        with closing(sqlite3.connect(bad_source)) as database:
            database.execute("UPDATE records SET document = ?, record_id = ?", (bad.text, bad.record_id))
            database.commit()
    for location in (filled, str(tmp_path / "fresh.sqlite")):
        found = results(command, good_source, bad_source, "--store", location)
        assert isinstance(found.exception, RecordError)
        assert found.exception.exit_code == 1
        for part in (bad.record_id, bad_source, "steady_ns", "nothing was added"):
            assert part in str(found.exception)
    assert contents(filled) == texts
    assert not (tmp_path / "fresh.sqlite").exists()


def test_newer_record_in_a_source(results: Results, filled: str, make: Any, tmp_path: Path) -> None:
    source = str(tmp_path / "newer.sqlite")
    with open_store(source) as store:
        store.append(make.benchmark())
    with closing(sqlite3.connect(source)) as database:
        database.execute("UPDATE records SET schema_version = 9")
        database.commit()
    found = results("merge", source, "--store", filled)
    assert isinstance(found.exception, RecordVersionError)
    assert f"in {source} is of kind 'benchmark', schema version 9" in str(found.exception)


def test_merge(results: Results, filled: str, texts: list[RecordText], make: Any, tmp_path: Path) -> None:
    own, changed = encode(make.benchmark()), encode(replace(decode(texts[1]), tool_version="9.9"))
    first, second, old = (str(tmp_path / f"{name}.sqlite") for name in ("first", "second", "old"))
    for location, held in ((first, [own, texts[2]]), (second, [own, changed, texts[3]])):
        with open_store(location) as store:
            store.add(held)
    with closing(sqlite3.connect(old)) as database:
        database.executescript((DATA / "first-version.sql").read_text())
    before = {name: Path(name).read_bytes() for name in (old,)}

    found = results("merge", first, old, "--store", filled)
    assert found.exit_code == 0
    assert found.stderr.splitlines() == [
        f"{first}: 1 added, 1 already stored, 0 in conflict",
        f"{old}: 4 added, 0 already stored, 0 in conflict",
    ]
    assert Path(old).read_bytes() == before[old]
    after = contents(filled)
    assert len(after) == 13 and own in after and all(text in after for text in texts)

    found = results("merge", second, "--store", filled)
    assert isinstance(found.exception, RecordConflictError)
    assert found.exception.exit_code == 1
    assert found.stderr.splitlines() == [
        f"{second}: 0 added, 2 already stored, 1 in conflict",
        f"conflict: record {changed.record_id} in {second} differs from the record with that id in {filled}",
    ]
    assert contents(filled) == after


def test_merge_adds_what_is_in_no_conflict(
    results: Results, filled: str, texts: list[RecordText], make: Any, tmp_path: Path
) -> None:
    own, changed = encode(make.benchmark()), encode(replace(decode(texts[1]), tool_version="9.9"))
    source = str(tmp_path / "source.sqlite")
    with open_store(source) as store:
        store.add([changed, own])
    found = results("merge", source, "--store", filled)
    assert "1 added, 0 already stored, 1 in conflict" in found.stderr
    assert isinstance(found.exception, RecordConflictError)
    assert contents(filled) == [*texts, own]


def test_merge_of_nothing(results: Results, filled: str, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.sqlite"
    found = results("merge", tmp_path / "nowhere.sqlite", "--store", fresh)
    assert isinstance(found.exception, StoreError)
    assert "there is no store" in str(found.exception) and "nothing was added" in str(found.exception)
    assert not fresh.exists()
    assert results("merge", filled, "--store", filled).stderr == f"{filled}: 0 added, 8 already stored, 0 in conflict\n"


def test_program(pocketclip: Any, error_line: Any, filled: str, tmp_path: Path) -> None:
    listed = pocketclip("results", "--store", filled, "--format", "jsonl")
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, 8)
    (tmp_path / "cut.json").write_text(listed.stdout[:100])
    failed = pocketclip("results", "import", tmp_path / "cut.json", "--store", filled)
    assert failed.returncode == 2
    assert error_line(failed).endswith("export it again; nothing was added")
    shown = pocketclip("results", "--help")
    assert all(word in shown.stdout for word in ("import", "merge", "--since", "--format"))


def test_a_clock_in_the_future_hides_nothing(results: Results, make: Any, tmp_path: Path) -> None:
    """Its record is shown and marked; a report takes the one made since."""
    wrong, since = replace(make.benchmark(), created_at="2999-01-01T00:00:00+00:00"), make.benchmark()
    new = replace(since.artifact, weights_sha256="5" * 64)
    since = replace(since, artifact=new)
    location = str(tmp_path / "s.sqlite")
    with open_store(location) as store:
        store.append(wrong)
        store.append(since)
        found = store.read()
    shown = results("--store", location)
    assert "2999-01-01 00:00 (future)" in shown.stdout
    assert f"1 of 2 records are dated in the future, the first: record {wrong.record_id}" in shown.stderr
    assert found.benchmarks == [wrong, since]
    (selection,) = select(found.benchmarks, [])
    assert selection.benchmarks == (since,)


def test_escape_sequences_do_not_reach_the_terminal(results: Results, make: Any, tmp_path: Path) -> None:
    record = make.benchmark()
    record = replace(record, tag="\x1b]0;owned\x07[/red]", device=replace(record.device, name="\x1b[2Jpixel"))
    location = str(tmp_path / "s.sqlite")
    with open_store(location) as store:
        store.append(record)
    shown = results("--store", location)
    assert shown.exit_code == 0 and "\x1b" not in shown.stdout
    assert r"\x1b" in shown.stdout and "[/red]" in "".join(shown.stdout.split())


@pytest.mark.parametrize("form", ["csv", "samples", "jsonl"])
def test_a_terminal_gets_escapes_where_a_pipe_gets_the_text(
    results: Results, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    store = str(tmp_path / "s.sqlite")
    record = make.benchmark()
    with open_store(store) as opened:
        opened.append(replace(record, device=replace(record.device, name="pixel\x1b[2J7")))
    piped = results("--store", store, "--format", form).stdout
    assert ("\x1b[2J" in piped) is (form != "jsonl")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    results_app(["--store", store, "--format", form], standalone_mode=False)
    shown = sys.stdout.getvalue()
    assert "\x1b" not in shown
    assert ("pixel\\x1b[2J7" in shown) is (form != "jsonl")
