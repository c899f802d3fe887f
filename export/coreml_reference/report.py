"""What `inspect` shows of a package: a plain record that a process can pass on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from export.coreml_reference.inspection import Inspection, inspect
from export.coreml_reference.neural_engine import predict
from export.coreml_reference.package import open_package
from export.coreml_reference.program import load_functions


@dataclass(frozen=True)
class FunctionReport:
    """One function: its inputs and outputs in words, what it is made of, and predicted trouble spots in words."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    inspection: Inspection
    predictions: tuple[str, ...]


@dataclass(frozen=True)
class PackageReport:
    """A package: the version of its specification, and its functions, the one that runs by default first."""

    specification: int
    functions: tuple[FunctionReport, ...]


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
    from export.targets.executorch_coreml import unpack_delegate

    with TemporaryDirectory() as scratch:
        return report_on_package(unpack_delegate(model_path, Path(scratch)))
