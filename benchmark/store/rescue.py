"""A finished record is never lost to a database that fails: it goes to a file from which it can be imported."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pocketclip.benchmark.errors import StoreError
from pocketclip.benchmark.store.codec import Record, encode
from pocketclip.benchmark.store.location import parse_location, sqlite_file
from pocketclip.models import atomic
from pocketclip.models.errors import StorageError


def save_beside(record: Record, location: str) -> Path:
    """Writes a record that the store did not take to a file of its own, which `results import` reads.

    It lies beside a SQLite store, else in the working folder; where neither can be written, in the system's folder
    for temporary files.

    Raises:
        RecordError: the record does not follow its own schema.
        StoreError: none of these places can be written.
    """
    content = encode(record).text + "\n"
    file = sqlite_file(parse_location(location))
    name = f"pocketclip-record-{record.record_id}.json"
    for folder in ((file.parent if file else Path()), Path(tempfile.gettempdir())):
        try:
            atomic.write_text(folder / name, content)
            return folder / name
        except StorageError:
            continue
    raise StoreError(f"record {record.record_id} can neither be stored nor written to a file", fix="free some space")
