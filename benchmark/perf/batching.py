"""`python -m pocketclip.benchmark.perf.batching`: does an image tower that takes several photographs at once pay?

The same tower is exported for several batches, and its files are timed in turn. What a photograph costs is the time of
an inference by its batch. `python -m pocketclip.benchmark.arm64 batches` counts instructions of the same towers.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.errors import PocketClipError
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.perf.candidates import Candidate
    from pocketclip.benchmark.perf.comparison_records import PerfRecord
    from pocketclip.export.precision import InstructionSet

app = command_line.new_app(
    "pocketclip.benchmark.perf.batching", "Times an image tower that takes several photographs at once."
)
_COLUMNS = ("model", "runtime", "precision", "batch", "a photograph", "of batch 1")

ModelOption = Annotated[list[str], typer.Option("--model", help="A registered model or configuration. Repeatable.")]
TargetOption = Annotated[str, typer.Option("--target", help="Comma-separated targets: onnx, executorch, tflite.")]
PrecisionOption = Annotated[str, typer.Option("--quantize", help="Comma-separated precisions.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the artefacts.")]
BatchOption = Annotated[str, typer.Option("--batch", help="Comma-separated numbers of photographs, from 1 on.")]


@dataclass(frozen=True)
class BatchedTower:
    """An image tower of one model, to be exported for several batches."""

    model: str
    weights: str | None
    targets: str
    precisions: str
    batches: Sequence[int]
    isa: InstructionSet


def parse_batches(text: str) -> list[int]:
    """Numbers of photographs, 1 first.

    Raises:
        OptionError: one is no whole number of at least 1.
    """
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.export.precision import MOST_IN_BATCH

    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= MOST_IN_BATCH for word in words):
        raise OptionError(
            f"--batch {text!r} is no list of numbers from 1 to {MOST_IN_BATCH}", fix="give for example --batch 1,4"
        )
    return sorted({1, *map(int, words)})


def table_head() -> str:
    """The first two lines of a Markdown table of batches."""
    return f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"


def table_row(model: str, candidate: Candidate, cost: str, against: str) -> str:
    """A line of it: what a photograph costs, and how that is to what it costs alone."""
    words = (model, candidate.runtime, precision_of(candidate), str(candidate.batch), cost, against)
    return f"| {' | '.join(words)} |"


def make_candidates(tower: BatchedTower, out: Path, say: Callable[[str], object]) -> list[Candidate]:
    """The tower's artefacts for each target, precision and batch; exports what is not there yet.

    Args:
        tower: what to export.
        out: folder for the artefacts.
        say: told in words what goes on.

    Raises:
        PocketClipError: the model, its weights or a target cannot be used, or an export failed.
    """
    from pocketclip.benchmark.perf.candidates import candidate_of
    from pocketclip.export.api import ExportOptions, export_all
    from pocketclip.export.artifact.reading import load_artifact
    from pocketclip.export.commands.outcomes import one_line
    from pocketclip.models.api import Model
    from pocketclip.models.registry import choose_model

    # What runs faster does not depend on the weights: a model that has none gets fresh ones.
    model = Model(choose_model(tower.model, (), tower.weights))
    found: list[Candidate] = []
    for batch in tower.batches:
        outcomes = export_all(
            model,
            target=tower.targets,
            precision=tower.precisions,
            tower="image",
            out=out,
            options=ExportOptions(isa=tower.isa, batch=batch),
            on_outcome=lambda outcome: say(one_line(outcome)),
        )
        for _, result in outcomes:
            if isinstance(result, PocketClipError):
                raise result
            found.append(candidate_of(load_artifact(result.folder)))
    # By runtime and precision, the smallest batch first.
    return sorted(found, key=lambda each: (each.runtime, precision_of(each), each.batch))


def groups_of(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates of one runtime and precision, which differ by their batch alone."""
    return [list(group) for _, group in groupby(candidates, lambda each: (each.runtime, precision_of(each)))]


def precision_of(candidate: Candidate) -> str:
    """The precision in a candidate's label."""
    return candidate.label.partition("-batch")[0]


@app.command(no_args_is_help=True)
def batching_command(
    model: ModelOption,
    weights: command_line.WeightsOption = None,
    target: TargetOption = "onnx,executorch,tflite",
    precision: PrecisionOption = "fp32",
    batch: BatchOption = "1,2,4,8",
    out: OutOption = Path("artifacts"),
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes per runtime; five or more give intervals.")
    ] = 7,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Inferences of each file per process.")] = 16,
) -> None:
    """Prints a Markdown table of what a photograph takes, on one thread of this computer."""
    from pocketclip.benchmark.perf.measuring import TimedGroup, TimingSettings, time_group
    from pocketclip.benchmark.platforms.host import host_facts
    from pocketclip.export.precision import host_instruction_set

    batches = parse_batches(batch)
    # Indexing runs one file alone, whose weights stay in the caches.
    settings = TimingSettings(processes=processes, rounds=rounds, untimed=2)
    isa = host_instruction_set(host_facts("host").machine)
    print(table_head())
    for name in model:
        tower = BatchedTower(name, weights, target, precision, batches, isa)
        for group in groups_of(make_candidates(tower, out, command_line.note)):
            files = {each.label: each.files[0] for each in group}
            inputs = {each.label: each.inputs[: each.batch] for each in group}
            command_line.note(f"timing {group[0].name}")
            record = time_group(TimedGroup(name, "image", group[0].runtime, 0, files, inputs), settings)
            for row in _rows(record, group):
                print(row, flush=True)


def _rows(record: PerfRecord, group: Sequence[Candidate]) -> Iterator[str]:
    """A line for each batch; the first is that of a single photograph."""
    from pocketclip.benchmark.perf.table import ratio_words

    alone = group[0].label
    for each in group:
        spent_ms = statistics.median(record.medians_ns(each.label)) / each.batch / 1e6
        whole = record.ratio(each.label, alone)
        ratio = replace(whole, values=tuple(value / each.batch for value in whole.values))
        against = "" if each.label == alone else ratio_words(ratio)
        yield table_row(record.model, each, f"{spent_ms:.3f} ms", against)


def main() -> None:
    """Entry of the command."""
    command_line.run(app)


if __name__ == "__main__":
    main()
