"""What a lint rule found."""

from __future__ import annotations

from enum import StrEnum

from pocketclip.models.documents import document


class Severity(StrEnum):
    """An error makes an artefact wrong or unusable: it counts as failed. A warning costs speed, size or accuracy."""

    ERROR = "error"
    WARNING = "warning"


@document
class LintFinding:
    """One finding: the rule's code, the place (module path, op, file), what is there, and what to do about it."""

    code: str
    severity: Severity
    where: str
    message: str
    fix: str


def errors_of(findings: tuple[LintFinding, ...]) -> tuple[LintFinding, ...]:
    """The findings that make an artefact count as failed."""
    return tuple(finding for finding in findings if finding.severity is Severity.ERROR)
