"""The `lint` command: rules with codes about models, artefacts and model files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models import command_line

if TYPE_CHECKING:
    from export.lint.finding import LintFinding

    Linted = list[tuple[str, tuple[LintFinding, ...]]]


def lint_command(
    subject: Annotated[
        str,
        typer.Argument(
            help="A model, an artefact or a folder of them, or a .onnx, .tflite, .pte or .mlpackage.",
            show_default=False,
        ),
    ] = "",
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Code of a rule to leave out, e.g. PC011. Repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON on stdout.")] = False,
    list_rules: Annotated[bool, typer.Option("--list", help="Show all rules with reason and fix.")] = False,
) -> None:
    """Checks a model or artefact against rules with codes; exit code 1 where an error is found."""
    if list_rules:
        _print_rules()
        return

    from export.lint.finding import Severity
    from export.lint.run import parse_codes

    ignored = parse_codes(ignore or [])
    linted = [
        (label, tuple(finding for finding in findings if finding.code not in ignored))
        for label, findings in _lint(subject, changes or [], weights)
    ]
    if as_json:
        _print_json(linted)
    else:
        _print_findings(linted)
    if any(finding.severity is Severity.ERROR for _, findings in linted for finding in findings):
        raise typer.Exit(1)


def _lint(subject: str, changes: list[str], weights: str | None) -> Linted:
    """Findings by label.

    Raises:
        LintRuleError: nothing was named, or --set and --weights with something that is no model.
        UnknownModelError, ConfigError, CheckpointError: the model cannot be built.
        ArtifactError, TargetUnavailableError: the artefact or file cannot be read.
    """
    from export.converter_noise import quiet_loggers
    from export.errors import LintRuleError
    from export.lint.run import is_model_file, lint_artifact, lint_file, lint_model
    from models.registry import MODELS, choose_model
    from models.run_folder import is_run_folder

    if not subject:
        raise LintRuleError("name a model, an artefact or a model file; --list shows the rules")
    quiet_loggers()
    path = Path(subject)
    on_disk = is_model_file(path) or (path.is_dir() and subject not in MODELS and not is_run_folder(path))
    if on_disk and (changes or weights):
        raise LintRuleError(f"--set and --weights are for models; {subject} is a file or folder")
    if is_model_file(path):
        found = [lint_file(path)]
    elif on_disk:
        from export.artifact import find_artifacts

        found = [lint_artifact(artifact) for artifact in find_artifacts([path])]
    else:
        chosen = choose_model(subject, changes, weights)
        found = lint_model(chosen.config, chosen.weights, chosen.cautions)
    return [(linted.label, findings) for linted, findings in found]


def _print_findings(linted: Linted) -> None:
    from export.lint.finding import Severity

    console = command_line.console()

    def write(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    for label, findings in linted:
        write(f"{label}: {'nothing found' if not findings else f'{len(findings)} found'}")
        for finding in findings:
            style = "red" if finding.severity is Severity.ERROR else "yellow"
            write(f"  {finding.severity} {finding.code} {finding.where}: {finding.message}", style)
            write(f"    fix: {finding.fix}")


def _print_json(linted: Linted) -> None:
    import json

    from models import documents

    content = [
        {"subject": label, "findings": [documents.to_builtin(finding) for finding in findings]}
        for label, findings in linted
    ]
    typer.echo(json.dumps(content, indent=2, allow_nan=False))


def _print_rules() -> None:
    from rich.table import Table

    from export.lint.rule_table import HEADINGS, rule_rows

    table = Table(title="Lint rules", expand=True)
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading in ("code", "severity"))
    for row in rule_rows():
        table.add_row(*row)
    command_line.console().print(table)
