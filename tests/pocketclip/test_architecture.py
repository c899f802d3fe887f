"""docs/architecture.md shows the layers that import-linter enforces."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]


def enforced(package: str) -> list[set[str]]:
    (contract,) = [each for each in CONTRACTS if each.get("containers") == [f"pocketclip.{package}"]]
    layers = [set(re.findall(r"\w+", line)) for line in contract["layers"]]
    return [layer for layer in layers if layer != {"__main__"}]


def shown(package: str) -> list[set[str]]:
    """The names in the first column of a package's table, row by row."""
    (table,) = re.findall(rf"^\| `{package}` \| what is there \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines()]


@pytest.mark.parametrize("package", ["models", "export", "benchmark"])
def test_the_page_has_the_layers_that_are_enforced(package: str) -> None:
    assert shown(package) == enforced(package)
