"""Files of results by their format: which ones there are, writing and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from pocketclip.benchmark.errors import RecordError, ResultsFileError
from pocketclip.benchmark.results import csv_files, json_files
from pocketclip.benchmark.store import RecordText
from pocketclip.benchmark.store.codec import decode
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.printable import printable_path


class FileFormat(StrEnum):
    """How records are written outside the store. `samples` is CSV with one row a steady sample."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    SAMPLES = "samples"


_WRITERS: dict[FileFormat, Callable[[Iterable[RecordText]], str]] = {
    FileFormat.JSON: json_files.to_json,
    FileFormat.JSONL: json_files.to_jsonl,
    FileFormat.CSV: csv_files.to_csv,
    FileFormat.SAMPLES: csv_files.to_samples_csv,
}
_READERS: dict[str, Callable[[bytes, str], Iterable[RecordText | RecordError]]] = {
    ".json": json_files.from_json,
    ".jsonl": json_files.from_jsonl,
    ".csv": csv_files.from_csv,
}


def format_of(path: Path) -> FileFormat:
    """The format that a file's name asks for.

    Raises:
        ResultsFileError: the name ends otherwise.
    """
    _check_suffix(path)
    return FileFormat(path.suffix.removeprefix("."))


def render(texts: Iterable[RecordText], form: FileFormat) -> str:
    """The content of a file of results; raises as `store.codec.decode` does where a record cannot be read."""
    return _WRITERS[form](texts)


def read_results(path: Path, skip: Callable[[RecordError], object] | None = None) -> Iterator[RecordText]:
    """The records of a file, each once it has been read whole.

    Args:
        path: a file that one of the writers wrote.
        skip: told of what is no record, a damaged one or a newer version's, which is left out then.

    Raises:
        ResultsFileError: it cannot be read, or is of a form that cannot be imported.
        RecordError: without `skip`, an entry is no record or a damaged one; the message names it.
        RecordVersionError: without `skip`, a newer version of PocketCLIP wrote one.
    """
    _check_suffix(path)
    content = read_bounded(path, json_files.MOST_BYTES, error=ResultsFileError)
    for entry in _READERS[path.suffix](content, printable_path(path)):
        try:
            if isinstance(entry, RecordError):
                raise entry
            decode(entry)
        except RecordError as error:
            if skip is None:
                raise
            skip(error)
            continue
        yield entry


def _check_suffix(path: Path) -> None:
    if path.suffix not in _READERS:
        raise ResultsFileError(
            f"{path} has an unknown format; its name must end in one of {choices(_READERS)} "
            "(add stores with `pocketclip results merge`)"
        )
