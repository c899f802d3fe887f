"""The `lint` command: checks models, artefacts and model files against rules with codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.export.errors import ArtifactError
    from pocketclip.export.lint.run import Linted
    from pocketclip.models.terminal.table import TerminalTable

    Faults = Sequence[tuple[str, ArtifactError]]

_MOST_NAMES = 4


def lint_command(
    subject: Annotated[
        str,
        typer.Argument(
            help="A model, an artefact, a folder of artefacts, or a .onnx, .tflite, .pte, .mlpackage or .aimodel.",
            show_default=False,
        ),
    ] = "",
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Code of a rule to ignore, e.g. PC011. Repeatable.")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Ask LiteRT's GPU delegate about .tflite files too.")] = False,
    npu: Annotated[bool, typer.Option("--npu", help="Check whether files suit Snapdragon's NPU too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
    list_rules: Annotated[bool, typer.Option("--list", help="List all rules with reasons and fixes.")] = False,
) -> None:
    """Checks a model or artefact against lint rules. Exits with code 1 if a rule finds an error."""
    if list_rules:
        _print_rules()
        return

    from pocketclip.export import api
    from pocketclip.export.artifact.lint_finding import Severity

    result = api.lint_all(subject, changes=changes or [], weights=weights, ignore=ignore or [], gpu=gpu, npu=npu)
    linted, faults = result.linted, result.faults
    if linted or len(faults) > 1:
        (_print_json if as_json else _print_findings)(linted, faults)
    if faults:
        raise _in_one_line(faults, len(linted) + len(faults))
    if any(finding.severity is Severity.ERROR for each in linted for finding in each.findings):
        raise typer.Exit(1)


def _in_one_line(faults: Faults, count: int) -> ArtifactError:
    from pocketclip.export.errors import ArtifactError

    if count == 1:
        return faults[0][1]
    return ArtifactError(f"{len(faults)} of {count} artefacts cannot be read; the first: {faults[0][1]}")


def _print_findings(linted: Sequence[Linted], faults: Faults) -> None:
    from pocketclip.export.artifact.lint_finding import Severity
    from pocketclip.export.lint.subject import listed
    from pocketclip.models.untrusted.printable import printable_line

    console = command_line.console()

    def write(text: str, style: str = "") -> None:
        console.print(printable_line(text), style=style, soft_wrap=True)

    for each in linted:
        write(f"{each.label}: {f'{len(each.findings)} found' if each.findings else 'nothing found'}")
        for finding in each.findings:
            style = "red" if finding.severity is Severity.ERROR else "yellow"
            write(f"  {finding.severity} {finding.code} {finding.where}: {finding.message}", style)
            write(f"    fix: {finding.fix}")
        if each.looked_at:
            write(f"  looked at: {listed(list(each.looked_at), _MOST_NAMES)}")
        if each.gpu:
            write(f"  GPU: {each.gpu}")
        for reason in each.not_looked_at:
            write(f"  not looked at: {reason}")
    for label, error in faults:
        write(f"{label}: {error}", "red")


def _print_json(linted: Sequence[Linted], faults: Faults) -> None:
    import json

    from pocketclip.models import documents

    content: list[dict[str, object]] = [
        {
            "subject": each.label,
            "findings": [documents.to_builtin(finding) for finding in each.findings],
            "looked_at": each.looked_at,
            "not_looked_at": each.not_looked_at,
            "gpu": each.gpu,
        }
        for each in linted
    ]
    content += [
        {
            "subject": label,
            "findings": [],
            "looked_at": [],
            "not_looked_at": [str(error)],
            "gpu": "",
            "error": str(error),
        }
        for label, error in faults
    ]
    # Control characters and text beyond ASCII are written as escapes.
    typer.echo(json.dumps(content, indent=2, allow_nan=False))


def _print_rules() -> None:
    command_line.console().print(rules_table())


def rules_table() -> TerminalTable:
    """All rules: what each finds, why that matters, and what to do."""
    from pocketclip.export.lint.rule_table import HEADINGS, rule_rows
    from pocketclip.models.terminal.table import TerminalTable, label_column, word_column

    columns = [label_column(name) if name in ("code", "severity") else word_column(name) for name in HEADINGS]
    return TerminalTable(columns, rule_rows(), title="Lint rules")
