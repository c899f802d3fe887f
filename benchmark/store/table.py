"""The table of records as the newest revision has it, and what its columns say of a record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.store.codec import Record, RecordText
from pocketclip.benchmark.store.identity import identity

METADATA = sa.MetaData()

# The document alone is the truth; the other columns repeat what filters need. `created_us` are microseconds since
# 1970 in UTC: texts of ISO 8601 sort by the rules of a database's language. `valid` is whether a benchmark met its
# preconditions, `instance` tells devices of one name apart, `accelerator` is the one asked for; all are empty for other
# kinds.
RECORDS = sa.Table(
    "records",
    METADATA,
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
    sa.Column("created_us", sa.BigInteger, index=True),
    sa.Column("scheme", sa.String(200), index=True),
    sa.Column("instance", sa.String(200), index=True),
    sa.Column("tag", sa.String(200), index=True),
    sa.Column("valid", sa.Boolean, index=True),
    sa.Column("accelerator", sa.String(32), index=True),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def row_of(record: Record, written: RecordText) -> dict[str, Any]:
    """The row of a record; `written` is its text, which may be of an older schema."""
    row: dict[str, Any] = {
        **identity(record),
        "schema_version": written.schema_version,
        "created_us": microseconds(datetime.fromisoformat(record.created_at)),
        "document": written.text,
    }
    if isinstance(record, BenchmarkRecord):
        row["status"] = record.status.value
        row["valid"] = not record.invalid
        row["accelerator"] = record.settings.accelerator
    elif isinstance(record, FarmRecord):
        row["status"] = record.status.value
        row["accelerator"] = record.accelerator
    return row
