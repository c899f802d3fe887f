"""The `verify` command: an artefact's parity ladder, from eager PyTorch to what a device computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.models.terminal import command_line

# The search for the place where a rung diverges converts the model again and again, each time without a sign.
_LONGEST_STEP_S = 3600.0


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
    parity_data: Annotated[
        str,
        typer.Option(
            "--parity-data",
            help="scenes or your own, as for export; by default those of the proof, where they are found again.",
        ),
    ] = "",
    parity_samples: Annotated[
        int | None, typer.Option("--parity-samples", help="How many of your own to use; by default 256.")
    ] = None,
    max_skipped: Annotated[
        float | None, typer.Option("--max-skipped", help="Share of your own samples that may be unusable, 0 to 1.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found to this file.")] = None,
) -> None:
    """Compares every form of a model with PyTorch, and names the op or module where the first failing one diverges."""
    from pocketclip.benchmark.commands.progress import evaluation_progress
    from pocketclip.benchmark.commands.verify_table import failure_lines, gates_table, rungs_table
    from pocketclip.benchmark.errors import FailedArtifactsError
    from pocketclip.benchmark.results.device_rung import read_benchmarks, with_device_rungs
    from pocketclip.export import foreign
    from pocketclip.export.artifact.reading import find_artifacts
    from pocketclip.export.inputs.parity_data import SCENES, parse_parity_data
    from pocketclip.export.jobs import memory
    from pocketclip.export.ladder.report import LadderReport, Verification
    from pocketclip.export.ladder.telling import climb_and_tell
    from pocketclip.export.own_samples import SampleRequest
    from pocketclip.export.untrained import warn_of_artifacts
    from pocketclip.models import documents
    from pocketclip.models.reading_child import Child

    data = None
    if parity_data:
        own = parse_parity_data(parity_data, parity_samples, max_skipped=max_skipped)
        data = own or SampleRequest(SCENES, 0)
    artifacts = find_artifacts(artifact)
    warn_of_artifacts(artifacts)
    records = None if record is None else read_benchmarks(record, command_line.note)
    reports: list[LadderReport] = []
    console = command_line.console()
    # An artefact's model file may be damaged, whatever its hashes say: what reads and runs it may crash.
    child = Child()
    try:
        for each in artifacts:
            with evaluation_progress() as progress:
                report = foreign.run(
                    child,
                    climb_and_tell,
                    each,
                    weights,
                    samples,
                    data,
                    about=str(each.folder),
                    files=[each.model_path],
                    on_sign=lambda sign, watch=progress: sign.pass_on(watch),
                    memory_bytes=memory.default_limit(),
                    idle_s=_LONGEST_STEP_S,
                )
            if records is not None:
                report = with_device_rungs(report, each, records)
            reports.append(report)
            console.print(rungs_table(report))
            if report.samples_note is not None:
                command_line.note(f"note: {report.artifact}: verified {report.samples_note}")
            if report.gates is not None:
                console.print(gates_table(report.gates, each.manifest))
            for line in failure_lines(report):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    finally:
        child.close()
        # What was finished is kept, also where a later artefact cannot be verified.
        if json_file is not None:
            documents.write(Verification(tuple(reports)), json_file)
    failed = [report.artifact for report in reports if not report.passed]
    if failed:
        raise FailedArtifactsError(f"{len(failed)} of {len(reports)} artefacts failed the ladder: {', '.join(failed)}")
