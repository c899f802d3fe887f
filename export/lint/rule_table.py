"""The rules as a table, for the terminal and for docs/lint.md."""

from __future__ import annotations

from pocketclip.export.lint.rules import RULES

HEADINGS = ("code", "severity", "rule", "reason", "fix")


def rule_rows() -> list[tuple[str, ...]]:
    """A row for each rule, under the headings of `markdown_table`."""
    return [(rule.code, str(rule.severity), rule.title, rule.reason, rule.fix) for rule in RULES]


def markdown_table() -> str:
    """The rules as a Markdown table with a final newline."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *rule_rows()]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)
