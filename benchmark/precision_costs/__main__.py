"""`python -m pocketclip.benchmark.precision_costs`: measures and fits what each module precision costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.models.terminal import command_line

app = command_line.new_app(
    "pocketclip.benchmark.precision_costs", "Measures and fits what each module precision costs."
)

FileArgument = Annotated[Path, typer.Argument(help="JSON file of the measurements; an interrupted run resumes.")]


WorkOption = Annotated[Path, typer.Option("--work", help="Folder for the converted files.")]


@app.command("count", no_args_is_help=True)
def count_command(
    file: FileArgument,
    target: Annotated[str, typer.Option("--target", help="Comma-separated: onnx, executorch or tflite.")],
    work: WorkOption,
    model: Annotated[str, typer.Option("--model", help="A registered model.")] = "pocketclip_nano",
    tower: Annotated[str, typer.Option("--tower", help="image or text.")] = "image",
    plans: Annotated[int, typer.Option("--plans", min=0, help="Random plans in addition to fp32 and int8.")] = 8,
    plan: Annotated[
        list[Path] | None, typer.Option("--plan", help="A plan.json to convert and count too. Repeatable.")
    ] = None,
    calibration: Annotated[str, typer.Option("--calibration", help="As for `pocketclip export`.")] = "scenes:8",
) -> None:
    """Converts a tower with random plans and counts each file's instructions on the emulated phone."""
    from pocketclip.benchmark.arm64.root import ensure_root
    from pocketclip.benchmark.precision_costs.measuring import counted_files
    from pocketclip.export.artifact.precision_plan import read_plan
    from pocketclip.export.inputs.calibration import parse_calibration
    from pocketclip.export.precision import Tower
    from pocketclip.export.targets import parse_targets

    emulator = ensure_root(command_line.note)
    chosen = command_line.parse_choice(Tower, "--tower", tower)
    own = [read_plan(each) for each in plan or []]
    request = parse_calibration(calibration)
    for each in parse_targets(target):
        for done in counted_files(file, work, emulator, model, chosen, each, count=plans, calibration=request, own=own):
            command_line.note(done)


@app.command("time", no_args_is_help=True)
def time_command(
    file: FileArgument,
    work: WorkOption,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Processes; each runs all files in turn.")] = 5,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Timed inferences of each file per process.")] = 40,
) -> None:
    """Times the converted files on this computer with one thread."""
    from pocketclip.benchmark.perf.measuring import TimingSettings
    from pocketclip.benchmark.precision_costs.measuring import timed_files

    for done in timed_files(file, work, TimingSettings(processes=processes, rounds=rounds)):
        command_line.note(done)


@app.command("fit", no_args_is_help=True)
def fit_command(file: FileArgument) -> None:
    """Fits cost factors for each target and processor and prints them with their errors."""
    from pocketclip.benchmark.precision_costs.fitting import fit_all
    from pocketclip.benchmark.precision_costs.measuring import read_measurements
    from pocketclip.benchmark.precision_costs.table import as_python

    print(as_python(fit_all(read_measurements(file).files)))


def main() -> None:
    """Runs the program."""
    command_line.run(app)


if __name__ == "__main__":
    main()
