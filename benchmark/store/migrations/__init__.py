"""Migrations of the store, run by Alembic within the transaction of `benchmark.store.revisions.migrate`."""
