"""Opens stores, appends to them, reads them by filters and takes in the records of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from pocketclip.benchmark.errors import RecordError, StoreError
from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.store.batches import MOST_AT_ONCE, batched
from pocketclip.benchmark.store.codec import Record, RecordText, decode, encode, stored_text
from pocketclip.benchmark.store.location import (
    check_file,
    make_engine,
    parse_location,
    shown,
    sqlite_file,
    store_errors,
    writer,
)
from pocketclip.benchmark.store.read_only import is_writable, why_not_writable
from pocketclip.benchmark.store.reading import Reading, read_what_can_be
from pocketclip.benchmark.store.revisions import NEWEST, migrate, read_revision
from pocketclip.benchmark.store.table import RECORDS, microseconds, row_of

_ATTEMPTS = 3
_TEXT_COLUMNS = (RECORDS.c.record_id, RECORDS.c.kind, RECORDS.c.schema_version, RECORDS.c.document)


@dataclass(frozen=True)
class RecordFilter:
    """Which records to read; None takes all. The names are those of the columns.

    `scheme`, `instance`, `accelerator`, `tag` and `valid` are of benchmarks alone; `valid` is whether nothing
    forbids to rank one. `since` needs a time zone; records made then or later fit.
    """

    record_id: str | None = None
    kind: str | None = None
    model: str | None = None
    target: str | None = None
    precision: str | None = None
    scheme: str | None = None
    tower: str | None = None
    device: str | None = None
    instance: str | None = None
    status: str | None = None
    accelerator: str | None = None
    tag: str | None = None
    valid: bool | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Additions:
    """What became of records that were to be added. Those in conflict have the id of a stored one and other content."""

    added: tuple[RecordText, ...]
    present: tuple[RecordText, ...]
    conflicts: tuple[RecordText, ...]


class Store:
    """Records in a database. Use `open_store`."""

    def __init__(self, engine: sa.Engine, *, read_only: bool = False) -> None:
        """`read_only`: the store lies where nothing can be written, and the engine is one of a copy."""
        self._engine = engine
        self._read_only = read_only
        self._writer = writer(engine)

    def append(self, record: Record) -> None:
        """Adds a record; one that is already there is left as it is.

        Raises:
            RecordError: the record does not follow its own schema, or its id belongs to another record.
            StoreError: the database cannot be written.
        """
        if self.add([encode(record)]).conflicts:
            raise RecordError(f"record {record.record_id} is already stored with other content: records never change")

    def add(self, texts: Iterable[RecordText]) -> Additions:
        """Adds records as they were written, all in one transaction; what is stored is never changed.

        Raises:
            RecordVersionError: one was written by a newer version of PocketCLIP; nothing is added.
            RecordError: one cannot be read; nothing is added.
            StoreError: the database cannot be written; nothing is added.
        """
        self._check_writable()
        rows = [(text, row_of(decode(text), text)) for text in texts]
        with store_errors(self._engine.url, "write"):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    return self._add(rows)
                except IntegrityError:
                    # Where reading does not lock, another process may have added one since we looked.
                    if attempt == _ATTEMPTS:
                        raise
        raise AssertionError("the last attempt returns or raises")

    def records(self, wanted: RecordFilter | None = None) -> list[Record]:
        """The records that fit, oldest first.

        Raises:
            RecordVersionError: one was written by a newer version of PocketCLIP.
            RecordError: one cannot be read.
            StoreError: the database cannot be read.
        """
        return [decode(text) for text in self.texts(wanted)]

    def texts(self, wanted: RecordFilter | None = None) -> list[RecordText]:
        """The records that fit as they were written, oldest first.

        Raises:
            StoreError: the database cannot be read.
        """
        query = sa.select(*_TEXT_COLUMNS)
        for item in fields(RecordFilter):
            value = getattr(wanted, item.name) if wanted else None
            if value is not None:
                query = query.where(_condition(item.name, value))
        with store_errors(self._engine.url, "read"), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(RECORDS.c.created_us, RECORDS.c.sequence)).all()
        return [stored_text(*row) for row in rows]

    def read(self, wanted: RecordFilter | None = None) -> Reading:
        """The records that fit and can be read, oldest first, and those that cannot.

        Raises:
            StoreError: the database cannot be read.
        """
        return read_what_can_be(self.texts(wanted))

    def remove(self, damaged: Iterable[RecordText]) -> int:
        """Takes damaged records out, those that are still as they were read; how many there were.

        Raises:
            RecordError: one of them can be read: records never change and are never removed.
            StoreError: the database cannot be written; nothing is removed.
        """
        self._check_writable()
        reading = read_what_can_be(damaged)
        if reading.texts or any(each.newer for each in reading.unreadable):
            raise RecordError("only damaged records may be removed; this version or a newer one can read these")
        removed = 0
        with store_errors(self._engine.url, "write"), self._writer.begin() as connection:
            stored = connection.execute(sa.select(RECORDS.c.sequence, *_TEXT_COLUMNS)).all()
            wanted = {each.text for each in reading.unreadable}
            for sequence, *row in stored:
                if stored_text(*row) in wanted:
                    connection.execute(RECORDS.delete().where(RECORDS.c.sequence == sequence))
                    removed += 1
        return removed

    def count(self) -> int:
        """How many records there are; raises `StoreError` where the database cannot be read."""
        with store_errors(self._engine.url, "read"), self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(RECORDS)).scalar_one()

    def benchmarks(self) -> list[BenchmarkRecord]:
        """All benchmark records, oldest first; see `records`."""
        found = self.records(RecordFilter(kind="benchmark"))
        return [record for record in found if isinstance(record, BenchmarkRecord)]

    def each_benchmark(self) -> Iterator[BenchmarkRecord]:
        """The benchmark records that can be read, oldest first, one after the other: their samples fill no memory.

        Raises:
            StoreError: the database cannot be read.
        """
        query = sa.select(*_TEXT_COLUMNS).where(RECORDS.c.kind == "benchmark")
        query = query.order_by(RECORDS.c.created_us, RECORDS.c.sequence).execution_options(yield_per=MOST_AT_ONCE)
        with store_errors(self._engine.url, "read"), self._engine.connect() as connection:
            for row in connection.execute(query):
                try:
                    found = decode(stored_text(*row))
                except RecordError:
                    # `read` names those.
                    continue
                if isinstance(found, BenchmarkRecord):
                    yield found

    def accuracies(self) -> list[AccuracyRecord]:
        """All accuracy records, oldest first; see `records`."""
        found = self.records(RecordFilter(kind="accuracy"))
        return [record for record in found if isinstance(record, AccuracyRecord)]

    def retrievals(self) -> list[RetrievalRecord]:
        """All retrieval records, oldest first; see `records`."""
        found = self.records(RecordFilter(kind="retrieval"))
        return [record for record in found if isinstance(record, RetrievalRecord)]

    def find(self, record_id: str) -> Record | None:
        """The record of that id, None where there is none; raises as `records` does."""
        found = self.records(RecordFilter(record_id=record_id))
        return found[0] if found else None

    def present(self, record_ids: Iterable[str]) -> set[str]:
        """Those of the ids that a stored record has; raises `StoreError` where the database cannot be read."""
        found: set[str] = set()
        with store_errors(self._engine.url, "read"), self._engine.connect() as connection:
            for some in batched(record_ids):
                query = sa.select(RECORDS.c.record_id).where(RECORDS.c.record_id.in_(some))
                found.update(connection.execute(query).scalars())
        return found

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()

    def _check_writable(self) -> None:
        file = sqlite_file(self._engine.url)
        if self._read_only and file is not None:
            raise StoreError(
                f"the store {shown(self._engine.url)} cannot be written: {why_not_writable(file)}",
                fix="choose another store with --store",
            )

    def _add(self, rows: list[tuple[RecordText, dict[str, Any]]]) -> Additions:
        added: list[RecordText] = []
        present: list[RecordText] = []
        conflicts: list[RecordText] = []
        with self._writer.begin() as connection:
            for text, row in rows:
                stored = connection.execute(
                    sa.select(*_TEXT_COLUMNS).where(RECORDS.c.record_id == text.record_id)
                ).one_or_none()
                if stored is None:
                    connection.execute(RECORDS.insert().values(row))
                    added.append(text)
                elif _same(stored_text(*stored), text):
                    present.append(text)
                else:
                    conflicts.append(text)
        return Additions(tuple(added), tuple(present), tuple(conflicts))


@contextmanager
def open_store(location: str, *, create: bool = True) -> Iterator[Store]:
    """Opens a store by a file name (SQLite) or an SQLAlchemy URL; `create` makes one where there is none.

    A store of an older revision is brought to the newest first. One in a place that cannot be written is read there,
    whatever its revision, and left as it is.

    Raises:
        StoreError: it cannot be opened, there is none, or a newer version of PocketCLIP made it.
    """
    url = parse_location(location)
    file = sqlite_file(url)
    if file is not None:
        check_file(file, create=create)
    engine = make_engine(url)
    store = Store(engine, read_only=file is not None and not is_writable(file))
    try:
        with store_errors(url, "open"):
            with engine.connect() as connection:
                revision = read_revision(connection)
            if revision is None and not create:
                raise StoreError(f"{shown(url)} holds no records", fix="measure an artefact with `bench` first")
            if revision != NEWEST:
                migrate(engine)
        yield store
    finally:
        store.close()


def read_texts(location: str) -> Iterator[RecordText]:
    """The records of a store of any revision in the order they were added, the store left as it is.

    Raises:
        StoreError: it cannot be read, there is none, or a newer version of PocketCLIP made it.
    """
    url = parse_location(location)
    file = sqlite_file(url)
    if file is not None:
        check_file(file, create=False)
    engine = make_engine(url, read_only=True)
    try:
        with store_errors(url, "read"), engine.connect() as connection:
            if read_revision(connection) is None:
                raise StoreError(f"{shown(url)} holds no records: it is not a PocketCLIP store")
            # These columns are in every revision.
            query = sa.select(*_TEXT_COLUMNS).order_by(RECORDS.c.sequence)
            rows = connection.execute(query).all()
    finally:
        engine.dispose()
    for row in rows:
        yield replace(stored_text(*row), origin=location_name(location))


def location_name(location: str) -> str:
    """A store's location as messages show it: without its password."""
    return shown(parse_location(location))


def _same(stored: RecordText, text: RecordText) -> bool:
    """Whether a stored record is the one of a text; a damaged one is no other."""
    try:
        return decode(stored) == decode(text)
    except RecordError:
        return stored.text == text.text


def _condition(name: str, value: Any) -> sa.ColumnElement[bool]:
    if name == "since":
        return RECORDS.c.created_us >= microseconds(value)
    return RECORDS.c[name] == value
