"""The append-only store of records: one table with indexed identity columns and the whole record as JSON.

SQLite by default, in WAL mode with full syncs: a record is durable once `append` returns, whatever happens to the
process afterwards. PostgreSQL and other databases work through an SQLAlchemy URL.
"""

from pocketclip.benchmark.store.codec import Record, RecordText, check_texts
from pocketclip.benchmark.store.database import Additions, RecordFilter, Store, open_store, read_texts
from pocketclip.benchmark.store.reading import Reading, Unreadable, future_words, left_out_words, read_what_can_be

__all__ = [
    "Additions",
    "Reading",
    "Record",
    "RecordFilter",
    "RecordText",
    "Store",
    "Unreadable",
    "check_texts",
    "future_words",
    "left_out_words",
    "open_store",
    "read_texts",
    "read_what_can_be",
]
