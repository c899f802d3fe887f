"""A record is in the store once `append` returns: writers are killed, and write side by side."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.store.codec import encode

ROUNDS = 4
RECORDS_PER_WRITER = 60
RECORDS_PER_KILLED_WRITER = 200

# Appends the records of a file, says of each that it is stored, and then waits: killed it is at all events.
WRITER = """
import sys
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.store import open_store
from pocketclip.models import documents
lines = open(sys.argv[2]).read().splitlines()
records = [documents.parse(BenchmarkRecord, line, source="test", error=RecordError) for line in lines]
with open_store(sys.argv[1]) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for record in records:
        store.append(record)
        print(record.record_id, flush=True)
    sys.stdin.readline()
"""


class Writer:
    """A process that appends given records as fast as it can, once `go` is called."""

    def __init__(self, location: str, records: list[Any], folder: Path) -> None:
        self.records = {record.record_id: record for record in records}
        file = folder / f"{records[0].record_id}.jsonl"
        file.write_text("".join(encode(record).text + "\n" for record in records))
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, location, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_for(self, count: int) -> list[str]:
        """The ids of the first `count` records, once they are stored."""
        assert self.process.stdout is not None
        return [self.process.stdout.readline().strip() for _ in range(count)]

    def rest(self) -> list[str]:
        """The ids it reported until it ended; a line that was cut off is none."""
        output, _ = self.process.communicate(timeout=60)
        return [line.strip() for line in output.splitlines(keepends=True) if line.endswith("\n")]


def check_integrity(location: str) -> None:
    """SQLite's own check of the file; PostgreSQL was not killed."""
    if "://" not in location:
        with contextlib.closing(sqlite3.connect(location)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
def test_killed_writer_loses_nothing_it_reported(location: str, tmp_path: Path, make: Any) -> None:
    chance = random.Random(5)
    stored: dict[str, Any] = {}
    killed_in_the_middle = 0
    for _ in range(ROUNDS):
        writer = Writer(location, [make.benchmark() for _ in range(RECORDS_PER_KILLED_WRITER)], tmp_path)
        writer.go()
        reported = writer.wait_for(chance.randrange(1, 12))
        # Anywhere within an append: it takes some milliseconds.
        time.sleep(chance.uniform(0, 0.01))
        writer.process.kill()
        reported += writer.rest()
        assert writer.process.returncode == -9
        killed_in_the_middle += len(reported) < RECORDS_PER_KILLED_WRITER
        check_integrity(location)
        with open_store(location, create=False) as store:
            found = {record.record_id: record for record in store.records()}
        # At most one was committed and not reported any more.
        new = found.keys() - stored.keys()
        assert set(reported) <= new and len(new) <= len(reported) + 1
        assert all(found[record_id] == writer.records[record_id] for record_id in new)
        assert stored.items() <= found.items()
        stored = found
    assert killed_in_the_middle
    with open_store(location) as store:
        store.append(make.benchmark())
        assert store.count() == len(stored) + 1


@pytest.mark.slow
def test_writers_at_once_lose_nothing(location: str, tmp_path: Path, make: Any) -> None:
    writers = [Writer(location, [make.benchmark() for _ in range(RECORDS_PER_WRITER)], tmp_path) for _ in range(2)]
    for writer in writers:
        writer.go()
    # Read while they write: what is there is whole.
    with open_store(location, create=False) as store:
        while any(writer.process.poll() is None for writer in writers) and store.count() < RECORDS_PER_WRITER:
            assert len(store.records()) <= 2 * RECORDS_PER_WRITER
    for writer in writers:
        assert writer.rest() == list(writer.records)
        assert writer.process.returncode == 0
    check_integrity(location)
    with open_store(location, create=False) as store:
        found = {record.record_id: record for record in store.records()}
    assert found == writers[0].records | writers[1].records


@pytest.mark.slow
def test_writers_of_the_same_records_at_once(location: str, tmp_path: Path, make: Any) -> None:
    records = [make.benchmark() for _ in range(RECORDS_PER_WRITER)]
    (tmp_path / "other").mkdir()
    writers = [Writer(location, records, folder) for folder in (tmp_path, tmp_path / "other")]
    for writer in writers:
        writer.go()
    for writer in writers:
        assert writer.rest() == [record.record_id for record in records]
        assert writer.process.returncode == 0
    with open_store(location, create=False) as store:
        assert store.count() == len(records)
        assert [json.loads(text.text) for text in store.texts()] == [json.loads(encode(each).text) for each in records]
