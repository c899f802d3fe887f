"""Where a store is: a SQLite file or an SQLAlchemy URL, how it is connected to, and how its errors read."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.store.locks import lock_holders
from pocketclip.benchmark.store.read_only import copy_into_memory, is_writable, why_not_writable
from pocketclip.models.errors import extra_command
from pocketclip.models.untrusted.printable import printable_path

# How long another program that holds the store is waited for.
BUSY_SECONDS = 30.0
_RETRY_SECONDS = 0.02
_LOCK_NOT_AVAILABLE = "55P03"
_SECRET = re.compile(r"pass|secret|token", re.IGNORECASE)
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
    except (SQLAlchemyError, ValueError):
        # Without the driver's words, and with nothing of what may be a password.
        raise StoreError(
            f"{_without_secrets(location)!r} is not a store: it is not an SQLAlchemy URL",
            fix="give a file name or one such as sqlite:///results/pocketclip.sqlite",
        ) from None


def absolute_location(location: str) -> str:
    """The same store for processes whose working folder is another: of SQLite, a file by its whole path.

    Raises:
        StoreError: it is no URL.
    """
    file = sqlite_file(parse_location(location))
    return location if file is None else str(file.resolve())


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
        raise StoreError(f"the store {printable_path(file)} is a folder", fix="give the name of a file")
    if not create and not file.exists():
        raise StoreError(
            f"there is no store {printable_path(file)}",
            fix="measure an artefact with `bench` first, or give another --store",
        )
    try:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot create the folder of the store {printable_path(file)}: {error.strerror}",
            fix="choose a place you may write to",
        ) from error
    if create and not is_writable(file):
        raise StoreError(
            f"the store {printable_path(file)} cannot be written: {why_not_writable(file)}",
            fix="choose another store with --store",
        )


def make_engine(url: sa.URL, *, read_only: bool = False) -> sa.Engine:
    """An engine, not yet connected; `read_only` leaves a SQLite file in the journal mode it has.

    Where a SQLite file cannot be written, the engine is one of a copy in memory.

    Raises:
        StoreError: there is no such database, or its driver is not installed.
    """
    file = sqlite_file(url)
    copied = file is not None and not is_writable(file)
    options: dict[str, Any] = {}
    if file is not None and copied:
        options = {"creator": lambda: copy_into_memory(file, BUSY_SECONDS), "poolclass": sa.StaticPool}
    try:
        engine = sa.create_engine(url, **options)
    except (SQLAlchemyError, ImportError) as error:
        install = f"install it in PocketCLIP's folder with: {extra_command('postgres')}"
        fix = install if _lacks_postgres_driver(url, error) else None
        raise StoreError(f"cannot use the store {shown(url)}: {reason(error)}", fix=fix) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "connect", _configure_reader if read_only or copied else _configure_writer)
        event.listen(engine, "begin", _begin)
    elif url.get_backend_name() == "postgresql":
        event.listen(engine, "connect", _bound_waits)
    return engine


def writer(engine: sa.Engine) -> sa.Engine:
    """The engine for transactions that write: SQLite locks at their begin, so that what they read stays true."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


@contextmanager
def store_errors(url: sa.URL, verb: str) -> Iterator[None]:
    """Words the errors of a database as `StoreError`."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise StoreError(
            f"cannot {verb} the store {shown(url)}: {error.object!r} is not UTF-8", fix="name it otherwise"
        ) from None
    except SQLAlchemyError as error:
        if _is_busy(error):
            raise StoreError(_busy_words(url, verb)) from error
        advice = (
            "check that the disk has space, that you may write there, and that the file is a PocketCLIP store"
            if url.get_backend_name() == "sqlite"
            else "check that the server is running, that the database exists, and that you may write to it"
        )
        raise StoreError(
            f"cannot {verb} the store {shown(url)}: {reason(error)}; {advice}, or choose another store with --store"
        ) from error


def shown(url: sa.URL) -> str:
    """The store in a message: a file name, or the URL without its passwords."""
    file = sqlite_file(url)
    if file is not None:
        return printable_path(file)
    secrets = {name: "***" for name in url.query if _SECRET.search(name)}
    return url.update_query_dict(secrets).render_as_string(hide_password=True)


def reason(error: BaseException) -> str:
    """The first line of what the database said."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]


def _without_secrets(location: str) -> str:
    hidden = re.sub(r"://.*@", "://***@", location)
    return re.sub(rf"([^?&=]*(?:{_SECRET.pattern})[^=&]*)=[^&]*", r"\1=***", hidden, flags=re.IGNORECASE)


def _is_busy(error: SQLAlchemyError) -> bool:
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(original, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def _busy_words(url: sa.URL, verb: str) -> str:
    file = sqlite_file(url)
    holders = lock_holders(file) if file is not None else []
    by = f" by {', '.join(holders)}" if holders else " by another program"
    return (
        f"cannot {verb} the store {shown(url)}: it is locked{by}, waited {BUSY_SECONDS:g} s for it; "
        "close the other program or wait for it, and run it again"
    )


def _lacks_postgres_driver(url: sa.URL, error: Exception) -> bool:
    return isinstance(error, ImportError) and url.get_backend_name() == "postgresql"


def _leave_transactions_to_us(connection: Any, _: object) -> None:
    # Python's driver begins none before DDL: a migration that breaks off would leave half of itself behind.
    connection.isolation_level = None
    # A text that is not UTF-8 must not hide the records beside it: `decode` names it.
    connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _bound_waits(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {int(1000 * BUSY_SECONDS)}")
    connection.commit()


def _configure_reader(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}")


def _configure_writer(connection: Any, _: object) -> None:
    _configure_reader(connection, _)
    _enter_wal(connection)
    # In WAL mode the default skips the sync at commit: a power cut could take finished records.
    connection.execute("PRAGMA synchronous = FULL")


def _enter_wal(connection: Any) -> None:
    """Of several processes that change the journal's mode at once SQLite refuses all but one, whatever it may wait."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_RETRY_SECONDS)
