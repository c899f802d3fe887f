"""The export matrix as a table: every target and precision, what it is, and what is unavailable."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from export.precision import TRAITS, Precision
from export.targets import TARGETS, TargetEntry, probe
from models import command_line


def print_matrix() -> None:
    """Prints what each target offers at each precision, then what the precisions mean."""
    console = command_line.console()
    for name, entry in TARGETS.items():
        availability = probe(name)
        status = (
            f"available ({availability.version})"
            if availability.available
            else f"unavailable: {availability.reason}; {availability.install}"
        )
        table = Table(title=f"{name}: {status}", title_justify="left", expand=True)
        table.add_column("precision", no_wrap=True)
        table.add_column("needs", no_wrap=True)
        table.add_column("calibration")
        table.add_column("how")
        for precision, scheme in entry.schemes.items():
            calibration = "yes" if precision.needs_calibration else ""
            table.add_row(_marked(precision, entry), scheme.needs, calibration, scheme.how)
        for precision in Precision:
            if precision not in entry.schemes:
                table.add_row(precision, "", "", Text(f"not offered: {entry.lacking[precision]}", "dim"))
        console.print(table)
    meanings = Table(title="precisions", title_justify="left", expand=True)
    for heading in ("precision", "weight bits", "activation bits", "meaning"):
        meanings.add_column(heading, justify="right" if heading.endswith("bits") else "left")
    for precision, traits in TRAITS.items():
        meanings.add_row(precision, str(traits.weight_bits), str(traits.activation_bits), traits.meaning)
    console.print(meanings)


def _marked(precision: Precision, entry: TargetEntry) -> str:
    roles = [role for role, meant in (("base", entry.base), ("int8", entry.int8)) if precision is meant]
    return f"{precision} ({', '.join(roles)})" if roles else str(precision)
