"""The `inspect` command: what is inside a Core ML package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models import command_line

if TYPE_CHECKING:
    from export.coreml_reference.inspection import Inspection
    from export.coreml_reference.program import Program

# Of the specification a package is written in, the oldest system that reads it.
_SYSTEMS = {6: "iOS 15", 7: "iOS 16", 8: "iOS 17", 9: "iOS 18", 10: "iOS 26"}


def inspect_command(
    path: Annotated[Path, typer.Argument(help="A .mlpackage, ours or not, or the folder of an artefact.")],
) -> None:
    """Prints ops, precisions, sizes and predicted Neural Engine trouble spots of a Core ML model."""
    import tempfile

    from export.converter_noise import quiet_loggers

    quiet_loggers()
    with tempfile.TemporaryDirectory() as scratch:
        # Before Core ML's tools are imported, which takes seconds: what is wrong with the path is known at once.
        package = _package(path, Path(scratch))
        from export.coreml_reference import load_program
        from export.coreml_reference.inspection import inspect
        from export.coreml_reference.neural_engine import predict

        program = load_program(package)
        inspection, predictions = inspect(program), predict(program)
        _print(path, program, inspection)
        console = command_line.console()
        if inspection.unknown_ops:
            console.print(f"the reference executor lacks: {', '.join(inspection.unknown_ops)}", soft_wrap=True)
        else:
            console.print("the reference executor knows every op")
        console.print("Neural Engine, by documented rules; only a device can tell:")
        for prediction in predictions:
            console.print(f"  {prediction}", markup=False, highlight=False, soft_wrap=True)
        if not predictions:
            console.print("  no trouble spot predicted")


def _package(path: Path, scratch: Path) -> Path:
    """The `.mlpackage` that is meant: the path itself, or what an artefact holds.

    Raises:
        ArtifactNotFoundError: there is no such path.
        ArtifactError: it is neither, or the artefact is for another target.
    """
    from export.artifact import load_artifact
    from export.errors import ArtifactError, ArtifactNotFoundError
    from export.manifest import MANIFEST_NAME
    from export.precision import TargetName

    if not path.exists():
        raise ArtifactNotFoundError(f"{path} does not exist; export the model first")
    if path.suffix == ".mlpackage":
        return path
    if not (path / MANIFEST_NAME).is_file():
        raise ArtifactError(f"{path} is no .mlpackage folder, and holds no artefact; name one of them")
    artifact = load_artifact(path)
    if artifact.manifest.target is TargetName.COREML:
        return artifact.model_path
    if artifact.manifest.target is TargetName.EXECUTORCH_COREML:
        from export.targets.executorch_coreml import unpack_delegate

        return unpack_delegate(artifact.model_path, scratch)
    raise ArtifactError(
        f"{path} is an artefact of target {artifact.manifest.target}; only Core ML packages can be inspected"
    )


def _print(path: Path, program: Program, inspection: Inspection) -> None:
    from rich.table import Table

    console = command_line.console()
    system = _SYSTEMS.get(program.specification, f"specification {program.specification}")
    console.print(f"{path}: ML program for {system} and later", soft_wrap=True)
    for kind, specs in (("input", program.inputs), ("output", program.outputs)):
        for spec in specs:
            console.print(f"  {kind} {spec}", markup=False, highlight=False)
    table = Table(title="Ops")
    for heading in ("op", "count", "results", "weights", "share"):
        table.add_column(heading, justify="left" if heading in ("op", "results") else "right")
    total = max(1, sum(op.weight_bytes for op in inspection.ops))
    for op in inspection.ops:
        table.add_row(
            op.op_type if op.known else f"{op.op_type} (unknown)",
            str(op.count),
            ", ".join(f"{name} {count}" for name, count in op.precisions),
            f"{op.weight_bytes / 1e6:.3f} MB" if op.weight_bytes else "",
            f"{op.weight_bytes / total:.0%}" if op.weight_bytes else "",
        )
    console.print(table)
    table = Table(title="Weights")
    for heading in ("stored as", "count", "size", "values", "bits a value"):
        table.add_column(heading, justify="left" if heading == "stored as" else "right")
    for form in inspection.weights:
        table.add_row(
            form.form, str(form.count), f"{form.stored_bytes / 1e6:.3f} MB", f"{form.values:,}", f"{form.bits:.2f}"
        )
    console.print(table)
