"""Commands in README and docs exist, and take the options that stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from pocketclip.cli import app

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    REPOSITORY / name
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "android_app/README.md", "ios_app/README.md")
] + sorted((REPOSITORY / "docs").glob("*.md"))
# Ends where a comment, a pipe, the code span or the next command begins.
COMMAND = re.compile(r"\bpocketclip ((?:[a-z]+)(?: [^`#|;&\n]*)?)")


def commands(page: Path) -> list[list[str]]:
    # What a terminal of 80 columns shows is cut anywhere; a backslash continues the line.
    text = re.sub(r"<details>.*?</details>", "", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"\\\n\s*", "", text)
    code = re.findall(r"^```(?:sh|bash|)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) + re.findall(
        r"(?<!`)`([^`]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    return [found.split() for each in code for found in COMMAND.findall(each)]


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the words after it."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    # Groups are not click's: typer has its own copy.
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_command_and_option_is_there(page: Path) -> None:
    names = typer.main.get_group(app).commands
    for words in commands(page):
        command, rest = resolve(words)
        assert words[0] in names, f"{page.name}: there is no command {' '.join(words)}"
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        given = {word.partition("=")[0].rstrip(",.)") for word in rest if word.startswith("--")}
        assert given <= known | {"--help"}, f"{page.name}: {' '.join(words)}: {given - known}"


def test_readme_has_commands() -> None:
    assert len(commands(REPOSITORY / "README.md")) > 20
