"""`pocketclip app`: builds the phone apps, and checks apps as files.

Heavy imports live inside the functions: `--help` must not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.app_check.checking import CheckedApp
    from pocketclip.models.terminal.table import TerminalTable

app_app = typer.Typer(help="Builds and checks the phone apps.", no_args_is_help=True)


@app_app.callback()
def app_command() -> None:
    """Builds and checks the phone apps."""


@app_app.command("build", no_args_is_help=True)
def build_command(
    platform: Annotated[str, typer.Argument(help="android (Gradle and the Android SDK) or ios (Xcode, on a Mac).")],
    team: Annotated[
        str | None, typer.Option("--team", help="For ios: your Apple developer team, which signs the app.")
    ] = None,
) -> None:
    """Builds the phone apps from the bundled sources and prints their paths.

    android: the measuring app and the sample app. ios: one app that is both.
    """
    from pocketclip.benchmark.api import build_app

    for path in build_app(platform, team=team):
        print(path)


@app_app.command("check", no_args_is_help=True)
def check_command(
    file: Annotated[
        Path | None, typer.Argument(help="An .apk, .aab, .aar or .so, also of other makers.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
    list_rules: Annotated[bool, typer.Option("--list", help="List all rules with sources and fixes.")] = False,
) -> None:
    """Checks what stores and phones ask of an Android package or native library.

    16 KB pages, processors, symbols, target level, size per runtime. Exits with code 1 if a rule finds an error.
    """
    if list_rules:
        command_line.console().print(rules_table())
        return
    from pocketclip.benchmark.api import check_app
    from pocketclip.benchmark.errors import OptionError

    if file is None:
        raise OptionError("there is no file to check", fix="name an .apk, .aab, .aar or .so")
    checked = check_app(file)
    (_print_json if as_json else _print_findings)(checked)
    if checked.refused:
        raise typer.Exit(1)


def rules_table() -> TerminalTable:
    """All rules: what each finds, why that matters, what to do and who says so."""
    from pocketclip.benchmark.app_check.app_rules import HEADINGS, rule_rows
    from pocketclip.models.terminal.table import TerminalTable, label_column, word_column

    columns = [label_column(name) if name in ("code", "severity") else word_column(name) for name in HEADINGS]
    return TerminalTable(columns, rule_rows(), title="Rules for apps")


def _print_findings(checked: CheckedApp) -> None:
    from pocketclip.export.artifact.lint_finding import Severity
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, label_column
    from pocketclip.models.untrusted.printable import printable_line

    console = command_line.console()

    def write(text: str, style: str = "") -> None:
        console.print(printable_line(text), style=style, soft_wrap=True, highlight=False)

    if checked.sizes:
        rows = [
            (each.runtime, each.abi, f"{each.size_bytes / 1e6:.2f}", f"{each.packed_bytes / 1e6:.2f}")
            for each in checked.sizes
        ]
        columns = (label_column("runtime"), label_column("processor"), *figure_columns("MB", "packed MB"))
        console.print(TerminalTable(columns, rows, title=f"Native libraries of {checked.path.name}"))
    else:
        write(f"{checked.path}: no native libraries")
    for finding in checked.findings:
        style = "red" if finding.severity is Severity.ERROR else "yellow"
        write(f"{finding.severity} {finding.code} {finding.where}: {finding.message}", style)
        write(f"  fix: {finding.fix}")
    for reason in checked.unread:
        write(f"not looked at: {reason}")
    if not checked.findings:
        write("nothing found")


def _print_json(checked: CheckedApp) -> None:
    import json
    from dataclasses import asdict

    from pocketclip.models import documents

    content = {
        "file": str(checked.path),
        "findings": [documents.to_builtin(finding) for finding in checked.findings],
        "sizes": [asdict(each) for each in checked.sizes],
        "not_looked_at": list(checked.unread),
    }
    # Control characters and text beyond ASCII are written as escapes.
    typer.echo(json.dumps(content, indent=2, allow_nan=False))
