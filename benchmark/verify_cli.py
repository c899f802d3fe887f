"""The `verify` command: an artefact's parity ladder, from eager PyTorch to what a device computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models import command_line


def verify_command(
    artifact: Annotated[list[Path], typer.Argument(help="An artefact's folder, or a folder of artefacts; repeatable.")],
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="The checkpoint it was exported from; by default the one shipped with it."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option("--record", help="Device outputs: a store of `bench`, or a benchmark record as JSON."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=20, help="How many images or captions; by default all, which the gates need."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found to this file.")] = None,
) -> None:
    """Compares every form of a model with PyTorch, and names the op or module where the first failing one diverges."""
    from export.converter_noise import quiet_loggers

    quiet_loggers()
    from benchmark.errors import FailedArtifactsError
    from benchmark.eval_progress import evaluation_progress
    from benchmark.verify_record import read_benchmarks, with_device_rungs
    from benchmark.verify_table import failure_lines, gates_table, rungs_table
    from export.artifact import find_artifacts
    from export.ladder.climb import climb
    from export.ladder.report import LadderReport, Verification
    from export.ladder.subject import load_subject
    from models import documents

    artifacts = find_artifacts(artifact)
    records = None if record is None else read_benchmarks(record)
    reports: list[LadderReport] = []
    console = command_line.console()
    try:
        for each in artifacts:
            with evaluation_progress() as progress:
                progress.begin(f"{each.label}: eager", None)
                report = climb(load_subject(each, weights, samples), watch=progress)
            if records is not None:
                report = with_device_rungs(report, each, records)
            reports.append(report)
            console.print(rungs_table(report))
            if report.gates is not None:
                console.print(gates_table(report.gates, each.manifest))
            for line in failure_lines(report):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    finally:
        # What was finished is kept, also where a later artefact cannot be verified.
        if json_file is not None:
            documents.write(Verification(tuple(reports)), json_file)
    failed = [report.artifact for report in reports if not report.passed]
    if failed:
        raise FailedArtifactsError(f"{len(failed)} of {len(reports)} artefacts failed the ladder: {', '.join(failed)}")
