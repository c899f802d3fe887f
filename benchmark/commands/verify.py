"""The `verify` command: climbs an artefact's parity ladder, from eager PyTorch to a device's outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.models.terminal import command_line


def verify_command(
    artifact: Annotated[list[Path], typer.Argument(help="An artefact's folder or a folder of artefacts. Repeatable.")],
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="The checkpoint that was exported (default: the shipped one)."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option("--record", help="Device outputs: a `bench` store, or a benchmark record as JSON."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=20, help="Number of images or captions (default: all, which the gates need)."),
    ] = None,
    parity_data: Annotated[
        str,
        typer.Option(
            "--parity-data",
            help="scenes or your own, as for export (default: the samples of the export's parity check, if found).",
        ),
    ] = "",
    parity_samples: Annotated[
        int | None, typer.Option("--parity-samples", help="Own samples to use (default: 256).")
    ] = None,
    max_skipped: Annotated[
        float | None, typer.Option("--max-skipped", help="Maximum share of unusable own samples, 0 to 1.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
) -> None:
    """Compares each form of a model with PyTorch and names the op or module where the first failing one diverges."""
    from pocketclip.benchmark.commands.progress import evaluation_progress
    from pocketclip.benchmark.commands.verify_table import failure_lines, gates_table, rungs_table
    from pocketclip.benchmark.errors import FailedArtifactsError
    from pocketclip.benchmark.results.device_rung import read_benchmarks, with_device_rungs
    from pocketclip.export import api
    from pocketclip.export.ladder.report import LadderReport, Verification
    from pocketclip.export.untrained import warn_of_artifacts
    from pocketclip.models import documents

    request = api.VerifyRequest(weights, samples, parity_data, parity_samples, max_skipped)
    # Check words and paths first: mistakes are reported before anything is loaded.
    request.data()
    artifacts = api.find_artifacts(*artifact)
    warn_of_artifacts([each.files for each in artifacts])
    records = None if record is None else read_benchmarks(record, command_line.note)
    reports: list[LadderReport] = []
    console = command_line.console()
    try:
        with api.verifying() as climb:
            for each in artifacts:
                with evaluation_progress() as progress:
                    report = climb(each, request, progress.show)
                if records is not None:
                    report = with_device_rungs(report, each.files, records)
                reports.append(report)
                console.print(rungs_table(report))
                if report.samples_note is not None:
                    command_line.note(f"note: {report.artifact}: verified {report.samples_note}")
                if report.gates is not None:
                    console.print(gates_table(report.gates, each.manifest))
                for line in failure_lines(report):
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
    finally:
        # Keep what was finished, even if a later artefact cannot be verified.
        if json_file is not None:
            documents.write(Verification(tuple(reports)), json_file)
    failed = [report.artifact for report in reports if not report.passed]
    if failed:
        raise FailedArtifactsError(f"{len(failed)} of {len(reports)} artefacts failed the ladder: {', '.join(failed)}")
