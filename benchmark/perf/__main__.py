"""`python -m pocketclip.benchmark.perf`: times PocketCLIP's exports against the converters' plain calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.models.terminal import command_line

app = command_line.new_app(
    "pocketclip.benchmark.perf", "Times PocketCLIP's exports against the converters' plain calls."
)


@app.command(no_args_is_help=True)
def perf_command(
    model: Annotated[list[str], typer.Option("--model", help="A registered model or configuration. Repeatable.")],
    weights: command_line.WeightsOption = None,
    target: Annotated[str, typer.Option("--target", help="Comma-separated targets.")] = "onnx,executorch,tflite",
    tower: Annotated[str, typer.Option("--tower", help="image, text or both.")] = "both",
    out: Annotated[Path, typer.Option("--out", help="Folder for the artefacts.")] = Path("artifacts"),
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes per file; five or more give intervals.")
    ] = 7,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Inferences of each file per process.")] = 16,
    json: Annotated[Path, typer.Option("--json", help="JSON file for the samples.")] = Path("results/perf.json"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Exports missing artefacts, times everything and reports missed goals."""
    import datetime

    from pocketclip.benchmark.errors import MeasurementError
    from pocketclip.benchmark.perf import table
    from pocketclip.benchmark.perf.comparison_records import PerfRecord, PerfReport
    from pocketclip.benchmark.perf.exports import Subject, make_candidates
    from pocketclip.benchmark.perf.goals import judge
    from pocketclip.benchmark.perf.measuring import TimedGroup, TimingSettings, time_group
    from pocketclip.benchmark.platforms.host import host_facts
    from pocketclip.export.inputs.calibration import GENERATED_SCENES
    from pocketclip.export.precision import Tower, host_instruction_set
    from pocketclip.export.targets import TARGETS, parse_targets
    from pocketclip.models import complexity, documents
    from pocketclip.models.registry import resolve_config

    towers = list(Tower) if tower == "both" else [command_line.parse_choice(Tower, "--tower", tower)]
    facts = host_facts("host")
    isa = host_instruction_set(facts.machine)
    groups: list[TimedGroup] = []
    failures: list[str] = []
    for name in model:
        counted = complexity.measure(resolve_config(name, (), weights))
        for chosen in towers:
            subject = Subject(name, weights, chosen, out, GENERATED_SCENES, isa)
            candidates, failed = make_candidates(subject, parse_targets(target), command_line.note)
            failures += map(str, failed)
            for runtime in dict.fromkeys(TARGETS[each].runtime for each in parse_targets(target)):
                mine = [each for each in candidates if each.runtime == runtime]
                if mine:
                    flops = (counted.image if chosen is Tower.IMAGE else counted.text).flops
                    files = {each.label.removesuffix(f"-{isa}"): each.files[0] for each in mine}
                    sample = mine[0].inputs[:1]
                    groups.append(TimedGroup(counted.name, chosen, runtime, flops, files, dict.fromkeys(files, sample)))
    settings = TimingSettings(processes=processes, rounds=rounds)
    records: list[PerfRecord] = []
    with command_line.progress() as progress:
        task = progress.add_task("timing", total=len(groups))
        for group in groups:
            progress.update(task, description=f"{group.model} {group.tower} {group.runtime}")
            try:
                records.append(time_group(group, settings))
            except MeasurementError as error:
                failures.append(str(error))
            report = PerfReport(
                datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), facts.cpu, facts.isa, tuple(records)
            )
            # After each: what was timed must outlive an interruption.
            json.parent.mkdir(parents=True, exist_ok=True)
            documents.write(report, json)
            progress.advance(task)
    if markdown:
        print(table.markdown(records))
    else:
        command_line.console().print(table.perf_table(records))
    for each in (each for record in records for each in judge(record) if not each.met):
        command_line.note(
            f"goal missed: {each.goal.runtime} {each.goal.tower} {each.goal.label}: {each.ratio.median:.3f} of "
            f"{each.goal.base}, goal {each.goal.at_most:.2f}"
        )
    if failures:
        for failure in failures:
            command_line.note(f"failed: {failure}")
        raise MeasurementError(f"{len(failures)} files could not be made or timed", fix="see above")


def main() -> None:
    """Runs the program."""
    command_line.run(app)


if __name__ == "__main__":
    main()
