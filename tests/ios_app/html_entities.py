"""HTML's named characters as Swift source: `python -m tests.ios_app.html_entities` writes it from Python's table."""

from __future__ import annotations

import html.entities
from pathlib import Path

from pocketclip.models import atomic

GOAL = Path(__file__).parents[2] / "ios_app/Sources/PocketClipCore/Text/HTMLEntityTable.swift"
_WIDTH = 116

_HEAD = '''\
// Made by `python -m tests.ios_app.html_entities`; do not edit.

/// HTML 5's named character references as Python's `html.entities.html5` has them: the name without `&`, `=`, and the
/// characters' numbers in hexadecimal with `+` between them.
let htmlEntityTable = """
'''


def swift_source() -> str:
    """The content of the file as it must be."""
    entries = [f"{name}={'+'.join(f'{ord(each):x}' for each in text)}" for name, text in html.entities.html5.items()]
    lines, line = [], ""
    for entry in sorted(entries):
        if len(line) + 1 + len(entry) > _WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {entry}".strip()
    return _HEAD + "".join(f"    {each}\n" for each in [*lines, line]) + '    """\n'


if __name__ == "__main__":
    atomic.write_text(GOAL, swift_source())
    print(GOAL)
