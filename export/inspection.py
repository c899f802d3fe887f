"""Reads a Core ML package into the record that `inspect` shows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from pocketclip.export.coreml_reference.inspection import inspect
from pocketclip.export.coreml_reference.neural_engine import predict
from pocketclip.export.coreml_reference.package import open_package
from pocketclip.export.coreml_reference.program import load_functions
from pocketclip.export.package_report import FunctionReport, PackageReport


def report_on_package(package: Path) -> PackageReport:
    """Reads a `.mlpackage`.

    Raises:
        ArtifactError: as `load_functions`.
    """
    programs = load_functions(open_package(package))
    return PackageReport(
        programs[0].specification,
        tuple(
            FunctionReport(
                name=program.name,
                inputs=tuple(map(str, program.inputs)),
                outputs=tuple(map(str, program.outputs)),
                inspection=inspect(program),
                predictions=tuple(map(str, predict(program))),
            )
            for program in programs
        ),
    )


def report_on_delegate(model_path: Path) -> PackageReport:
    """Reads the package that a `.pte` carries for the Core ML delegate.

    Raises:
        ArtifactError: as `load_functions`, and where the file carries none.
    """
    from pocketclip.export.targets.executorch_coreml import unpack_delegate

    with TemporaryDirectory() as scratch:
        return report_on_package(unpack_delegate(model_path, Path(scratch)))
