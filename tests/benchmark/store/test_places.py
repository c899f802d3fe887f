"""Stores that cannot be written and stores that another program holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from pocketclip.benchmark.commands.report import report_command
from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.store import location as location_module
from pocketclip.benchmark.store import open_store, read_texts
from pocketclip.benchmark.store.locks import lock_holders
from pocketclip.models.terminal import command_line

CASE = Path(__file__).parents[2] / "cases" / "store-on-read-only-disk" / "store.sqlite"
DATA = Path(__file__).parents[2] / "data" / "stores"

ReadOnly = Callable[..., Path]


def results(*arguments: object) -> Any:
    return CliRunner().invoke(results_app, [*map(str, arguments)])


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[ReadOnly]:
    """Puts files into a folder that nobody may write to: a mount for root, permissions for others."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mounted = os.geteuid() == 0
    if (
        mounted
        and subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False).returncode
    ):
        pytest.skip("root may write anywhere, and nothing can be mounted here")

    def put(*files: Path, name: str = "store.sqlite") -> Path:
        for file in files:
            shutil.copyfile(file, folder / (name + file.name.removeprefix(files[0].name)))
        if mounted:
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        else:
            folder.chmod(0o500)
        return folder / name

    yield put
    if mounted:
        subprocess.run(["umount", folder], check=True)
    else:
        folder.chmod(0o700)


def test_a_colleagues_store_is_read(read_only: ReadOnly, tmp_path: Path) -> None:
    """The case `store-on-read-only-disk`: in WAL mode, without the files of that mode."""
    store = read_only(CASE)
    before = store.read_bytes()
    shown = results("--store", store)
    assert shown.exit_code == 0, shown.exception
    assert "946cb3f2" in shown.stdout and "3c526dfc" in shown.stdout
    assert len(results("--store", store, "--format", "jsonl").stdout.splitlines()) == 15
    app = command_line.new_app("report", "")
    app.command()(report_command)
    page = tmp_path / "report.html"
    reported = CliRunner().invoke(app, ["--store", str(store), "--out", str(page)])
    assert reported.exit_code == 0 and "pocketclip_nano" in page.read_text()
    own = tmp_path / "own.sqlite"
    assert "15 added, 0 already stored" in results("merge", store, "--store", own).stderr
    assert store.read_bytes() == before and [path.name for path in store.parent.iterdir()] == ["store.sqlite"]


def test_what_is_not_carried_over_yet_is_read_too(read_only: ReadOnly, tmp_path: Path, make: Any) -> None:
    """A writer that was killed left its newest record in the -wal file, which a read-only SQLite would pass over."""
    source = tmp_path / "source.sqlite"
    record = make.benchmark()
    with open_store(str(source)) as store:
        store.append(record)
        copies = [tmp_path / f"copy.sqlite{suffix}" for suffix in ("", "-wal")]
        for copy in copies:
            shutil.copyfile(f"{source}{copy.name.removeprefix('copy.sqlite')}", copy)
    assert copies[1].stat().st_size > 0
    location = read_only(*copies)
    with open_store(str(location), create=False) as store:
        assert store.records() == [record]
    assert [text.record_id for text in read_texts(str(location))] == [record.record_id]


def test_an_old_store_is_read_where_it_cannot_be_brought_up(read_only: ReadOnly, tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old)) as database:
        database.executescript((DATA / "first-version.sql").read_text())
    location = read_only(old)
    before = location.read_bytes()
    assert len(results("--store", location, "--kind", "benchmark", "--format", "jsonl").stdout.splitlines()) == 2
    assert location.read_bytes() == before


def test_writing_there_says_why_it_cannot(read_only: ReadOnly, tmp_path: Path, make: Any) -> None:
    location = read_only(CASE)
    with (
        pytest.raises(StoreError, match=r"cannot be written: (its file system is read-only|you may not write)"),
        open_store(str(location)),
    ):
        pass
    with open_store(str(location), create=False) as store, pytest.raises(StoreError, match="cannot be written"):
        store.append(make.benchmark())
    missing = results("--store", location.with_name("none.sqlite"))
    assert "there is no store" in str(missing.exception)


HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_store_that_another_program_holds(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location_module, "BUSY_SECONDS", 0.2)
    location = str(tmp_path / "s.sqlite")
    record = make.benchmark()
    with open_store(location) as store:
        store.append(record)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, location], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        started = time.monotonic()
        words = r"cannot (open|write) the store .*: it is locked by .*, waited 0\.2 s"
        with pytest.raises(StoreError, match=words) as caught, open_store(location) as store:
            store.append(make.benchmark())
        assert time.monotonic() - started < 10
        if Path("/proc/locks").exists() and lock_holders(Path(location)):
            assert f"process {holder.pid} (python" in str(caught.value)
        assert "close the other program or wait for it" in str(caught.value) and "disk has space" not in str(
            caught.value
        )
        holder.stdin.close()
    with open_store(location) as store:
        assert store.records() == [record]


def test_a_table_that_another_session_holds(postgres: str, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location_module, "BUSY_SECONDS", 0.2)
    with open_store(postgres) as store:
        store.append(make.benchmark())
    engine = sa.create_engine(postgres, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE records IN ACCESS EXCLUSIVE MODE")
        words = r"it is locked by another program, waited 0\.2 s"
        with pytest.raises(StoreError, match=words), open_store(postgres) as store:
            store.records()
