"""Where a store is: a SQLite file or an SQLAlchemy URL, how it is connected to, and how its errors read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from benchmark.errors import StoreError

_BUSY_TIMEOUT_MS = 30_000
# The execution option that holds the statement with which SQLite begins a transaction.
_BEGIN = "pocketclip_sqlite_begin"


def parse_location(location: str) -> sa.URL:
    """The URL of a store; what has no scheme is a SQLite file.

    Raises:
        StoreError: it is no URL.
    """
    if "://" not in location:
        return sa.URL.create("sqlite", database=location)
    try:
        return sa.make_url(location)
    except (SQLAlchemyError, ValueError) as error:
        raise StoreError(
            f"{location!r} is no store: {reason(error)}; give a file name or an SQLAlchemy URL "
            "such as sqlite:///results/pocketclip.sqlite"
        ) from error


def sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite store; None for other databases and for one in memory."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def check_file(file: Path, *, create: bool) -> None:
    """SQLite words a missing or forbidden folder as `unable to open database file`: say which it is.

    Raises:
        StoreError: it is a folder, is not there, or its folder cannot be made.
    """
    if file.is_dir():
        raise StoreError(f"the store {file} is a folder; give the name of a file")
    if not create and not file.exists():
        raise StoreError(f"there is no store {file}; measure something with `bench` first, or give another --store")
    try:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder of the store {file}: {error.strerror}; choose a place you may write to"
        ) from error


def make_engine(url: sa.URL, *, read_only: bool = False) -> sa.Engine:
    """An engine, not yet connected; `read_only` leaves a SQLite file in the journal mode it has.

    Raises:
        StoreError: there is no such database, or its driver is not installed.
    """
    try:
        engine = sa.create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        advice = "; install it with: pip install 'pocketclip[postgres]'" if _lacks_postgres_driver(url, error) else ""
        raise StoreError(f"cannot use the store {shown(url)}: {reason(error)}{advice}") from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "connect", _configure_reader if read_only else _configure_writer)
        event.listen(engine, "begin", _begin)
    return engine


def writer(engine: sa.Engine) -> sa.Engine:
    """The engine for transactions that write: SQLite locks at their begin, so that what they read stays true."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


@contextmanager
def store_errors(url: sa.URL, verb: str) -> Iterator[None]:
    """Words the errors of a database as `StoreError`."""
    try:
        yield
    except SQLAlchemyError as error:
        advice = (
            "check that the disk has room, that you may write there and that the file is a PocketCLIP store"
            if url.get_backend_name() == "sqlite"
            else "check that the server runs, that the database is there and that you may write to it"
        )
        raise StoreError(
            f"cannot {verb} the store {shown(url)}: {reason(error)}; {advice}, or choose another with --store"
        ) from error


def shown(url: sa.URL) -> str:
    """The store in a message: a file name, or the URL without its password."""
    file = sqlite_file(url)
    return url.render_as_string(hide_password=True) if file is None else str(file)


def reason(error: BaseException) -> str:
    """The first line of what the database said."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]


def _lacks_postgres_driver(url: sa.URL, error: Exception) -> bool:
    return isinstance(error, ImportError) and url.get_backend_name() == "postgresql"


def _leave_transactions_to_us(connection: Any, _: object) -> None:
    # Python's driver begins none before DDL: a migration that breaks off would leave half of itself behind.
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _configure_reader(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")


def _configure_writer(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode the default skips the sync at commit: a power cut could take finished records.
    connection.execute("PRAGMA synchronous = FULL")
