"""Tables on the terminal: how they fit, where names break, what is left out and what never is."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Sequence

import pytest
from rich.console import Console
from rich.text import Text

from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

NAMES = ("open_clip-ViT-B-16", "executorch-coreml", "int8-static-mixed", "pocketclip_nano")


def rendered(table: TerminalTable, width: int, *, colours: bool = False) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=colours, color_system="standard" if colours else None)
    console.print(table)
    return text.getvalue().splitlines()


def long_table(rows: int = 3) -> TerminalTable:
    return TerminalTable(
        columns=(
            name_column("model", group=True),
            name_column("target"),
            name_column("precision"),
            *figure_columns("p50\nms", "interval"),
            *figure_columns("load\nms", spare=1),
            *figure_columns("peak\nMB", spare=2),
            word_column("verdict"),
        ),
        rows=[
            (NAMES[0], NAMES[1], NAMES[2], f"{row}.123", "-43.3 to +9.9 %", "27.4", "120.3", "cannot tell")
            for row in range(rows)
        ],
        title="A title that says what stands below it",
        caption="a caption",
    )


def tokens(*texts: str) -> set[str]:
    """What no line may break within."""
    return {token for text in texts for token in re.findall(r"[^\W_]+(?:\.[0-9]+)?", text)}


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_too_wide_and_no_name_is_broken_within_a_word(width: int) -> None:
    lines = rendered(long_table(), width)
    assert all(len(line) <= width for line in lines)
    known = tokens(*(str(cell) for row in long_table().rows for cell in row))
    known |= tokens(*(column.heading for column in long_table().columns))
    assert (
        tokens(*lines) - known - tokens("A title that says what stands below it a caption too narrow to show") == set()
    )
    assert tokens(*NAMES[:3]) <= tokens(*lines)
    # Figures are never cut.
    assert all(f"{row}.123" in " ".join(lines) for row in range(3))
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)


def test_a_wide_terminal_shows_all_in_one_line_each() -> None:
    lines = rendered(long_table(), 120)
    assert lines[0] == "A title that says what stands below it"
    assert lines[2].split() == ["model", "target", "precision", "ms", "interval", "ms", "MB", "verdict"]
    assert set(lines[3]) == {"\N{BOX DRAWINGS LIGHT HORIZONTAL}"}
    assert lines[4].split()[:3] == list(NAMES[:3])
    assert lines[-1] == "a caption"


def test_at_first_the_groups_name_goes_on_a_line_of_its_own() -> None:
    lines = rendered(long_table(), 95)
    assert lines.count(NAMES[0]) == 1
    assert [line for line in lines if line.startswith("executorch-coreml int8-static-mixed")] != []
    assert "model" not in lines[2]


def test_then_names_break_then_spare_columns_go_and_are_named() -> None:
    lines = rendered(long_table(), 70)
    assert any(line.startswith("executorch-") and "coreml" not in line for line in lines)
    assert not any("not shown" in line for line in lines)
    lines = rendered(long_table(), 66)
    assert lines[-1] == "a caption; too narrow to show: peak MB"
    lines = rendered(long_table(), 60)
    assert lines[-1] == "a caption; too narrow to show: load ms, peak MB"


def test_at_last_rows_are_cards_with_every_cell() -> None:
    lines = rendered(long_table(1), 40)
    assert "  interval: -43.3 to +9.9 %" in lines
    assert "  load ms: 27.4" in lines
    assert "  peak MB: 120.3" in lines
    assert not any("not shown" in line for line in lines)


def test_columns_that_no_row_fills_are_left_out_without_a_word() -> None:
    table = TerminalTable((name_column("name"), *figure_columns("top-5", "p50")), [("a", "", "1"), ("b", "", "2")])
    assert rendered(table, 80) == ["name p50", "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 8, "a      1", "b      2"]


def test_sentences_break_at_spaces_alone() -> None:
    table = TerminalTable(
        (name_column("code"), word_column("how")),
        [("PC014", "keeps well-known int8-weights beside a float model, with what comes after it in the same line")],
    )
    lines = [line[6:] for line in rendered(table, 40)[2:]]
    assert len(lines) > 2
    assert " ".join(lines) == table.rows[0][1]


def test_colours_of_cells_and_of_their_parts_stay() -> None:
    mark = Text("3.14")
    mark.append("*", "yellow")
    table = TerminalTable((name_column("a"), *figure_columns("b")), [(Text("failed", "red"), mark)])
    line = rendered(table, 80, colours=True)[-1]
    assert "\x1b[31mfailed\x1b[0m" in line
    assert "\x1b[33m*\x1b[0m" in line


def test_what_steers_a_terminal_is_shown_as_an_escape() -> None:
    hostile = "x\x1b]0;title\x07\x1b[2J\u202e[bold]"
    table = TerminalTable((name_column("a"), word_column("b")), [(hostile, Text(hostile, "red"))], hostile, hostile)
    for width in (12, 120):
        text = "".join(rendered(table, width))
        assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
        assert "[bold]" in text


def test_any_table_fits_any_width() -> None:
    chance = random.Random(5)

    def word() -> str:
        return "".join(chance.choice("abcdefgh-_/ \u4e2d\u00e9") for _ in range(chance.randrange(0, 30)))

    def row(count: int) -> Sequence[str]:
        return [word() for _ in range(count)]

    for _ in range(200):
        count = chance.randrange(1, 8)
        columns = [
            chance.choice(
                (
                    name_column(word(), group=chance.random() < 0.2),
                    name_column(word()),
                    word_column(word(), spare=chance.randrange(3)),
                    *figure_columns(word(), spare=chance.randrange(3)),
                )
            )
            for _ in range(count)
        ]
        table = TerminalTable(columns, [row(count) for _ in range(chance.randrange(0, 5))], word(), word())
        width = chance.randrange(4, 130)
        assert all(Text(line).cell_len <= width for line in rendered(table, width))
