"""`python -m pocketclip.benchmark.arm64`: counts instructions per inference on an emulated arm64 phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.perf.batching import (
    BatchOption,
    ModelOption,
    OutOption,
    PrecisionOption,
    TargetOption,
    parse_batches,
    table_head,
)
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.arm64.counting import CountSettings
    from pocketclip.benchmark.perf.candidates import Candidate
    from pocketclip.models.errors import PocketClipError

app = command_line.new_app(
    "pocketclip.benchmark.arm64", "Counts instructions per inference on an emulated arm64 phone."
)

WarmupOption = Annotated[int, typer.Option("--warmup", min=0, help="Uncounted inferences per process.")]
CountedOption = Annotated[int, typer.Option("--counted", min=1, help="Counted inferences per process.")]
ProcessesOption = Annotated[
    int, typer.Option("--processes", min=1, help="Processes per file; two or more show the spread.")
]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1.0, help="Maximum seconds for one process.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="JSON file for the counts.")]


@app.command("create")
def create_command() -> None:
    """Creates the emulated phone unless it is in the cache, and prints its folder."""
    from pocketclip.benchmark.arm64.root import ensure_root

    print(ensure_root(command_line.note).root)


@app.command("count", no_args_is_help=True)
def count_command(
    artifact: Annotated[list[Path], typer.Argument(help="An artefact's folder or a folder of artefacts.")],
    plain: Annotated[
        list[str] | None,
        typer.Option("--plain", help="FILE=ARTEFACT: a model file to compare with an artefact. Repeatable."),
    ] = None,
    warmup: WarmupOption = 1,
    counted: CountedOption = 2,
    processes: ProcessesOption = 2,
    timeout: TimeoutOption = 1800.0,
    json: JsonOption = None,
) -> None:
    """Counts instructions of artefacts and of plain model files."""
    from pocketclip.benchmark.arm64.counting import CountSettings
    from pocketclip.benchmark.errors import CountingError
    from pocketclip.benchmark.perf.candidates import candidate_of, plain_candidate
    from pocketclip.export.artifact.reading import find_artifacts, load_artifact

    candidates = []
    for pair in plain or []:
        file, separator, folder = pair.rpartition("=")
        if not separator:
            raise CountingError(
                f"--plain {pair!r} names no artefact", fix="give FILE=ARTEFACT, where ARTEFACT is an artefact's folder"
            )
        candidates.append(plain_candidate(Path(file), load_artifact(Path(folder))))
    candidates += map(candidate_of, find_artifacts(artifact))
    candidates.sort(key=lambda candidate: (candidate.subject, candidate.runtime))
    _count(candidates, CountSettings(warmup, counted, processes, timeout), json, ())


@app.command("perf", no_args_is_help=True)
def perf_command(
    model: Annotated[list[str], typer.Option("--model", help="A registered model or configuration. Repeatable.")],
    weights: command_line.WeightsOption = None,
    target: Annotated[str, typer.Option("--target", help="Comma-separated targets.")] = "onnx,executorch,tflite",
    tower: Annotated[str, typer.Option("--tower", help="image or text.")] = "image",
    out: Annotated[Path, typer.Option("--out", help="Folder for the artefacts.")] = Path("artifacts"),
    calibration: Annotated[
        str, typer.Option("--calibration", help="Samples for static int8, as for export.")
    ] = "scenes",
    warmup: WarmupOption = 1,
    counted: CountedOption = 2,
    processes: ProcessesOption = 2,
    timeout: TimeoutOption = 1800.0,
    json: JsonOption = None,
) -> None:
    """Compares PocketCLIP's fp32 and static int8 exports with the converters' plain calls. Exports missing files."""
    from pocketclip.benchmark.arm64.counting import CountSettings
    from pocketclip.benchmark.arm64.root import check_host
    from pocketclip.benchmark.errors import CountingError
    from pocketclip.benchmark.perf.exports import Subject, make_candidates
    from pocketclip.benchmark.perf.plain_export import PLAIN_FILES
    from pocketclip.export.inputs.calibration import parse_calibration
    from pocketclip.export.precision import Tower
    from pocketclip.export.targets import parse_targets
    from pocketclip.models.errors import choices

    # Before the exports, which take minutes.
    check_host()
    targets = parse_targets(target)
    if rest := [name for name in targets if name not in PLAIN_FILES]:
        raise CountingError(
            f"{rest[0]} does not run on the emulated phone", fix=f"choose among: {choices(PLAIN_FILES)}"
        )
    chosen = command_line.parse_choice(Tower, "--tower", tower)
    candidates: list[Candidate] = []
    failures: list[PocketClipError] = []
    for name in model:
        subject = Subject(name, weights, chosen, out, parse_calibration(calibration, None))
        made, failed = make_candidates(subject, targets, command_line.note)
        candidates += made
        failures += failed
    _count(candidates, CountSettings(warmup, counted, processes, timeout), json, failures)


@app.command("batches", no_args_is_help=True)
def batches_command(
    model: ModelOption,
    weights: command_line.WeightsOption = None,
    target: TargetOption = "onnx,executorch,tflite",
    precision: PrecisionOption = "fp32",
    batch: BatchOption = "1,2,4,8",
    out: OutOption = Path("artifacts"),
    warmup: WarmupOption = 1,
    counted: CountedOption = 2,
    timeout: TimeoutOption = 1800.0,
) -> None:
    """Prints a Markdown table of the instructions for a photograph, of towers that take several at once."""
    from pocketclip.benchmark.arm64.counting import CountSettings, count_candidate
    from pocketclip.benchmark.arm64.root import ensure_root
    from pocketclip.benchmark.errors import CountingError
    from pocketclip.benchmark.perf.batching import BatchedTower, groups_of, make_candidates, table_row
    from pocketclip.export.precision import InstructionSet

    batches = parse_batches(batch)
    emulator = ensure_root(command_line.note)
    settings = CountSettings(warmup, counted, processes=1, timeout_seconds=timeout)
    print(table_head())
    for name in model:
        tower = BatchedTower(name, weights, target, precision, batches, InstructionSet.ARM64)
        for group in groups_of(make_candidates(tower, out, command_line.note)):
            alone: float | None = None
            for each in group:
                command_line.note(f"counting {each.name}")
                record = count_candidate(each, emulator, settings)
                if record.misses or record.instructions is None:
                    missed = ", ".join(record.misses)
                    raise CountingError(f"{each.name} computes something else there: {missed}", fix="report it")
                cost = record.instructions / each.batch
                against = "" if alone is None else f"{cost / alone:.3f}"
                alone = cost if alone is None else alone
                print(table_row(name, each, f"{cost / 1e6:.2f} million instructions", against), flush=True)


def _count(
    candidates: Sequence[Candidate], settings: CountSettings, json: Path | None, failures: Iterable[PocketClipError]
) -> None:
    from pocketclip.benchmark.arm64.counting import count_all, make_report
    from pocketclip.benchmark.arm64.root import ensure_root
    from pocketclip.benchmark.arm64.table import count_table, faults, shortfalls
    from pocketclip.benchmark.errors import CountingError
    from pocketclip.models import documents

    emulator = ensure_root(command_line.note)
    records = []
    with command_line.progress() as progress:
        task = progress.add_task("counting", total=len(candidates))
        try:
            for candidate in candidates:
                progress.update(task, description=candidate.name)
                records += count_all([candidate], emulator, settings)
                progress.advance(task)
                if json is not None:
                    # After each: what was counted must outlive an interruption.
                    documents.write(make_report(records, settings), json)
        except KeyboardInterrupt:
            progress.stop()
            command_line.console().print(count_table(records))
            raise
    command_line.console().print(count_table(records))
    for missed in shortfalls(records):
        command_line.note(f"goal missed: {missed}")
    found = [*(str(failure) for failure in failures), *faults(records)]
    for fault in found:
        command_line.note(f"failed: {fault}")
    if found:
        raise CountingError(f"{len(found)} files failed, gave wrong outputs or gave varying counts", fix="see above")


def main() -> None:
    """Runs the program."""
    command_line.run(app)


if __name__ == "__main__":
    main()
