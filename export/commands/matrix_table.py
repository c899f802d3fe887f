"""The export matrix as a table: every target and precision, its meaning, and what is unavailable."""

from __future__ import annotations

from rich.text import Text

from pocketclip.export.precision import TRAITS, Precision
from pocketclip.export.targets import TARGETS, TargetEntry, probe
from pocketclip.models.terminal import command_line
from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column


def print_matrix() -> None:
    """Prints the precisions of each target, then the meaning of each precision."""
    console = command_line.console()
    for name, entry in TARGETS.items():
        availability = probe(name)
        status = (
            f"available ({availability.version})"
            if availability.available
            else f"unavailable: {availability.reason}; {availability.install}"
        )
        rows: list[tuple[str | Text, ...]] = []
        for precision, scheme in entry.schemes.items():
            calibration = "yes" if precision.needs_calibration else ""
            rows.append((_marked(precision, entry), scheme.needs, calibration, scheme.how))
        for precision in Precision:
            if precision not in entry.schemes:
                rows.append((precision, "", "", Text(f"not offered: {entry.lacking[precision]}", "dim")))
        columns = (name_column("precision"), word_column("needs"), word_column("calibration"), word_column("how"))
        console.print(TerminalTable(columns, rows, title=f"{name}: {status}"))
        console.print()
    meanings = [
        (precision, str(traits.weight_bits), str(traits.activation_bits), traits.meaning)
        for precision, traits in TRAITS.items()
    ]
    columns = (name_column("precision"), *figure_columns("weight\nbits", "activation\nbits"), word_column("meaning"))
    console.print(TerminalTable(columns, meanings, title="precisions"))


def _marked(precision: Precision, entry: TargetEntry) -> str:
    roles = [role for role, meant in (("base", entry.base), ("int8", entry.int8)) if precision is meant]
    return f"{precision} ({', '.join(roles)})" if roles else str(precision)
