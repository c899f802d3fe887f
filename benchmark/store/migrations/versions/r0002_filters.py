"""Columns that filters need, filled from the documents: time, scheme, device instance, tag, validity."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BATCH = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "created_us": sa.BigInteger(),
    "scheme": sa.String(200),
    "instance": sa.String(200),
    "tag": sa.String(200),
    "valid": sa.Boolean(),
}
_RECORDS = sa.table(
    "records",
    sa.column("sequence", sa.Integer()),
    sa.column("kind", sa.String()),
    sa.column("schema_version", sa.Integer()),
    sa.column("created_at", sa.String()),
    sa.column("document", sa.Text()),
    *(sa.column(name, kind) for name, kind in _COLUMNS.items()),
)


def upgrade() -> None:
    """Adds the columns and fills them."""
    for name, kind in _COLUMNS.items():
        op.add_column("records", sa.Column(name, kind))
    _fill(op.get_bind())
    for name in _COLUMNS:
        op.create_index(f"ix_records_{name}", "records", [name])


def _fill(connection: sa.Connection) -> None:
    last = -1
    change = (
        _RECORDS.update()
        .where(_RECORDS.c.sequence == sa.bindparam("row"))
        .values({name: sa.bindparam(name) for name in _COLUMNS})
    )
    query = sa.select(*(_RECORDS.c[name] for name in ("sequence", "kind", "schema_version", "created_at", "document")))
    while rows := connection.execute(
        query.where(_RECORDS.c.sequence > last).order_by(_RECORDS.c.sequence).limit(_BATCH)
    ).all():
        connection.execute(
            change,
            [
                {
                    "row": row.sequence,
                    **_values(row.kind, row.schema_version, row.document),
                    "created_us": _microseconds(row.created_at),
                }
                for row in rows
            ],
        )
        last = rows[-1].sequence


def _values(kind: str, version: int, text: str) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(_COLUMNS)
    if kind != "benchmark":
        return values
    try:
        content = json.loads(text)
        artifact, device = content["artifact"], content["device"]
        if version == 1:
            return values | {"scheme": _text(f"{artifact['target']}-{artifact['precision']}"), "valid": True}
        return values | {
            "scheme": _text(artifact.get("scheme")) or None,
            "instance": _text(device.get("instance")),
            "tag": _text(content.get("tag")),
            "valid": not content.get("invalid"),
        }
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        # A damaged document stays; whoever reads it is told.
        return values


def _text(value: Any) -> str | None:
    # A damaged document may hold anything: what the column cannot keep must not end the migration.
    fits = isinstance(value, str) and len(value) <= 200 and "\0" not in value
    return value if fits and not any("\ud800" <= each <= "\udfff" for each in value) else None


def _microseconds(created_at: str) -> int | None:
    try:
        return (datetime.fromisoformat(created_at) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        return None
