"""The append-only store of records: one table with indexed identity columns and the whole record as JSON.

SQLite by default, in WAL mode with full syncs: a record is in the store once `append` returns, whatever
happens to the process afterwards. Any other database works by its SQLAlchemy URL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from benchmark.accuracy_records import (
    ACCURACY_SCHEMA_VERSION,
    RETRIEVAL_SCHEMA_VERSION,
    AccuracyRecord,
    RetrievalRecord,
    upgrade_accuracy_v1,
)
from benchmark.errors import RecordError, RecordVersionError, StoreError
from benchmark.records import BENCHMARK_SCHEMA_VERSION, BenchmarkRecord, upgrade_benchmark_v1
from models import documents

DEFAULT_STORE = "results/pocketclip.sqlite"
_BUSY_TIMEOUT_MS = 30_000

_METADATA = sa.MetaData()
_RECORDS = sa.Table(
    "records",
    _METADATA,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("record_id", sa.String(36), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False, index=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("model", sa.String(200), nullable=False, index=True),
    sa.Column("target", sa.String(32), index=True),
    sa.Column("precision", sa.String(32), nullable=False),
    sa.Column("tower", sa.String(16)),
    sa.Column("device", sa.String(200), index=True),
    sa.Column("status", sa.String(16)),
    sa.Column("document", sa.Text, nullable=False),
)

Record = BenchmarkRecord | AccuracyRecord | RetrievalRecord

# kind -> (record class, newest schema version that this code reads)
_KINDS: dict[str, tuple[type[Record], int]] = {
    "benchmark": (BenchmarkRecord, BENCHMARK_SCHEMA_VERSION),
    "accuracy": (AccuracyRecord, ACCURACY_SCHEMA_VERSION),
    "retrieval": (RetrievalRecord, RETRIEVAL_SCHEMA_VERSION),
}

# (kind, schema version) -> what turns the content of such a record into that of the next version
_UPGRADES: dict[tuple[str, int], Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    ("accuracy", 1): upgrade_accuracy_v1,
    ("benchmark", 1): upgrade_benchmark_v1,
}


@dataclass(frozen=True)
class RecordFilter:
    """Which records to read; None takes all. The names are those of the columns."""

    record_id: str | None = None
    kind: str | None = None
    model: str | None = None
    target: str | None = None
    precision: str | None = None
    tower: str | None = None
    device: str | None = None
    status: str | None = None


class Store:
    """Records in a database. Use `open_store`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def append(self, record: Record) -> None:
        """Adds a record; one that is already there is left as it is.

        Raises:
            RecordError: the record does not follow its own schema, or its id belongs to another record.
            StoreError: the database cannot be written.
        """
        text = _to_text(record)
        with _store_errors(self._engine, "write"):
            try:
                with self._engine.begin() as connection:
                    connection.execute(_RECORDS.insert().values(**_columns(record), document=text))
            except IntegrityError:
                with self._engine.connect() as connection:
                    stored = connection.execute(
                        sa.select(_RECORDS.c.kind, _RECORDS.c.schema_version, _RECORDS.c.document).where(
                            _RECORDS.c.record_id == record.record_id
                        )
                    ).one_or_none()
                if stored is None:
                    raise
                if json.loads(_upgraded(*stored)) != json.loads(text):
                    raise RecordError(
                        f"record {record.record_id} is already stored with other content: records never change"
                    ) from None

    def records(self, wanted: RecordFilter | None = None) -> list[Record]:
        """The records that fit, oldest first.

        Raises:
            RecordVersionError: one was written by a newer version of PocketCLIP.
            RecordError: one cannot be read.
            StoreError: the database cannot be read.
        """
        query = sa.select(_RECORDS.c.record_id, _RECORDS.c.kind, _RECORDS.c.schema_version, _RECORDS.c.document)
        for item in fields(RecordFilter):
            value = getattr(wanted, item.name) if wanted else None
            if value is not None:
                query = query.where(_RECORDS.c[item.name] == value)
        with _store_errors(self._engine, "read"), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_RECORDS.c.sequence)).all()
        return [_from_row(*row) for row in rows]

    def benchmarks(self) -> list[BenchmarkRecord]:
        """All benchmark records, oldest first; see `records`."""
        found = self.records(RecordFilter(kind="benchmark"))
        return [record for record in found if isinstance(record, BenchmarkRecord)]

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

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()


@contextmanager
def open_store(location: str, *, create: bool = True) -> Iterator[Store]:
    """Opens a store by a file name (SQLite) or an SQLAlchemy URL; `create` makes one where there is none.

    Raises:
        StoreError: it cannot be opened, or there is none.
    """
    url = _parse_location(location)
    file = _sqlite_file(url)
    if file is not None:
        _check_file(file, create)
    try:
        engine = sa.create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(f"cannot use the store {_shown(url)}: {_reason(error)}") from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    store = Store(engine)
    try:
        with _store_errors(engine, "open"):
            if create:
                _METADATA.create_all(engine)
            elif not sa.inspect(engine).has_table(_RECORDS.name):
                raise StoreError(f"{_shown(url)} holds no records; measure something with `bench` first")
        yield store
    finally:
        store.close()


def _parse_location(location: str) -> sa.URL:
    if "://" not in location:
        return sa.URL.create("sqlite", database=location)
    try:
        return sa.make_url(location)
    except (SQLAlchemyError, ValueError) as error:
        raise StoreError(
            f"{location!r} is no store: {_reason(error)}; give a file name or an SQLAlchemy URL "
            "such as sqlite:///results/pocketclip.sqlite"
        ) from error


def _sqlite_file(url: sa.URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _check_file(file: Path, create: bool) -> None:
    """SQLite words a missing or forbidden folder as `unable to open database file`: say which it is."""
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


def _configure_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # In WAL mode the default skips the sync at commit: a power cut could take finished records.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _columns(record: Record) -> dict[str, Any]:
    common = {
        "record_id": record.record_id,
        "kind": record.kind,
        "schema_version": record.schema_version,
        "created_at": record.created_at,
    }
    if isinstance(record, BenchmarkRecord):
        return common | {
            "model": record.artifact.model,
            "target": record.artifact.target.value,
            "precision": record.artifact.precision.value,
            "tower": record.artifact.tower.value,
            "device": record.device.name,
            "status": record.status.value,
        }
    return common | {
        "model": record.model,
        "target": record.target.value if record.target else None,
        "precision": record.precision.value,
    }


def _to_text(record: Record) -> str:
    try:
        text = json.dumps(documents.to_builtin(record), allow_nan=False)
    except ValueError as error:
        raise RecordError(f"record {record.record_id} cannot be stored: {error}") from error
    # Dataclasses check no types when made in Python; a record must never be stored that cannot be read.
    documents.parse(type(record), text, source=f"record {record.record_id}", error=RecordError)
    return text


def _from_row(record_id: str, kind: str, version: int, text: str) -> Record:
    known = _KINDS.get(kind)
    if known is None or version > known[1]:
        readable = ", ".join(f"{name} up to {newest}" for name, (_, newest) in _KINDS.items())
        raise RecordVersionError(
            f"record {record_id} is of kind {kind!r}, schema version {version}; "
            f"this version reads {readable}: update PocketCLIP"
        )
    return documents.parse(known[0], _upgraded(kind, version, text), source=f"record {record_id}", error=RecordError)


def _upgraded(kind: str, version: int, text: str) -> str:
    """The content of a record brought to the newest schema; the store keeps what was written."""
    while upgrade := _UPGRADES.get((kind, version)):
        try:
            content = json.loads(text)
        except ValueError as error:
            raise RecordError(f"a record of kind {kind!r}, schema version {version}, is not JSON: {error}") from error
        text = json.dumps(upgrade(content))
        version += 1
    return text


@contextmanager
def _store_errors(engine: sa.Engine, verb: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(
            f"cannot {verb} the store {_shown(engine.url)}: {_reason(error)}; check that the disk has room, "
            "that you may write there and that the file is a PocketCLIP store, or choose another with --store"
        ) from error


def _shown(url: sa.URL) -> str:
    return _sqlite_name(url) or url.render_as_string(hide_password=True)


def _sqlite_name(url: sa.URL) -> str | None:
    file = _sqlite_file(url)
    return None if file is None else str(file)


def _reason(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]
