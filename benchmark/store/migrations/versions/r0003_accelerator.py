"""A column for the accelerator that was asked for, filled from the documents."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BATCH = 200
_RECORDS = sa.table(
    "records",
    sa.column("sequence", sa.Integer()),
    sa.column("kind", sa.String()),
    sa.column("document", sa.Text()),
    sa.column("accelerator", sa.String(32)),
)


def upgrade() -> None:
    """Adds the column and fills it."""
    op.add_column("records", sa.Column("accelerator", sa.String(32)))
    _fill(op.get_bind())
    op.create_index("ix_records_accelerator", "records", ["accelerator"])


def _fill(connection: sa.Connection) -> None:
    last = -1
    change = (
        _RECORDS.update()
        .where(_RECORDS.c.sequence == sa.bindparam("row"))
        .values({"accelerator": sa.bindparam("accelerator")})
    )
    query = sa.select(_RECORDS.c.sequence, _RECORDS.c.document).where(_RECORDS.c.kind == "benchmark")
    while rows := connection.execute(
        query.where(_RECORDS.c.sequence > last).order_by(_RECORDS.c.sequence).limit(_BATCH)
    ).all():
        connection.execute(change, [{"row": row.sequence, "accelerator": _asked(row.document)} for row in rows])
        last = rows[-1].sequence


def _asked(text: str) -> Any:
    try:
        # In records of schema 1 and 2 it is here alone; in later ones it is the same as in the settings.
        found = json.loads(text)["runtime"]["accelerator_requested"]
    except (ValueError, RecursionError, KeyError, TypeError):
        # A damaged document stays; whoever reads it is told.
        return None
    fits = isinstance(found, str) and "\0" not in found and not any("\ud800" <= each <= "\udfff" for each in found)
    return found[:32] if fits else None
