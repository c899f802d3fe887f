"""What a terminal is shown holds nothing that steers it, and ordinary text stays as it is."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketclip.models.untrusted.printable import printable, printable_line, printable_path


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_nothing_steers_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in shown if each not in "\n\t")
    assert printable(shown) == shown
    assert "\n" not in printable_line(text)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a red circle", "a red circle"),
        ("crème rouge 東京タワー собака", "crème rouge 東京タワー собака"),
        ("a family 👨\u200d👩\u200d👧", "a family 👨\u200d👩\u200d👧"),
        ("क्\u200dष", "क्\u200dष"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b2J", "\\x9b2J"),
        ("bell\a, back\b, null\0", "bell\\x07, back\\x08, null\\x00"),
        ("right\u202eleft", "right\\u202eleft"),
        ("one\u2028two\rthree", "one\\u2028two\\x0dthree"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_one_line() -> None:
    assert printable_line("two\nlines\tand a tab") == "two\\nlines\\tand a tab"


def test_a_name_that_is_not_utf8() -> None:
    assert printable_path(os.fsdecode(b"kaputt\xfc.png")) == "kaputt\\xfc.png"
