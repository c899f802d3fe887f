"""Records as CSV, in two forms.

One row a record: what identifies it, its figures, and in the last column, `document`, the whole record as JSON. The
figures are for spreadsheets and data frames; `document` makes the file whole, so that it can be imported again.

One row a steady sample (long form): what identifies the record, launch and iteration, counted from 0, and
`inference_ns`. It is for analysis alone: what else a record holds is not in it, so that it cannot be imported.

Spreadsheets carry out cells that begin like a formula. Texts that do are written with an apostrophe before them, which
marks a text there; an import takes them with and without it.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping

from pocketclip.benchmark.errors import RecordError, ResultsFileError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.results.figures import Cell, measured_cells
from pocketclip.benchmark.results.json_files import entry_of, parse_entries
from pocketclip.benchmark.store import RecordText
from pocketclip.benchmark.store.codec import decode
from pocketclip.benchmark.store.identity import identity
from pocketclip.models.untrusted import json_text

DOCUMENT = "document"
SAMPLE = "inference_ns"

_IDENTITY = (
    *("record_id", "kind", "created_at", "model", "target", "precision", "scheme", "tower"),
    *("device", "instance", "tag"),
)
_FIGURES = (
    *("status", "reason", "valid", "invalid", "runtime", "runtime_version", "threads"),
    *("accelerator", "load_mode", "launches", "samples"),
    *("p50_ns", "p90_ns", "p95_ns", "p99_ns", "load_ns", "first_inference_ns", "peak_bytes", "instructions"),
    *("model_size_bytes", "cosine_min"),
    *("dataset", "split", "accuracy", "accuracy_low", "accuracy_high", "top5_accuracy"),
    *("recall_at_1_image_to_text", "recall_at_1_text_to_image"),
)
RECORD_COLUMNS = (*_IDENTITY, *_FIGURES, DOCUMENT)
SAMPLE_COLUMNS = (*_IDENTITY, "valid", "runtime", "runtime_version", "threads", "launch", "iteration", SAMPLE)


def to_csv(texts: Iterable[RecordText]) -> str:
    """One row a record. Raises as `decode` does."""
    rows: list[Mapping[str, Cell]] = []
    for text in texts:
        record = decode(text)
        rows.append({**identity(record), **measured_cells(record), DOCUMENT: text.text})
    return _table(RECORD_COLUMNS, rows)


def to_samples_csv(texts: Iterable[RecordText]) -> str:
    """One row a steady sample; records without launches have none. Raises as `decode` does."""
    return _table(SAMPLE_COLUMNS, _sample_rows(texts))


def from_csv(content: bytes, origin: str) -> list[RecordText | RecordError]:
    """The records of a file with one row a record, from its column `document`.

    In the place of a row whose document is no record, or not the one that its other columns name, stands the error.

    Raises:
        ResultsFileError: it is no such file.
    """
    # The default is 128 KiB, which a record of many samples exceeds.
    usual = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        _check_columns(reader.fieldnames or (), origin)
        return [_entry_of_row(row, origin, f"row {number}") for number, row in enumerate(reader, start=1)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ResultsFileError(f"{origin} is not CSV: {error}; it is damaged or truncated: export it again") from error
    finally:
        csv.field_size_limit(usual)


def _check_columns(names: Iterable[str], origin: str) -> None:
    names = set(names)
    if DOCUMENT in names and "record_id" in names:
        return
    if SAMPLE in names:
        raise ResultsFileError(
            f"{origin} holds only samples, from which records cannot be restored",
            fix="import a .json, .jsonl or .csv file from `pocketclip results --out FILE`",
        )
    raise ResultsFileError(
        f"{origin} has no columns 'record_id' and {DOCUMENT!r}; `pocketclip results --out FILE.csv` writes them"
    )


def _entry_of_row(row: Mapping[str, str | None], origin: str, place: str) -> RecordText | RecordError:
    where = f"{origin}, {place}: record {(row['record_id'] or '')[:100]}"
    try:
        content = parse_entries(row[DOCUMENT] or "")
    except json_text.JsonFault as error:
        return RecordError(
            f"{where}: its document {error}; spreadsheets truncate cells at 32767 characters: import the original file"
        )
    text = entry_of(content, origin, place)
    if isinstance(text, RecordError):
        return text
    try:
        named = identity(decode(text))
    except RecordError as error:
        return error
    for name, value in named.items():
        if name in row and row[name] not in _spellings(value):
            return RecordError(
                f"{where}: {name} is {(row[name] or '')[:200]!r}, its document says {value!r}; records never change: "
                "import the original file"
            )
    return text


def _spellings(value: str | None) -> tuple[str | None, ...]:
    """How a text may stand in a cell; older versions wrote none with an apostrophe."""
    return (None, "") if not value else (value, _as_text(value))


def _sample_rows(texts: Iterable[RecordText]) -> Iterator[Mapping[str, Cell]]:
    for text in texts:
        record = decode(text)
        if not isinstance(record, BenchmarkRecord):
            continue
        common = {**identity(record), **measured_cells(record)}
        for launch, each in enumerate(record.launches):
            for iteration, sample in enumerate(each.steady_ns):
                yield {**common, "launch": launch, "iteration": iteration, SAMPLE: sample}


def _table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Cell]]) -> str:
    stream, line = io.StringIO(), io.StringIO()
    # Only what is part of the line's end is quoted, which a lone carriage return must be, too.
    writer = csv.writer(line, lineterminator="\r\n")
    for row in itertools.chain([dict(zip(columns, columns, strict=True))], rows):
        line.seek(0)
        line.truncate()
        cells = (row.get(name) for name in columns)
        writer.writerow([_as_text(cell) if isinstance(cell, str) else cell for cell in cells])
        stream.write(line.getvalue().removesuffix("\r\n") + "\n")
    return stream.getvalue()


# With apostrophes before it or without: one more is put before it, one less is read.
_FORMULA = re.compile("'*[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def _as_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
