"""`python -m pocketclip.benchmark.gate`: exports, measures and compares two checkouts; `action.yml` runs it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord

app = command_line.new_app("pocketclip.benchmark.gate", "Compares the artefacts of a change with those of its base.")


class Measure(StrEnum):
    """What a change may not make worse."""

    INSTRUCTIONS = "instructions"
    LATENCY = "latency"


_DEVICES = {Measure.INSTRUCTIONS: "emulator-arm64", Measure.LATENCY: "host"}
# Counts do not vary; a second launch shows it.
_COUNTED_LAUNCHES = 2


@app.command(no_args_is_help=True)
def gate_command(
    base: Annotated[Path, typer.Option("--base", help="A checkout of the branch that the change is for.")],
    head: Annotated[Path, typer.Option("--head", help="A checkout of the change.")],
    model: Annotated[
        str, typer.Option("--model", help="A registered model, or a path in both checkouts.")
    ] = "pocketclip_nano",
    name: Annotated[
        str | None, typer.Option("--name", help="What tells this comment from those of other gates (default: --model).")
    ] = None,
    fresh_weights: Annotated[
        bool, typer.Option("--fresh-weights", help="Random weights, where the model has none.")
    ] = False,
    target: Annotated[str, typer.Option("--target", help="Comma-separated targets.")] = "onnx,tflite",
    precision: Annotated[str, typer.Option("--quantize", help="Comma-separated precisions.")] = "base,int8",
    tower: Annotated[str, typer.Option("--tower", help="image, text or both.")] = "both",
    measure: Annotated[
        Measure, typer.Option("--by", help="instructions (on the emulated phone) or latency (on this computer).")
    ] = Measure.INSTRUCTIONS,
    launches: Annotated[int, typer.Option("--launches", min=4, help="Launches of each artefact, for latency.")] = 10,
    device: Annotated[str | None, typer.Option("--device", help="Measure on this device instead.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for artefacts, records and the comment.")] = Path("gate"),
) -> None:
    """Exports both checkouts, measures what differs, and writes `comment.md`.

    Exits with code 3 if an artefact became slower, takes more instructions, is missing, or no longer agrees with
    PyTorch.
    """
    from pocketclip.benchmark import api
    from pocketclip.benchmark.api.bench_options import BenchOptions
    from pocketclip.benchmark.errors import OptionError, RegressionError
    from pocketclip.benchmark.gate.comment import headline, render_comment
    from pocketclip.benchmark.gate.exporting import ExportRequest, Side, export_side
    from pocketclip.benchmark.gate.judging import artifacts_to_measure, judge
    from pocketclip.models import atomic
    from pocketclip.models.untrusted.printable import printable_path

    if out.exists() and not out.is_dir():
        raise OptionError(f"--out {printable_path(out)} is no folder", fix="give --out a new folder")
    if out.exists() and any(out.iterdir()):
        raise OptionError(f"{printable_path(out)} is not empty", fix="give --out a new folder")
    request = ExportRequest(model, target, precision, tower, fresh_weights)
    before, after = (
        export_side(request, checkout, out / side, lambda line, side=side: command_line.note(f"{side}: {line}"))
        for side, checkout in ((Side.BASE, base), (Side.HEAD, head))
    )
    store = out / "records.sqlite"
    measured = artifacts_to_measure(before, after)
    records: list[BenchmarkRecord] = []
    if measured:
        # One session for both sides: what drifts meanwhile meets both.
        records = api.bench(
            [artifact.folder for artifact in measured],
            device or _DEVICES[measure],
            options=BenchOptions(launches=_COUNTED_LAUNCHES if measure is Measure.INSTRUCTIONS else launches),
            store=store,
            on_record=lambda record: command_line.note(
                f"measured {record.artifact.scheme} {record.artifact.tower}: {record.status}"
            ),
        )
    rows = judge(before, after, {record.artifact.sha256: record for record in records})
    report = api.report(store, form="md") if records else None
    atomic.write_text(out / "comment.md", render_comment(model, rows, before, after, report, name=name))
    if report is not None:
        atomic.write_text(out / "report.md", report)
    print(headline(rows))
    if any(row.outcome.stops for row in rows) or not after.artifacts:
        raise RegressionError(
            f"the change does not pass: {headline(rows)}", fix=f"{out / 'comment.md'} shows each artefact"
        )


if __name__ == "__main__":
    command_line.run(app)
