"""Stores of records: opening and filtering, as records or as a table."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketclip.benchmark.default_store import DEFAULT_STORE

if TYPE_CHECKING:
    import pandas as pd

    from pocketclip.benchmark.store import Reading, Record, RecordFilter, Store

_LOG = logging.getLogger("pocketclip.benchmark")


class RecordStore:
    """The records of a store. Get one from `open_store`."""

    def __init__(self, store: Store, where: str) -> None:
        self._store = store
        self._where = where

    def __len__(self) -> int:
        """How many records the store holds, unreadable ones too."""
        return self._store.count()

    def records(self, **wanted: Any) -> list[Record]:
        """The readable records that match all filters, oldest first; unreadable ones are logged.

        Args:
            wanted: fields of `RecordFilter`: `model`, `target`, `precision`, `scheme`, `tower`, `device`, `instance`,
                `accelerator`, `tag`, `status`, `valid`, `kind`, and `since`: a moment, an age such as `7d` or a
                `timedelta`.

        Raises:
            FilterError: a filter or its value does not exist.
            StoreError: the store cannot be read.
        """
        return list(log_left_out(self.read(**wanted), self._where).records)

    def read(self, **wanted: Any) -> Reading:
        """As `records`, with the documents as they are stored and those that cannot be read; logs nothing."""
        from pocketclip.benchmark.results.filters import make_filter

        return self._store.read(make_filter(wanted, datetime.now(UTC)))

    def frame(self, **wanted: Any) -> pd.DataFrame:
        """The matching benchmark records as a table, one row each: identity, status, median and peak memory.

        Raises:
            MissingPackageError: pandas is not installed.
            FilterError, StoreError: as for `records`.
        """
        from pocketclip.benchmark.results.frame import to_frame

        return to_frame(self.records(**wanted))

    def append(self, record: Record) -> None:
        """Adds a record unless it is already stored. Raises `StoreError`, `RecordError`."""
        self._store.append(record)


@contextmanager
def open_store(location: str | Path = DEFAULT_STORE, *, create: bool = False) -> Iterator[RecordStore]:
    """Opens a store of records; use it as a context manager.

    Args:
        location: a SQLite file or an SQLAlchemy URL.
        create: create the store if it does not exist.

    Raises:
        StoreError: the store does not exist or cannot be opened.
    """
    from pocketclip.benchmark.store import open_store as open_database

    with open_database(str(location), create=create) as store:
        yield RecordStore(store, shown_location(location))


def read_store(location: str | Path, wanted: RecordFilter | None = None) -> Reading:
    """The readable records of a store; the others are logged.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    from pocketclip.benchmark.store import open_store as open_database

    with open_database(str(location), create=False) as store:
        found = store.read(wanted)
    return log_left_out(found, shown_location(location))


def log_left_out(found: Reading, where: str) -> Reading:
    """Logs which records of a store cannot be read, and returns its argument."""
    from pocketclip.benchmark.store import future_words, left_out_words

    for words in (left_out_words(found.unreadable, where), future_words(found.records)):
        if words is not None:
            _LOG.warning("%s", words)
    return found


def shown_location(store: str | Path) -> str:
    """A store's location for messages, without secrets."""
    from pocketclip.benchmark.store.database import location_name

    return location_name(str(store))
