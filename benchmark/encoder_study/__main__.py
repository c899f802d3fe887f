"""`python -m pocketclip.benchmark.encoder_study`: the study of `docs/encoders.md`, resumable at any moment."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pocketclip.benchmark.encoder_study.runs import StudySettings
    from pocketclip.benchmark.encoder_study.study_records import RunKey, Start, StudyRun, StudySpeed
    from pocketclip.benchmark.encoder_study.variants import Variant
    from pocketclip.export.precision import TargetName

app = command_line.new_app(
    "pocketclip.benchmark.encoder_study", "Trains and measures modifications of the encoders, and writes the table."
)


@app.command()
def study_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for runs and artefacts.")] = Path("runs/encoders"),
    records: Annotated[
        Path | None, typer.Option("--records", help="Folder for results of runs and for speeds (default: --out).")
    ] = None,
    pictures: Annotated[
        Path, typer.Option("--pictures", help="The set that `pocketclip data build pictures` has built.")
    ] = Path("data/pictures"),
    size: Annotated[str, typer.Option("--size", help="nano, or s0: latency and instructions only.")] = "nano",
    variant: Annotated[
        list[str] | None, typer.Option("--variant", help="A modification (default: all). Repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each modification and start.")] = 3,
    start: Annotated[str, typer.Option("--start", help="fresh, inherited or both.")] = "both",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Training steps from fresh weights.")] = 400,
    inherited_steps: Annotated[
        int, typer.Option("--inherited-steps", min=1, help="Training steps from the shipped model's weights.")
    ] = 300,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples per step.")] = 128,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=1e-9, help="Peak learning rate.")] = 1.5e-3,
    scenes: Annotated[int, typer.Option("--scenes", min=1, help="Scenes to train on.")] = 20_000,
    token_weight: Annotated[
        float, typer.Option("--token-weight", min=0.0, help="Weight of predicting pictures' captions from images.")
    ] = 1.0,
    rand_augment: Annotated[bool, typer.Option(help="Apply two RandAugment operations to pictures.")] = True,
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Samples of each split to judge (default: all).")
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Runs at the same time.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Train on the nodes of the fleet that this computer has joined; share --out."),
    ] = None,
    cores: Annotated[int, typer.Option("--cores", min=1, help="With --cluster: cores of a node for each run.")] = 1,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    launches: Annotated[int, typer.Option("--launches", min=2, help="Launches of each artefact in the session.")] = 10,
    speed: Annotated[bool, typer.Option("--speed/--no-speed", help="Measure latency on this computer.")] = True,
    target: Annotated[str, typer.Option("--target", help="Comma-separated targets to measure.")] = "onnx,tflite",
    counts: Annotated[
        bool, typer.Option("--counts/--no-counts", help="Count instructions on the emulated phone.")
    ] = True,
    train: Annotated[bool, typer.Option("--train/--no-train", help="Train what is missing.")] = True,
    page: Annotated[Path | None, typer.Option("--page", help="Markdown file for the tables.")] = None,
) -> None:
    """Measures all variants, trains what is missing, and writes tables and pictures of what is there."""
    from dataclasses import replace

    from pocketclip.benchmark.encoder_study.runs import StudySettings
    from pocketclip.benchmark.encoder_study.speed import SpeedSettings, measure_speed, read_speed
    from pocketclip.benchmark.encoder_study.study_records import Start, TrainingBudget
    from pocketclip.benchmark.encoder_study.variants import Size, choose_variants
    from pocketclip.export.targets import parse_targets
    from pocketclip.models import atomic

    chosen_size = command_line.parse_choice(Size, "--size", size)
    starts = tuple(Start) if start == "both" else (command_line.parse_choice(Start, "--start", start),)
    variants = choose_variants(variant or (), chosen_size)
    targets = parse_targets(target)
    kept = out if records is None else records
    for folder in (out, kept):
        with atomic.storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    if speed:
        measured = measure_speed(
            SpeedSettings(out, kept, chosen_size, targets, launches, counts=counts), variants, command_line.note
        )
    else:
        measured = read_speed(kept, chosen_size)
    runs: list[StudyRun] = []
    if chosen_size is Size.NANO:
        # A batch of four holds three pictures and a scene. So few steps from fresh weights teach nothing of pictures.
        inherited = TrainingBudget(inherited_steps, batch_size, learning_rate, scenes, 3, token_weight, rand_augment)
        fresh = replace(inherited, steps=steps, picture_share=0, token_weight=0.0, rand_augment=False)
        budgets = {Start.FRESH: fresh, Start.INHERITED: inherited}
        settings = StudySettings(out, kept, pictures, budgets, device, None, samples)
        if cluster is not None:
            # On nodes, whose working folders are others.
            settings = replace(settings, out=out.resolve(), records=kept.resolve(), pictures=pictures.resolve())
        on = None if cluster is None else (cluster, cores)
        runs = _runs(settings, variants, range(1, seeds + 1), starts, processes, on, train=train)
    _write(out, variants, runs, measured, targets, page)


def _runs(
    settings: StudySettings,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    starts: Sequence[Start],
    processes: int,
    on: tuple[str, int] | None,
    *,
    train: bool,
) -> list[StudyRun]:
    """The finished runs, after what is missing was trained: a seed of all variants before the next seed."""
    from pocketclip.benchmark.encoder_study.runs import finished
    from pocketclip.benchmark.encoder_study.study_records import RunKey

    keys = [(variant, RunKey(variant.name, seed, start)) for start in starts for seed in seeds for variant in variants]
    found = {key: run for _, key in keys if (run := finished(settings, key)) is not None}
    missing = [(variant, key) for variant, key in keys if key not in found]
    command_line.note(f"{len(found)} of {len(keys)} runs are there")
    if train:
        for run in _train(settings, missing, processes) if on is None else _train_on_nodes(settings, missing, *on):
            found[run.key] = run
            command_line.note(_line(run, len(found), len(keys)))
    return [found[key] for _, key in keys if key in found]


def _train(settings: StudySettings, missing: Sequence[tuple[Variant, RunKey]], processes: int) -> Iterator[StudyRun]:
    """Each run as it ends."""
    import os
    from concurrent.futures import as_completed
    from dataclasses import replace

    from pocketclip.benchmark.encoder_study.runs import make_run
    from pocketclip.models.processes import worker_pool

    if processes == 1 or len(missing) < 2:
        for variant, key in missing:
            with command_line.progress() as bar:
                task = bar.add_task(key.name, total=settings.budgets[key.start].steps)
                run = make_run(settings, variant, key, functools.partial(_moved, bar, task))
            yield run
        return
    shared = replace(settings, threads=max(1, (os.cpu_count() or 1) // processes))
    with worker_pool(
        processes,
        ended="a process that trained a run was ended from outside, or crashed",
        fix="run the same command again: it goes on with what is missing",
        # Converters and runtimes leave threads and memory behind.
        tasks_per_process=1,
    ) as pool:
        for ended in as_completed([pool.submit(make_run, shared, variant, key) for variant, key in missing]):
            yield ended.result()


def _train_on_nodes(
    settings: StudySettings, missing: Sequence[tuple[Variant, RunKey]], cluster: str, cores: int
) -> Iterator[StudyRun]:
    """Each run as it ends on a node, in the folders that all nodes share."""
    from dataclasses import replace

    from pocketclip.benchmark.api.fleet_nodes import joined_nodes
    from pocketclip.benchmark.encoder_study.runs import make_run
    from pocketclip.benchmark.fleet.nodes import Call
    from pocketclip.models.errors import PocketClipError

    shared = replace(settings, threads=cores)
    calls = [Call(key.name, make_run, (shared, variant, key)) for variant, key in missing]
    with joined_nodes(cluster) as nodes:
        for _, run in nodes.run(calls, cores=cores):
            if isinstance(run, PocketClipError):
                raise run
            yield run


def _moved(bar: Progress, task: TaskID, step: int) -> None:
    bar.update(task, completed=step)


def _line(run: StudyRun, done: int, total: int) -> str:
    from pocketclip.export.precision import Precision

    shares = [
        f"{each.split.removeprefix('pictures-')} {each.right.mean():.1%}"
        for each in run.answers
        if each.precision is Precision.FP32
    ]
    return f"{done} of {total}: {run.key.name}: {', '.join(shares)}; {run.training_seconds:.0f} s"


def _write(
    out: Path,
    variants: Sequence[Variant],
    runs: Sequence[StudyRun],
    speed: StudySpeed | None,
    targets: Sequence[TargetName],
    page: Path | None,
) -> None:
    from pocketclip.benchmark.encoder_study.page import Study, markdown
    from pocketclip.benchmark.encoder_study.pictures import draw_pictures
    from pocketclip.benchmark.encoder_study.runs import SPLITS
    from pocketclip.models import atomic

    study = Study(tuple(variants), tuple(runs), speed, SPLITS, tuple(targets), "make study-encoders")
    target = page or out / "encoders.md"
    drawn = draw_pictures(study, target.parent / "images")
    atomic.write_text(target, markdown(study, [path.relative_to(target.parent) for path in drawn]))
    command_line.note(f"wrote {target}")


def main() -> None:
    """Entry of the command."""
    command_line.run(app)


if __name__ == "__main__":
    main()
