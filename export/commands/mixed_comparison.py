"""Compares fp32, uniform int8 and mixed artefacts in a Markdown table.

    python -m pocketclip.export.commands.mixed_comparison --model pocketclip_nano --target onnx --max-drop cosine=0.999

Latencies are medians of runs in this process, on one thread. Runs of the artefacts alternate, so latencies compare only
the artefacts of one table. Cosines compare with PyTorch in fp32, on parity samples, which no search has used.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    import numpy as np

    from pocketclip.export.artifact.precision_plan import PrecisionPlan
    from pocketclip.export.job import ExportJob
    from pocketclip.export.runtimes import Session
    from pocketclip.models.towers.clip import AnyModel

app = command_line.new_app("comparison", "Compares mixed and uniform precision: size, latency, cosine.")

_WARM_UPS = 3


@dataclass(frozen=True)
class Row:
    """An artefact: its name, how many of how many units it keeps, its size, and what was measured."""

    name: str
    kept: str
    size_bytes: int
    latency_ms: float
    cosine_mean: float
    cosine_p1: float

    def markdown(self) -> str:
        return (
            f"| {self.name} | {self.kept} | {self.size_bytes / 1e6:.2f} MB | {self.latency_ms:.2f} ms | "
            f"{self.cosine_mean:.5f} | {self.cosine_p1:.5f} |"
        )


@app.command()
def compare_command(
    target: Annotated[str, typer.Option("--target", help="onnx, executorch or tflite.")],
    max_drop: Annotated[list[str], typer.Option("--max-drop", help="A drop budget. Repeatable; each adds a row.")],
    model: command_line.ModelOption = "pocketclip_nano",
    weights: command_line.WeightsOption = None,
    tower: Annotated[str, typer.Option("--tower", help="image or text.")] = "image",
    quantize: Annotated[str, typer.Option("--quantize", help="The precision to mix.")] = "int8-static",
    calibration: Annotated[str, typer.Option("--calibration", help="As for `pocketclip export`.")] = "scenes",
    samples: Annotated[int, typer.Option("--samples", min=8, help="Parity samples for the cosines.")] = 256,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Timed runs per artefact.")] = 100,
    out: Annotated[Path, typer.Option("--out", help="Folder for the sensitivities.")] = Path("artifacts"),
) -> None:
    """Prints a table with fp32, the uniform precision, and one mixed artefact for each budget."""
    import functools
    from dataclasses import replace

    from pocketclip.export.artifact.drop_budget import parse_max_drop
    from pocketclip.export.inputs.calibration import parse_calibration
    from pocketclip.export.jobs.planning import make_plan
    from pocketclip.export.mixed.command import with_mixed
    from pocketclip.models.registry import build_model, choose_model

    # A model without trained weights is compared with fresh ones.
    plan = functools.partial(make_plan, choose_model(model, (), weights), calibration=parse_calibration(calibration))
    uniform = plan(target, quantize, tower, out).jobs[0]
    base = plan(target, "fp32", tower, out).jobs[0]
    mixed = [with_mixed([uniform], str(parse_max_drop(text)), None, [])[0] for text in max_drop]
    built = build_model(uniform.config, uniform.weights)
    jobs = [base, uniform, *(replace(job, out=out) for job in mixed)]
    with tempfile.TemporaryDirectory(prefix="pocketclip-comparison-") as scratch:
        rows = _compare(jobs, built, Path(scratch), samples=samples, rounds=rounds)
    print(f"{uniform.config.name}, {tower} tower, {uniform.target}:\n")
    print("| precision | units kept | size | median latency | mean cosine | p1 cosine |")
    print("|---|---|---|---|---|---|")
    print("\n".join(row.markdown() for row in rows))


def _compare(jobs: Sequence[ExportJob], model: AnyModel, scratch: Path, *, samples: int, rounds: int) -> list[Row]:
    import numpy as np
    import torch

    from pocketclip.export.inputs.samples import parity_inputs
    from pocketclip.export.parity.measures import cosines, run_session
    from pocketclip.export.passes.tower_module import tower_module
    from pocketclip.export.targets import load_target

    inputs = parity_inputs(model.config, jobs[0].tower)
    # Evenly spaced, so that scenes and photographs both appear.
    inputs = inputs[:: max(1, len(inputs) // samples)][:samples]
    module = tower_module(model, jobs[0].tower)
    with torch.inference_mode():
        expected = np.concatenate([module(torch.from_numpy(array)).numpy() for array in inputs])
    made: list[tuple[str, str, int, Session]] = []
    for place, job in enumerate(jobs):
        folder = scratch / str(place)
        folder.mkdir()
        entry_point, plan, size = _converted(job, model, folder)
        name = str(job.precision) if job.budget is None else f"{job.precision}, {job.budget}"
        made.append((name, _kept(plan), size, load_target(job.target).open(folder / entry_point, threads=1)))
        command_line.note(f"converted {job.label}")
    found = [cosines(expected, run_session(session, inputs)) for *_, session in made]
    times = _interleaved([session for *_, session in made], inputs[0], rounds)
    for *_, session in made:
        session.close()
    return [
        Row(name, kept, size, 1e3 * latency, float(cosine.mean()), float(np.percentile(cosine, 1)))
        for (name, kept, size, _), cosine, latency in zip(made, found, times, strict=True)
    ]


def _converted(job: ExportJob, model: AnyModel, folder: Path) -> tuple[str, PrecisionPlan | None, int]:
    """The model's name in the folder, its plan, and its size in bytes."""
    from pocketclip.export.artifact.precision_plan import PLAN_NAME
    from pocketclip.export.inputs.calibration import load_calibration
    from pocketclip.export.mixed import lowering
    from pocketclip.export.passes.tower_module import INPUT_NAMES, OUTPUT_NAME, example_input, tower_module
    from pocketclip.export.targets import load_target
    from pocketclip.export.targets.base import LoweringRequest

    needed = job.precision.needs_calibration
    request = LoweringRequest(
        module=tower_module(model, job.tower),
        example=example_input(model, job.tower),
        input_name=INPUT_NAMES[job.tower],
        output_name=OUTPUT_NAME,
        precision=job.precision,
        calibration=load_calibration(job.calibration, job.config, job.tower).inputs if needed else (),
    )
    entry_point, plan = lowering.lower(load_target(job.target), request, folder, job, model)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != PLAN_NAME]
    return entry_point, plan, sum(path.stat().st_size for path in files)


def _kept(plan: PrecisionPlan | None) -> str:
    return "" if plan is None or plan.search is None else f"{plan.search.kept} of {plan.search.units}"


def _interleaved(
    sessions: Sequence[Session], inputs: np.ndarray, rounds: int, clock: Callable[[], int] = time.perf_counter_ns
) -> list[float]:
    """Median seconds of each session, one run of each after the other, so that what disturbs one disturbs all."""
    taken: list[list[int]] = [[] for _ in sessions]
    for turn in range(_WARM_UPS + rounds):
        for session, times in zip(sessions, taken, strict=True):
            start = clock()
            session.run([inputs])
            if turn >= _WARM_UPS:
                times.append(clock() - start)
    return [statistics.median(times) / 1e9 for times in taken]


if __name__ == "__main__":
    command_line.run(app)
