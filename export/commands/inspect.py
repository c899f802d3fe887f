"""The `inspect` command: shows the contents of a Core ML package or a Core AI asset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from rich.console import Console

    from pocketclip.export.coreai.asset_report import AssetReport
    from pocketclip.export.npu.npu_report import NpuReport
    from pocketclip.export.package_report import FunctionReport, Inspection, PackageReport
    from pocketclip.models.terminal.table import TerminalTable

# Of the specification a package is written in, the oldest system that reads it.
_SYSTEMS = {6: "iOS 15", 7: "iOS 16", 8: "iOS 17", 9: "iOS 18", 10: "iOS 26"}


def inspect_command(
    path: Annotated[
        Path,
        typer.Argument(help="An .mlpackage, an .aimodel or a Core ML .pte of any origin, or an artefact's folder."),
    ],
) -> None:
    """Shows a Core ML or Core AI model's ops, precisions and sizes, and predicts problems on the Neural Engine.

    Of an artefact for NPUs, it shows the graphs that were prepared for each chip.
    """
    from pocketclip.export import api
    from pocketclip.export.coreai.asset_report import AssetReport
    from pocketclip.export.npu.npu_report import NpuReport

    report = api.inspect(path)
    if isinstance(report, NpuReport):
        _print_npu(path, report)
    elif isinstance(report, AssetReport):
        _print_asset(path, report)
    else:
        _print(path, report)


def _print_npu(path: Path, report: NpuReport) -> None:
    from pocketclip.export.npu.socs import SOCS
    from pocketclip.models.untrusted.printable import printable_path

    console = command_line.console()
    if all(context.soc in SOCS for context in report.contexts):
        console.print(f"{printable_path(path)}: graphs for Snapdragon's NPU", soft_wrap=True)
        _print_line(console, f"prepared by {report.package} (QNN {report.sdk})")
    else:
        console.print(f"{printable_path(path)}: graphs for NPUs, compiled, not executed", soft_wrap=True)
        _print_line(console, f"prepared by LiteRT's compiler with {report.package}")
    console.print(chips_table(report))


def chips_table(report: NpuReport) -> TerminalTable:
    """What was prepared for each chip."""
    from pocketclip.export.npu.socs import CHIPS
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

    columns = (
        name_column("chip"),
        word_column("sold as", spare=1),
        *figure_columns("graphs", "ops on\nthe CPU", "size,\nMB"),
        *figure_columns("moved out of\nthe NPU, bytes", spare=1),
    )
    rows = [
        (
            context.soc,
            CHIPS[context.soc].title if context.soc in CHIPS else "",
            str(context.graphs),
            str(context.on_cpu),
            f"{context.size_bytes / 1e6:.2f}",
            "" if context.spill_bytes is None else f"{context.spill_bytes:,}",
        )
        for context in report.contexts
    ]
    return TerminalTable(columns, rows)


def _print(path: Path, report: PackageReport) -> None:
    from pocketclip.models.untrusted.printable import printable_path

    console = command_line.console()
    system = _SYSTEMS.get(report.specification, f"specification {report.specification}")
    console.print(f"{printable_path(path)}: ML program for {system} and later", soft_wrap=True)
    if len(report.functions) > 1:
        _print_line(console, f"functions: {', '.join(function.name for function in report.functions)}")
    for place, function in enumerate(report.functions):
        if len(report.functions) > 1:
            _print_line(console, f"function {function.name}" + (" (runs by default)" if place == 0 else ""))
        _print_contents(console, function)
        _print_support(console, function.inspection)
        _print_predictions(console, function, "by documented rules (only a device gives certainty)")


def _print_asset(path: Path, report: AssetReport) -> None:
    from pocketclip.models.untrusted.printable import printable_path

    console = command_line.console()
    console.print(f"{printable_path(path)}: Core AI asset for iOS 27 and later", soft_wrap=True)
    _print_line(console, f"format {report.format or 'unknown'}, written by {report.producer or 'an unknown program'}")
    names = [function.name for function in report.functions]
    if len(names) > 1:
        _print_line(console, f"functions: {', '.join(names)}")
    if report.composites:
        _print_line(console, f"composites: {', '.join(report.composites)}")
    for function in report.functions:
        if len(names) > 1:
            _print_line(
                console, f"function {function.name}" + (" (runs by default)" if function.name == "main" else "")
            )
        _print_contents(console, function)
        _print_predictions(console, function, "by faults that others reported (only a device gives certainty)")


def _print_contents(console: Console, function: FunctionReport) -> None:
    for kind, specs in (("input", function.inputs), ("output", function.outputs)):
        for spec in specs:
            _print_line(console, f"  {kind} {spec}")
    console.print(ops_table(function.inspection))
    console.print(weights_table(function.inspection))


def _print_support(console: Console, inspection: Inspection) -> None:
    if inspection.unknown_ops:
        _print_line(console, f"the reference executor does not support: {', '.join(inspection.unknown_ops)}")
    else:
        console.print("the reference executor supports every op")


def _print_predictions(console: Console, function: FunctionReport, basis: str) -> None:
    console.print(f"Neural Engine, {basis}:")
    for prediction in function.predictions:
        _print_line(console, f"  {prediction}")
    if not function.predictions:
        console.print("  no problem predicted")


def _print_line(console: Console, text: str) -> None:
    """Text of a file from outside, in one line."""
    from pocketclip.models.untrusted.printable import printable_line

    console.print(printable_line(text), soft_wrap=True)


def ops_table(inspection: Inspection) -> TerminalTable:
    """Ops of a function, with their results' types and their share of the weights."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

    total = max(1, sum(op.weight_bytes for op in inspection.ops))
    columns = (
        name_column("op"),
        *figure_columns("count"),
        word_column("results", spare=1),
        *figure_columns("weights,\nMB", "share"),
    )
    rows = [
        (
            op.op_type if op.known else f"{op.op_type} (unknown)",
            str(op.count),
            ", ".join(f"{name} {count}" for name, count in op.precisions),
            f"{op.weight_bytes / 1e6:.3f}" if op.weight_bytes else "",
            f"{op.weight_bytes / total:.0%}" if op.weight_bytes else "",
        )
        for op in inspection.ops
    ]
    return TerminalTable(columns, rows, title="Ops")


def weights_table(inspection: Inspection) -> TerminalTable:
    """The forms in which weights are stored."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    columns = (
        name_column("stored as"),
        *figure_columns("count", "size,\nMB"),
        *figure_columns("values", spare=1),
        *figure_columns("bits per\nvalue"),
    )
    rows = [
        (form.form, str(form.count), f"{form.stored_bytes / 1e6:.3f}", f"{form.values:,}", f"{form.bits:.2f}")
        for form in inspection.weights
    ]
    return TerminalTable(columns, rows, title="Weights")
