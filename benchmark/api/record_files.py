"""Records outside their store: writing them to files, adding those of files and of other stores, checking a store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketclip.benchmark.api.stores import log_left_out, open_store, shown_location
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import BenchmarkError, OptionError, ResultsFileError

if TYPE_CHECKING:
    from pocketclip.benchmark.results.files import FileFormat
    from pocketclip.benchmark.store import Additions, RecordText, Unreadable

Paths = Sequence[str | Path] | str | Path


@dataclass(frozen=True)
class ImportedRecords:
    """What became of records that were to be added. `skipped` has a reason for each unreadable one."""

    additions: Additions
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoreCheck:
    """What a store holds: how many records, those that cannot be read, and how many of these were removed."""

    total: int
    unreadable: tuple[Unreadable, ...]
    removed: int = 0

    @property
    def damaged(self) -> tuple[Unreadable, ...]:
        """Unreadable records that no newer version wrote; only these can be removed."""
        return tuple(each for each in self.unreadable if not each.newer)


def write_records(
    path: str | Path, *, store: str | Path = DEFAULT_STORE, form: FileFormat | str | None = None, **wanted: Any
) -> int:
    """Writes a store's matching records to a file, whole, with every sample; returns how many.

    Args:
        path: the file to write; without `form`, its suffix (`.json`, `.jsonl`, `.csv`) sets the format.
        store: a SQLite file or an SQLAlchemy URL.
        form: `json`, `jsonl`, `csv` (a row for each record) or `samples` (CSV, a row for each steady sample).
        wanted: filters, as for `RecordStore.records`.

    Raises:
        ResultsFileError: the format does not exist.
        FilterError: a filter or its value does not exist.
        StoreError, StorageError: the store cannot be read, or the file cannot be written.
    """
    from pocketclip.models import atomic

    chosen = file_format(form, Path(path))
    with open_store(store) as opened:
        found = opened.read(**wanted)
    atomic.write_text(Path(path), render_records(found.texts, chosen))
    log_left_out(found, shown_location(store))
    return len(found.texts)


def import_records(files: Paths, *, store: str | Path = DEFAULT_STORE, skip_damaged: bool = False) -> ImportedRecords:
    """Adds records from files to a store: all of them, or none if one cannot be read.

    A record that is already stored stays as it is. One whose id is stored with other content is in
    `additions.conflicts`.

    Args:
        files: files of `write_records`: `.json`, `.jsonl` or `.csv`.
        store: a SQLite file or an SQLAlchemy URL; it is created if it does not exist.
        skip_damaged: skip unreadable records instead of adding nothing.

    Raises:
        ResultsFileError, RecordError, RecordVersionError: a file or a record cannot be read; nothing was added.
        StoreError: the store cannot be written; nothing was added.
    """
    from pocketclip.benchmark.results.files import read_results

    skipped: list[str] = []
    with _nothing_added():
        # Read before the store is opened: damaged files must not create one.
        skip = (lambda error: skipped.append(str(error))) if skip_damaged else None
        texts = [text for path in _paths(files) for text in read_results(Path(path), skip)]
        return ImportedRecords(_add(texts, store), tuple(skipped))


def merge_records(sources: Paths, *, store: str | Path = DEFAULT_STORE, skip_damaged: bool = False) -> ImportedRecords:
    """Adds records from other stores to one: all of them, or none if one cannot be read. The others stay unchanged.

    Args:
        sources: SQLite files or SQLAlchemy URLs, also of stores of older versions.
        store: where to add them; it is created if it does not exist.
        skip_damaged: skip unreadable records instead of adding nothing.

    Raises:
        StoreError, RecordError, RecordVersionError: as for `import_records`; nothing was added.
    """
    from pocketclip.benchmark.store import check_texts, read_texts, read_what_can_be

    with _nothing_added():
        if skip_damaged:
            reading = read_what_can_be(text for each in _paths(sources) for text in read_texts(str(each)))
            return ImportedRecords(_add(reading.texts, store), tuple(each.reason for each in reading.unreadable))
        texts = [text for each in _paths(sources) for text in check_texts(read_texts(str(each)))]
        return ImportedRecords(_add(texts, store))


def check_store(
    store: str | Path = DEFAULT_STORE, *, damaged_to: str | Path | None = None, remove: bool = False
) -> StoreCheck:
    """Reads every record of a store and names those that cannot be read.

    Args:
        store: a SQLite file or an SQLAlchemy URL.
        damaged_to: write damaged records to this new file, unchanged, one line of JSON each.
        remove: remove them from the store. Records of a newer version are never removed.

    Raises:
        OptionError: `remove` without `damaged_to`, or that file exists.
        StoreError, StorageError: the store cannot be read or written, or the file cannot be written.
    """
    from pocketclip.benchmark.store import open_store as open_database
    from pocketclip.models import atomic

    if remove and damaged_to is None:
        raise OptionError(
            "--remove needs a file for the records that it removes", fix="name a new file with --out FILE"
        )
    if damaged_to is not None and Path(damaged_to).exists():
        raise OptionError(f"--out {damaged_to} already exists", fix="name another file, so that nothing is overwritten")
    with open_database(str(store), create=False) as opened:
        found = StoreCheck(opened.count(), tuple(opened.read().unreadable))
        if damaged_to is not None:
            atomic.write_text(Path(damaged_to), "".join(f"{_kept(each)}\n" for each in found.damaged))
        removed = opened.remove(each.text for each in found.damaged) if remove and found.damaged else 0
    return StoreCheck(found.total, found.unreadable, removed)


def file_format(form: FileFormat | str | None, path: Path | None, also: Sequence[str] = ()) -> FileFormat:
    """The format of a file of records: the one that is named, else that of the file's suffix.

    `also` are words that the caller takes beside these, for the message.

    Raises:
        ResultsFileError: there is no such format.
    """
    from pocketclip.benchmark.results.files import FileFormat, format_of
    from pocketclip.models.errors import choices

    if form is None:
        return format_of(path or Path())
    if form not in tuple(FileFormat):
        raise ResultsFileError(f"--format {form!r} is unknown", fix=f"choose among: {choices([*also, *FileFormat])}")
    return FileFormat(form)


def render_records(texts: Sequence[RecordText], form: FileFormat) -> str:
    """The content of a file of records."""
    from pocketclip.benchmark.results.files import render

    return render(texts, form)


def _paths(given: Paths) -> Sequence[str | Path]:
    return [given] if isinstance(given, str | Path) else given


def _add(texts: Sequence[RecordText], store: str | Path) -> Additions:
    from pocketclip.benchmark.store import open_store as open_database

    with open_database(str(store)) as opened:
        return opened.add(texts)


@contextmanager
def _nothing_added() -> Iterator[None]:
    try:
        yield
    except BenchmarkError as error:
        raise type(error)(f"{error.what}; nothing was added", fix=error.fix, code=error.code) from error


def _kept(damaged: Unreadable) -> str:
    """One line of JSON; the document as it stands, which need not be JSON."""
    text = damaged.text
    kept = {"record_id": text.record_id, "kind": text.kind, "schema_version": text.schema_version}
    return json.dumps(kept | {"reason": damaged.reason, "document": text.text})
