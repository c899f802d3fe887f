"""Checks one file: reads it in a process of its own, and applies the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.app_check.app_rules import findings_in
from pocketclip.benchmark.app_check.package_file import PackageFile, read_package
from pocketclip.benchmark.app_check.runtime_sizes import RuntimeSize, runtime_sizes
from pocketclip.benchmark.errors import AppFileError
from pocketclip.export.artifact.lint_finding import LintFinding, Severity
from pocketclip.models.errors import extra_command
from pocketclip.models.reading_child import GIB, Bounds, Child, ChildFault

# A library of 1 GB is unpacked into memory.
_BOUNDS = Bounds(4 * GIB, 60)
EXTRA = "android"


@dataclass(frozen=True)
class CheckedApp:
    """A package with what the rules found in it; `unread` says what could not be looked at."""

    path: Path
    package: PackageFile
    findings: tuple[LintFinding, ...]
    sizes: tuple[RuntimeSize, ...]

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be looked at, and why."""
        return self.package.unread

    @property
    def refused(self) -> bool:
        """Whether a store or a phone would refuse it."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def check_file(path: Path) -> CheckedApp:
    """Reads a package or library and applies the rules.

    Raises:
        AppFileError: the file is missing, of another kind, or damaged.
    """
    if not path.is_file():
        raise AppFileError(f"there is no file {path}")
    try:
        with Child() as child:
            package = child.call(read_package, path, bounds=_BOUNDS)
    except ChildFault as fault:
        if "No module named" in str(fault):
            raise AppFileError(
                f"{path} cannot be read: {fault}", fix=f"install what reads packages: {extra_command(EXTRA)}"
            ) from fault
        raise AppFileError(f"{path} cannot be read: {fault}") from fault
    assert isinstance(package, PackageFile)
    return CheckedApp(path, package, findings_in(package), runtime_sizes(package))
