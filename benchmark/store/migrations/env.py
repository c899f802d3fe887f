"""Read by Alembic: where migrations run. The connection and its transaction are the caller's."""

from alembic import context

from pocketclip.benchmark.store.revisions import VERSION_TABLE
from pocketclip.benchmark.store.table import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
