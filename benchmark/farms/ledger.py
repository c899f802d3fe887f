"""What was submitted to farms, on disk: a job outlives this process, and must be paid for once.

An entry is written before anything is submitted, with the token that the job will have at the farm, and once more with
the farm's id of the job. It goes when the records of the job are stored. It holds no credentials.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

from pocketclip.benchmark.errors import FarmError
from pocketclip.benchmark.records.benchmark import utc_now
from pocketclip.benchmark.records.fields import Moment, Text
from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import PlainName, Sha256
from pocketclip.models.user_cache import user_cache


@document
class Entry:
    """One work that may be at a farm; without `job_id` it is not known whether it arrived."""

    key: Sha256
    farm: Text
    label: Text
    token: PlainName
    submitted_at: Moment
    job_id: Text | None = None


class Ledger:
    """The entries of one farm's place, a file for each work."""

    def __init__(self, farm: str, folder: Path | None = None) -> None:
        """`farm` is the place in words; the files are in `folder`, by default in the user's cache."""
        self._farm = farm
        self._folder = folder or user_cache() / "farms"

    def entry(self, key: str) -> Entry | None:
        """What is known of a work.

        Raises:
            FarmError: the file is damaged. It is not overwritten: a paid job may hang on it.
        """
        file = self._file(key)
        if not file.exists():
            return None
        try:
            found = documents.read(Entry, file, error=FarmError)
        except FarmError as error:
            raise FarmError(
                f"{error.what}: whether a job was submitted cannot be told",
                fix=f"look for it at {self._farm}, then remove the file",
            ) from error
        if found.key != key:
            raise FarmError(f"{file} is about another work", fix=f"look for its job at {self._farm}, then remove it")
        return found

    def begin(self, key: str, label: str) -> Entry:
        """A new entry, on disk before the work is submitted."""
        entry = Entry(key, self._farm, label[:200], f"pocketclip-{uuid.uuid4()}", utc_now())
        self._write(entry)
        return entry

    def arrived(self, entry: Entry, job_id: str) -> Entry:
        """The entry with the farm's id of the job."""
        found = replace(entry, job_id=job_id)
        self._write(found)
        return found

    def done(self, entry: Entry) -> None:
        """Its records are stored: the same work is a new job from now on."""
        self._file(entry.key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _write(self, entry: Entry) -> None:
        file = self._file(entry.key)
        with atomic.storage_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(file, json.dumps(documents.to_builtin(entry)))
