"""Text from outside as a terminal may show it."""

from __future__ import annotations

import os
import unicodedata

# Kept of the control characters: they only move the cursor forward.
_PLAIN_SPACE = "\n\t"
# Control, format (bidirectional overrides, zero width), surrogate, line and paragraph separator.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Part of how emoji and several scripts are written.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """The text with everything that steers a terminal or hides written as an escape, e.g. `\\x1b`.

    Line feeds and tabs stay. A lone surrogate, which stands for a byte of a file name that is not UTF-8, becomes that
    byte's escape.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_shown(character) else _escape(character) for character in text)


def printable_line(text: str) -> str:
    """`printable` in one line: line feeds and tabs become escapes too."""
    return "".join(_escape(each) if each in _PLAIN_SPACE else each for each in printable(text))


def printable_path(path: str | os.PathLike[str]) -> str:
    """A path as `printable_line`, bytes that are not UTF-8 included."""
    return printable_line(os.fspath(path))


def _is_shown(character: str) -> bool:
    return character in _PLAIN_SPACE or character in _JOINERS or unicodedata.category(character) not in _NOT_SHOWN


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}" if character not in _PLAIN_SPACE else {"\n": "\\n", "\t": "\\t"}[character]
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
