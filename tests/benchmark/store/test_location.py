"""Places where no store can be: what the message says, and that nothing is left behind."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.store import open_store

AS_ROOT = os.geteuid() == 0


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
        pytest.raises(StoreError, match="cannot create the folder"),
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
    [("oracle9://nowhere", "cannot use the store"), ("://", "is not a store")],
)
def test_unusable_url(location: str, message: str) -> None:
    with pytest.raises(StoreError, match=message), open_store(location):
        pass


def test_password_is_not_shown() -> None:
    with pytest.raises(StoreError) as caught, open_store("oracle9://me:secret@nowhere/x"):
        pass
    assert "secret" not in str(caught.value)
