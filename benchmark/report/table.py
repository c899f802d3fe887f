"""Tables and figures, worded: what a section of the page is made of, whatever form the report is written in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.export.precision import TargetName


@dataclass(frozen=True)
class Cell:
    """A value. `detail` stands under it in small; `bar` is a share of 1 that is drawn beside it.

    `style` is one of `main`, `good`, `bad` and `soft`, or empty.
    """

    text: str
    detail: str = ""
    style: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """A heading. `short` names the value where there is no room for the heading; `wide` columns hold sentences."""

    heading: str
    short: str = ""
    numeric: bool = True
    wide: bool = False

    @property
    def label(self) -> str:
        """What stands beside a value on a narrow screen."""
        return self.short or self.heading[:1].lower() + self.heading[1:]


@dataclass(frozen=True)
class Row:
    """One thing and what is known of it: the first cell names it.

    `instead` stands in the place of the cells that are not there, across their columns.
    """

    cells: tuple[Cell, ...]
    target: TargetName | None = None
    alarm: bool = False
    instead: Cell | None = None
    device: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Table:
    """A table; `name` is its CSS class, `note` explains its figures, the same for all tables of the name.

    `remark` is about these very rows. A `quiet` caption repeats what the headings above the table say: it is read out,
    not shown.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    remark: str = ""
    quiet: bool = False
    kind_title: str = ""

    @property
    def kind(self) -> str:
        """What all tables of the name are called; `title` may be of this one alone."""
        return self.kind_title or self.title


@dataclass(frozen=True)
class Figure:
    """Drawings of one picture, wide and narrow, and the same in words.

    `caption` is about this very picture, `note` explains all of its kind; `name` tells the kind.
    """

    name: str
    title: str
    pictures: tuple[str, ...]
    caption: str
    note: str = ""
    summary: str = ""
    words: tuple[str, ...] = ()
    device: str | None = None
    kind_title: str = ""

    @property
    def kind(self) -> str:
        """What all pictures of the name are called; `title` may be of this one alone."""
        return self.kind_title or self.title


def text_column(heading: str, *, short: str = "", wide: bool = False) -> Column:
    """A column of words."""
    return Column(heading, short, numeric=False, wide=wide)


def make_row(
    *values: str | Cell, target: TargetName | None = None, alarm: bool = False, instead: Cell | None = None
) -> Row:
    """A row of cells, plain ones given as text."""
    return Row(tuple(value if isinstance(value, Cell) else Cell(value) for value in values), target, alarm, instead)


def without_empty_columns(table: Table) -> Table:
    """The table without columns in which no row has a value."""
    kept = [
        index
        for index in range(len(table.columns))
        if any(index < len(row.cells) and row.cells[index].text != UNKNOWN for row in table.rows)
    ]
    return replace(
        table,
        columns=tuple(table.columns[index] for index in kept),
        rows=tuple(
            replace(row, cells=tuple(row.cells[index] for index in kept if index < len(row.cells)))
            for row in table.rows
        ),
    )
