"""The table of records as the first version made it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "records",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("record_id", sa.String(36), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("target", sa.String(32)),
        sa.Column("precision", sa.String(32), nullable=False),
        sa.Column("tower", sa.String(16)),
        sa.Column("device", sa.String(200)),
        sa.Column("status", sa.String(16)),
        sa.Column("document", sa.Text, nullable=False),
    )
    for column in ("kind", "model", "target", "device"):
        op.create_index(f"ix_records_{column}", "records", [column])
