"""Tables on the terminal that fit it: names break after `-`, `_` and `/` alone, figures never.

Where a table is wider than the terminal, in this order: sentences take several lines, a group's name goes on a line of
its own, long names take several lines, columns that matter less are left out (the caption names them), and at last each
row becomes a few lines of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pocketclip.models.untrusted.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

_BREAKS = re.compile(r"(?<=[-_/])(?=[^\s])| ")
_GAP = 1
# Names and sentences have at least so many characters a line, where they are as long.
_LEGIBLE = 12


class Holds(StrEnum):
    """What a column holds: figures stand to the right, all else to the left; figures and labels never break."""

    FIGURES = "figures"
    LABELS = "labels"
    NAMES = "names"
    WORDS = "words"


@dataclass(frozen=True)
class Column:
    """A column of a `TerminalTable`.

    `heading` may have several lines. `spare` is 0 for what a row is of no use without; of others the highest goes first
    where there is no room. Rows of one `group` may stand under its name.
    """

    heading: str
    holds: Holds = Holds.FIGURES
    spare: int = 0
    group: bool = False

    @property
    def label(self) -> str:
        """The heading in one line."""
        return self.heading.replace("-\n", "-").replace("\n", " ")


def name_column(heading: str, *, spare: int = 0, group: bool = False) -> Column:
    """A column of names."""
    return Column(heading, Holds.NAMES, spare, group)


def word_column(heading: str, *, spare: int = 0) -> Column:
    """A column of words."""
    return Column(heading, Holds.WORDS, spare)


def label_column(heading: str, *, spare: int = 0) -> Column:
    """A column of short words that stay in one line: a date, a verdict."""
    return Column(heading, Holds.LABELS, spare)


def figure_columns(*headings: str, spare: int = 0) -> tuple[Column, ...]:
    """Columns of figures."""
    return tuple(Column(heading, Holds.FIGURES, spare) for heading in headings)


@dataclass(frozen=True)
class TerminalTable:
    """What a rich console prints as a table within its width; columns that no row fills are left out.

    Each row has a cell for each column, as text or as rich's `Text` where it has a colour.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Text]]
    title: str = ""
    caption: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        table = _without_empty(self)
        shown, left_out = _fitting(table, options.max_width)
        for line in _wrap(_plain(self.title), options.max_width) if self.title else ():
            yield Text(line, "bold")
        yield from (_lines(shown, options.max_width) if shown else _cards(table, options.max_width))
        caption = self.caption
        if left_out and shown:
            caption += ("; " if caption else "") + f"too narrow to show: {', '.join(left_out)}"
        for line in _wrap(_plain(caption), options.max_width) if caption else ():
            yield Text(line, "dim italic")


@dataclass(frozen=True)
class _Fitted:
    """Columns and rows that have room; `grouped` is the column whose values stand on lines of their own."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Text, ...], ...]
    widths: tuple[int, ...]
    groups: tuple[str, ...] | None


def _plain(cell: str | Text) -> str:
    return printable(cell if isinstance(cell, str) else cell.plain)


def _without_empty(table: TerminalTable) -> TerminalTable:
    kept = [
        index for index in range(len(table.columns)) if not table.rows or any(_plain(row[index]) for row in table.rows)
    ]
    return replace(
        table,
        columns=[table.columns[index] for index in kept],
        rows=[[row[index] for index in kept] for row in table.rows],
    )


def _fitting(table: TerminalTable, width: int) -> tuple[_Fitted | None, list[str]]:
    """The table as it fits, and the headings left out; None where nothing but rows of several lines would."""
    kept = list(range(len(table.columns)))
    left_out: list[str] = []
    has_group = any(column.group for column in table.columns)
    while True:
        attempts = [(False, True), *([(True, True)] if has_group else []), (has_group, False)]
        for grouped, whole_names in attempts:
            places = [index for index in kept if not (grouped and table.columns[index].group)]
            columns = tuple(table.columns[place] for place in places)
            cells = [[_plain(row[place]) for row in table.rows] for place in places]
            widths = _widths(columns, cells, width, whole_names=whole_names)
            if widths is not None:
                groups = None
                if grouped:
                    held = [index for index in kept if table.columns[index].group]
                    groups = tuple(" ".join(_plain(row[index]) for index in held) for row in table.rows)
                rows = tuple(tuple(row[place] for place in places) for row in table.rows)
                return _Fitted(columns, rows, widths, groups), left_out
        spare = [index for index in kept if table.columns[index].spare]
        if not spare:
            return None, left_out
        # Of equally spare columns the last one goes first.
        chosen = max(spare, key=lambda index: (table.columns[index].spare, index))
        kept.remove(chosen)
        left_out.insert(0, table.columns[chosen].label)


def _widths(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int, *, whole_names: bool
) -> tuple[int, ...] | None:
    """A width for each column, None where they have no room; with `whole_names` no name takes two lines."""
    from rich.cells import cell_len

    natural: list[int] = []
    least: list[int] = []
    for column, values in zip(columns, cells, strict=True):
        lines = [line for value in (column.heading, *values) for line in value.split("\n")]
        natural.append(max(cell_len(line) for line in lines))
        pieces = [piece for line in lines for piece in _pieces(line, column.holds)]
        longest = max((cell_len(piece.rstrip()) for piece in pieces), default=0)
        if whole_names and column.holds is Holds.NAMES:
            longest = natural[-1]
        # A name in one letter a line is none.
        least.append(max(longest, 0 if column.holds is Holds.FIGURES else min(_LEGIBLE, natural[-1])))
    room = width - _GAP * (len(columns) - 1)
    if sum(natural) <= room:
        return tuple(natural)
    if sum(least) > room:
        return None
    widths, left = list(least), room - sum(least)
    while left:
        lacking = [index for index in range(len(columns)) if widths[index] < natural[index]]
        # To the one that has the smallest part of what it wants.
        chosen = min(lacking, key=lambda index: widths[index] / natural[index])
        widths[chosen] += 1
        left -= 1
    return tuple(widths)


def _pieces(line: str, holds: Holds) -> list[str]:
    """The parts of a line between which it may break; of a sentence after spaces, of a name within it too."""
    if holds in (Holds.FIGURES, Holds.LABELS):
        return [line]
    if holds is Holds.WORDS and " " in line:
        # A word in a sentence breaks as a name does where it is long, and stays whole otherwise.
        return [piece for word in line.split(" ") for piece in (_split(word) if len(word) > 16 else [word])]
    return _split(line)


def _split(line: str) -> list[str]:
    """The parts of a line; each keeps the hyphen or the space after it."""
    found: list[str] = []
    start = 0
    for match in _BREAKS.finditer(line):
        if match.end() > start:
            found.append(line[start : match.end()])
            start = match.end()
    return [*found, line[start:]]


def _wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most a width, filled from the left; a longer part is cut only where it must be."""
    return [line.rstrip() for line in _spans(text, width)]


def _spans(text: str, width: int) -> list[str]:
    """As `_wrap`, with the spaces at the ends of lines, so that the lines together are the text."""
    from rich.cells import cell_len, chop_cells

    lines: list[str] = []
    for whole in text.split("\n"):
        line = ""
        # Words stay whole where they fit a line; only longer ones break within.
        parts = [
            piece
            for word in re.split(r"(?<= )", whole)
            for piece in ([word] if cell_len(word.rstrip()) <= width else _split(word))
        ]
        for part in parts:
            if line and cell_len((line + part).rstrip()) > width:
                lines.append(line)
                line = ""
            if cell_len(part.rstrip()) > width:
                *full, part = chop_cells(part, width)
                lines += full
            line += part
        lines.append(line)
    return lines


def _lines(fitted: _Fitted, width: int) -> Iterator[Text]:
    from rich.text import Text

    headings = [_wrap(column.heading, size) for column, size in zip(fitted.columns, fitted.widths, strict=True)]
    tall = max(map(len, headings), default=0)
    for index in range(tall):
        # Headings stand on the line under them.
        row = [Text(lines[index - (tall - len(lines))] if index >= tall - len(lines) else "") for lines in headings]
        line = _set(row, fitted)
        line.stylize("bold")
        yield line
    yield Text("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (sum(fitted.widths) + _GAP * (len(fitted.widths) - 1)))
    told = ""
    for place, row in enumerate(fitted.rows):
        if fitted.groups is not None and fitted.groups[place] and fitted.groups[place] != told:
            told = fitted.groups[place]
            yield from (Text(line, "bold") for line in _wrap(told, width))
        wrapped = [_wrap_cell(cell, size) for cell, size in zip(row, fitted.widths, strict=True)]
        for index in range(max(map(len, wrapped), default=0)):
            yield _set([lines[index] if index < len(lines) else Text("") for lines in wrapped], fitted)


def _set(cells: Sequence[Text], fitted: _Fitted) -> Text:
    """One line of the table."""
    from rich.text import Text

    line = Text(no_wrap=True)
    for index, (cell, column, size) in enumerate(zip(cells, fitted.columns, fitted.widths, strict=True)):
        padding = " " * (size - cell.cell_len)
        if index:
            line.append(" " * _GAP)
        if column.holds is Holds.FIGURES:
            line.append(padding).append_text(cell)
        else:
            line.append_text(cell).append(padding)
    line.rstrip()
    return line


def _wrap_cell(cell: str | Text, width: int) -> list[Text]:
    from rich.text import Text

    style = "" if isinstance(cell, str) else cell.style
    if isinstance(cell, str) or not cell.spans or _plain(cell) != cell.plain:
        return [Text(line, style) for line in _wrap(_plain(cell), width)]
    # Colours of parts of a cell are kept, line by line.
    found: list[Text] = []
    for whole in cell.split("\n", allow_blank=True):
        spans = _spans(whole.plain, width)
        offsets = [sum(map(len, spans[:index])) for index in range(1, len(spans))]
        for part in whole.divide(offsets):
            part.rstrip()
            found.append(part)
    return found


def _cards(table: TerminalTable, width: int) -> Iterator[Text]:
    """Each row as its names, and below them a line for each other cell."""
    from rich.text import Text

    leading = [index for index, column in enumerate(table.columns) if column.holds is Holds.NAMES]
    for row in table.rows:
        title = " ".join(_plain(row[index]) for index in leading if _plain(row[index]))
        yield from (Text(line, "bold") for line in _wrap(title, width))
        for index, column in enumerate(table.columns):
            if index not in leading and _plain(row[index]):
                yield from _wrap_cell(f"  {column.label}: {_plain(row[index])}".replace("\n", " "), width)
