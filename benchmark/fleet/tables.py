"""The tables of a fleet, in the same database as the records: runs, jobs, heads, devices and their health.

They are made where a fleet is first used, and have a version of their own: a store without them is none the worse.
All times are microseconds since 1970 by the database's clock, so that the clocks of heads may differ.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, TypeVar

import sqlalchemy as sa
from annotated_types import Ge, Le

from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.store.location import shown
from pocketclip.models import documents

T = TypeVar("T")

# Up to the last second of the year 9999: each can be written as a date, also where floating point rounds it up.
MicrosecondsSince1970 = Annotated[int, Ge(0), Le(253_402_300_799_000_000)]

METADATA = sa.MetaData()
VERSION = 1

_VERSIONS = sa.Table("pocketclip_fleet_version", METADATA, sa.Column("version", sa.Integer, primary_key=True))

RUNS = sa.Table(
    "fleet_runs",
    METADATA,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("plan_key", sa.String(64), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("begun_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.UniqueConstraint("plan_key", "number"),
)

# `work` is a `BenchWork`; the columns beside it repeat what queries need.
JOBS = sa.Table(
    "fleet_jobs",
    METADATA,
    sa.Column("job_id", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("target", sa.String(265), nullable=False),
    sa.Column("label", sa.String(200), nullable=False),
    sa.Column("work", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("head_id", sa.String(36)),
    sa.Column("device_key", sa.String(64)),
    sa.Column("begun_us", sa.BigInteger),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("reason", sa.Text),
    sa.Index("ix_fleet_jobs_run_state", "run_id", "state"),
    sa.Index("ix_fleet_jobs_head", "head_id"),
)

HEADS = sa.Table(
    "fleet_heads",
    METADATA,
    sa.Column("head_id", sa.String(36), primary_key=True),
    sa.Column("machine", sa.String(64), nullable=False),
    sa.Column("words", sa.String(200), nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),
)

# The latest of each device. `drained` says by whom (`DrainedBy`), None where it is in use.
DEVICES = sa.Table(
    "fleet_devices",
    METADATA,
    sa.Column("device_key", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("words", sa.String(400), nullable=False),
    sa.Column("drained", sa.String(16)),
    sa.Column("reason", sa.String(4000)),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),
)

HEALTH = sa.Table(
    "fleet_health",
    METADATA,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("device_key", sa.String(64), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("healthy", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String(4000), nullable=False),
    sa.Index("ix_fleet_health_device_at", "device_key", "at_us"),
)

# Any number that no other program takes.
_POSTGRES_LOCK = 0x706F636B6666


def make_tables(connection: sa.Connection) -> None:
    """Makes what is missing, within the caller's transaction; of several processes at once, one does.

    Raises:
        StoreError: a newer version of PocketCLIP made them.
    """
    if connection.dialect.name == "postgresql":
        # SQLite has locked the file when the transaction began.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
    found = read_version(connection)
    if found is None:
        METADATA.create_all(connection)
        connection.execute(_VERSIONS.insert().values(version=VERSION))


def read_version(connection: sa.Connection) -> int | None:
    """The version of the tables, None where a store has none.

    Raises:
        StoreError: a newer version of PocketCLIP made them.
    """
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return None
    found = connection.execute(sa.select(sa.func.max(_VERSIONS.c.version))).scalar_one()
    if found != VERSION:
        raise StoreError(
            f"the fleet's tables in {shown(connection.engine.url)} have version {found}; this version reads {VERSION}",
            fix="update PocketCLIP, or give another --store",
        )
    return found


def read_rows(kind: type[T], rows: Iterable[sa.RowMapping], table: sa.Table) -> list[T]:
    """Rows of a table as objects of a dataclass that has their columns' names; somebody else may have written them.

    Raises:
        StoreError: one holds what no fleet writes.
    """
    values = [dict(row) for row in rows]
    return documents.from_values(list[kind], values, source=f"the store's table {table.name}", error=StoreError)


def now_us(connection: sa.Connection) -> int:
    """The database's clock."""
    match connection.dialect.name:
        case "postgresql":
            text = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
        case "sqlite":
            # In the processes' own computer: its clock is theirs.
            return time.time_ns() // 1000
        case _:
            text = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
    return int(connection.execute(sa.text(text)).scalar_one())
