"""Tables of images and captions, `.csv` and `.tsv`, read by one strict rule for training and evaluation.

CSV is RFC 4180: commas, and quotation marks around a field that holds a comma, a line break or a mark, which is
written twice. TSV has no quoting: a mark is a mark, unless a field is quoted as a whole (it begins and ends with one,
and those within are written twice, as spreadsheets write them). A row that cannot be explained is an error: nothing of
it is guessed.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from pocketclip.models.data.file_names import find_file
from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted.files import is_file
from pocketclip.models.untrusted.printable import printable_line, printable_path
from pocketclip.models.untrusted.stand_ins import HEAD_BYTES, stand_in

_MOST_LINE = 1 << 20
_MOST_FIELD = 1 << 17
_SHOWN = 40
# How a file begins, what it is then, and what to do.
_NO_TABLES = (
    (b"\x1f\x8b", "compressed with gzip", "unpack it: gunzip -k FILE"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save the spreadsheet as CSV in UTF-8"),
    (b"PAR1", "Parquet", "save it as CSV in UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16 text", "save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text", "save it as UTF-8"),
    ((b'{"', b'[{"', b"[\n", b"{\n", b"[ ", b"{ "), "JSON", "write it as CSV with a header"),
)

Choose = Callable[[Sequence[str]], Sequence[str]]
"""Names the columns to read among those of the header, the image's first; raises `DatasetError` where one lacks."""


class Row(NamedTuple):
    """A row of a table: its line in the file, counted from 1, and the values of the chosen columns, stripped."""

    line: int
    values: tuple[str, ...]


def is_tab_separated(path: Path) -> bool:
    """Whether tabs separate columns: in a `.tsv`."""
    return path.suffix.lower() == ".tsv"


def read_rows(path: Path, choose: Choose) -> list[Row]:
    """The rows of a table in UTF-8 below its header; empty lines are none.

    Raises:
        DatasetError: the file cannot be read or is no table of that kind; the message names the line.
    """
    name = printable_path(path)
    if not is_file(path):
        raise DatasetError(f"there is no table {name}")
    try:
        _require_table(path, name)
        # The mark that some spreadsheets put at the start is no part of the first column's name.
        with path.open(encoding="utf-8-sig", newline=None if is_tab_separated(path) else "") as stream:
            return list(_chosen(path, stream, choose))
    except OSError as error:
        raise DatasetError(f"cannot read {name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is not a readable UTF-8 table: {error}", fix="save it as UTF-8") from error


def _require_table(path: Path, name: str) -> None:
    """What is told by its first bytes, and no table: decoding would say nothing of it."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if (instead := stand_in(head)) is not None:
        raise DatasetError(f"{name} is {instead.what}", fix=instead.fix)
    for begins, what, fix in _NO_TABLES:
        if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(begins):
            raise DatasetError(f"{name} is no table: it is {what}", fix=fix)


def _check_separator(path: Path, name: str, columns: Sequence[str]) -> None:
    """A header of one column that others separate: whatever the columns are called, they are not found."""
    tabs = is_tab_separated(path)
    others = {",": "commas", ";": "semicolons", "|": "bars"} if tabs else {"\t": "tabs", ";": "semicolons", "|": "bars"}
    found = next((word for mark, word in others.items() if len(columns) == 1 and mark in columns[0]), None)
    if found is not None:
        raise DatasetError(
            f"{name} separates its columns with {found}; {'tabs' if tabs else 'commas'} separate those of a "
            f"{'.tsv' if tabs else '.csv'}",
            fix={"tabs": "name it .tsv", "commas": "name it .csv"}.get(found, "save it with commas as .csv"),
        )


def _chosen(path: Path, stream: TextIO, choose: Choose) -> Iterator[Row]:
    name = printable_path(path)
    lines = _lines(name, stream)
    fields = _tsv_rows(lines) if is_tab_separated(path) else _csv_rows(name, lines)
    _, header = next(fields, (1, []))
    columns = [column.strip() for column in header]
    _check_separator(path, name, columns)
    places = [columns.index(column) for column in choose(columns)]
    twice = [columns[place] for place in places if columns.count(columns[place]) > 1]
    if twice:
        raise DatasetError(f"{name} has two columns {twice[0]!r}", fix="rename one")
    for line, values in fields:
        if len(values) > len(columns) and not any(value.strip() for value in values[len(columns) :]):
            # Spreadsheets write separators for columns that were once used.
            values = values[: len(columns)]
        if len(values) != len(columns):
            raise DatasetError(
                f"{name}, line {line}: {len(values)} columns, the header has {len(columns)} "
                f"({_shown(values)}); {_advice(path)}"
            )
        for value in values:
            _check_swallowed(path, line, value, places[0], len(columns))
        yield Row(line, tuple(values[place].strip() for place in places))


def _lines(name: str, stream: TextIO) -> Iterator[str]:
    number = 0
    while line := stream.readline(_MOST_LINE + 1):
        number += 1
        if len(line) > _MOST_LINE:
            raise DatasetError(f"{name}, line {number}: it has more than {_MOST_LINE} characters; this is not a table")
        if "\0" in line:
            raise DatasetError(f"{name}, line {number}: it holds a zero character", fix="save the table as UTF-8")
        yield line


def _tsv_rows(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, [_unquoted(field) for field in line.rstrip("\n").split("\t")]


def _unquoted(field: str) -> str:
    text = field.strip()
    within = text[1:-1]
    if len(text) < 2 or text[0] != '"' or text[-1] != '"' or '"' in within.replace('""', ""):
        return field
    return within.replace('""', '"')


def _csv_rows(name: str, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    # Of the whole process: another library may have raised it.
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.reader(lines, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"line {first}" if reader.line_num <= first else f"lines {first} to {reader.line_num}"
            raise DatasetError(
                f"{name}, {where}: {error}; put a field with a comma or a quotation mark in quotation marks, "
                'and write a mark inside it twice: "a ""no parking"" sign"'
            ) from error
        if any(field.strip() for field in row):
            yield first, row


def _check_swallowed(path: Path, line: int, value: str, image: int, columns: int) -> None:
    """Refuses a quoted field that holds whole rows: one caption began with a mark, another one ended with one."""
    if "\n" not in value and "\r" not in value:
        return
    for offset, inner in enumerate(value.splitlines()[1:], start=1):
        fields = inner.split(",")
        if len(fields) >= columns > image and find_file(path.parent, fields[image].strip()) is not None:
            raise DatasetError(
                (
                    f"{printable_path(path)}, line {line}: a field in quotation marks spans several "
                    f"lines and contains rows, the first on line {line + offset} ({_shown([inner])})"
                ),
                fix=('put a caption with quotation marks in marks, and write each mark twice: """no parking"" sign"'),
            )


def _advice(path: Path) -> str:
    if is_tab_separated(path):
        return "separate columns with one tab, and keep tabs and line breaks out of captions"
    return "put captions with commas in quotation marks"


def _shown(values: Sequence[str]) -> str:
    text = printable_line(" | ".join(values))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
