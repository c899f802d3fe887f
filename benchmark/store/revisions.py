"""Revisions of the database: which one a store has, and how it is brought to the newest.

Revision history (each is a file in `migrations/versions`):
  0001: first version; stores of that time do not name their revision.
  0002: columns created_us, scheme, instance, tag and valid, filled from the documents.
  0003: column accelerator, filled from the documents.

An up-to-date store is told by one query; Alembic is imported only where there is something to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.store.location import shown, writer

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003")
NEWEST = REVISIONS[-1]
# A name of our own: the database may hold another program's migrations too.
VERSION_TABLE = "pocketclip_revision"
MIGRATIONS = "pocketclip.benchmark.store:migrations"

_TABLE = "records"
_FIRST_COLUMNS = {
    *("sequence", "record_id", "kind", "schema_version", "created_at", "document"),
    *("model", "target", "precision", "tower", "device", "status"),
}
# Any number that no other program takes.
_POSTGRES_LOCK = 0x706F636B6574


def read_revision(connection: sa.Connection) -> str | None:
    """The revision of a store, None where the database holds none.

    Raises:
        StoreError: a newer version of PocketCLIP made it, or its table of records is another program's.
    """
    inspector = sa.inspect(connection)
    if inspector.has_table(VERSION_TABLE):
        revisions = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
        if len(revisions) != 1 or revisions[0] not in REVISIONS:
            raise StoreError(
                f"the store {shown(connection.engine.url)} has revision {', '.join(revisions) or '(none)'}; "
                f"this version reads up to {NEWEST}: update PocketCLIP, or give another --store"
            )
        return revisions[0]
    if not inspector.has_table(_TABLE):
        return None
    if missing := _FIRST_COLUMNS - {column["name"] for column in inspector.get_columns(_TABLE)}:
        raise StoreError(
            (
                f"{shown(connection.engine.url)} has a table {_TABLE!r} that is not PocketCLIP's: it lacks "
                f"{', '.join(sorted(missing))}"
            ),
            fix="give another --store",
        )
    return REVISIONS[0]


def migrate(engine: sa.Engine) -> None:
    """Brings a store to the newest revision, and makes one where there is none: wholly or not at all.

    Of several processes that open a store at once, one does it and the others wait.
    """
    from alembic import command

    with writer(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            # SQLite has locked the file when the transaction began.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
        found = read_revision(connection)
        if found == NEWEST:
            return
        config = migration_config(connection)
        if found is not None and not sa.inspect(connection).has_table(VERSION_TABLE):
            command.stamp(config, found)
        command.upgrade(config, "head")


def migration_config(connection: sa.Connection) -> Config:
    """What Alembic's commands need to work on a connection, within its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    return config
