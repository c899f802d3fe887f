"""The `tune` command: searches a space for the best trade-off of cost and accuracy, resumable at any moment.

Heavy imports live inside the functions: `--help` must not wait for torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import DevicesOption, StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.tune.points import SearchSpace
    from pocketclip.benchmark.tune.settings import StudySettings
    from pocketclip.benchmark.tune.trials import Trial
    from pocketclip.benchmark.tune.workshop import Workshop

_EMULATED = "emulator-arm64"
_TORCH_DEVICES = ("auto", "cpu", "cuda")
# Of the front at the end: as many as verdicts of one family need.
_CONFIRM_LAUNCHES = 10


def tune_command(
    space: Annotated[
        str | None, typer.Option("--space", help="What may vary: a TOML file, or a model that has a shipped space.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", help="Only say what a space holds and what a study of it costs.")
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Name of the study (default: the space's file name).")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="At most so many, earlier calls' included.")] = 24,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Begin no new round after so long, e.g. 2h; the next call goes on.")
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option("--max-latency", help="Of one image and one text, e.g. 8ms.")
    ] = None,
    max_instructions: Annotated[
        str | None, typer.Option("--max-instructions", help="The same with --proxy instructions, e.g. 20M.")
    ] = None,
    max_drop: Annotated[
        str | None, typer.Option("--max-drop", help="Accuracy lost against the unchanged model, e.g. 1.0pt.")
    ] = None,
    max_size: Annotated[str | None, typer.Option("--max-size", help="Model files of both towers, e.g. 40MB.")] = None,
    device: Annotated[str, typer.Option("--device", help="What measures, from `pocketclip devices`.")] = "host",
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", help="instructions: count those of an emulated Arm phone instead of timing."),
    ] = None,
    isa: Annotated[
        str | None, typer.Option("--for", help="Instruction set that exports are for: arm64, x86_64 or apple.")
    ] = None,
    dataset: Annotated[str, typer.Option("--dataset", help="What trials are judged on, as in `eval`.")] = "scenes",
    data_root: Annotated[Path, typer.Option("--data-root", help="Folder of the published data sets.")] = Path("data"),
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Samples of the data set to judge (default: all).")
    ] = None,
    data: Annotated[str, typer.Option("--data", help="What trials train on, as `train` takes it.")] = "scenes:20000",
    steps: Annotated[
        str, typer.Option("--steps", help="Training steps; several with commas: the better half goes on after each.")
    ] = "300",
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples per training step.")] = 128,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=1e-9, help="Peak learning rate.")] = 1.5e-3,
    token_weight: Annotated[
        float, typer.Option("--token-weight", min=0.0, help="Weight of predicting captions' tokens from images.")
    ] = 0.0,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train and judge, or know cost and size alone.")
    ] = True,
    calibration: Annotated[
        str, typer.Option("--calibration", help="Samples for static int8, as `export` takes them.")
    ] = "scenes",
    launches: Annotated[int, typer.Option("--launches", min=2, help="Launches of each trial's towers.")] = 5,
    per_round: Annotated[int, typer.Option("--per-round", min=1, help="Trials chosen at a time.")] = 4,
    strategy: Annotated[
        str, typer.Option("--strategy", help="How points are chosen: model, tpe (Optuna's), random or order.")
    ] = "model",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of choices and trainings.")] = 0,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Trials trained or judged at a time.")] = 1,
    torch_device: Annotated[
        str, typer.Option("--torch-device", help="Where PyTorch trains and judges: auto, cpu or cuda.")
    ] = "auto",
    allow_invalid: Annotated[
        bool, typer.Option("--allow-invalid", help="Also take latency measured under unfit conditions.")
    ] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="At the end, measure the front again beside the unchanged model.")
    ] = False,
    page: Annotated[Path | None, typer.Option("--page", help="Write the study's page to this HTML file.")] = None,
    devices: DevicesOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for trainings and artefacts (default: tune/STUDY).")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Searches a space of changed models, precisions and targets for the best trade-off. Resumable at any moment."""
    from pocketclip.benchmark.api.devices import known_devices
    from pocketclip.benchmark.devices import open_device
    from pocketclip.benchmark.devices.table import find_entry
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.benchmark.measuring.option_values import parse_duration_s
    from pocketclip.benchmark.tune.limits import Limit, Limits, parse_limit
    from pocketclip.benchmark.tune.points import open_space
    from pocketclip.benchmark.tune.settings import Strategy, StudySettings, TrainingSettings
    from pocketclip.benchmark.tune.space import read_space
    from pocketclip.benchmark.tune.trials import Cost
    from pocketclip.export.precision import InstructionSet
    from pocketclip.models.errors import choices

    reference = explain or space
    if reference is None or (explain is not None and space is not None):
        raise OptionError("tune takes a space", fix="give one of --space and --explain")
    cost = Cost.LATENCY
    if proxy is not None:
        if proxy != Cost.INSTRUCTIONS:
            raise OptionError(f"--proxy {proxy!r} is unknown", fix="choose instructions, or leave it out to time")
        cost = Cost.INSTRUCTIONS
        device = _EMULATED if device == "host" else device
    read = read_space(reference)
    settings = StudySettings(
        space=read,
        cost=cost,
        device=device,
        limits=Limits(
            latency_ns=parse_limit(Limit.LATENCY, max_latency),
            instructions=parse_limit(Limit.INSTRUCTIONS, max_instructions),
            drop_points=parse_limit(Limit.DROP, max_drop),
            size_bytes=parse_limit(Limit.SIZE, max_size),
        ),
        train=train,
        dataset=dataset,
        samples=samples,
        training=TrainingSettings(
            steps=_steps(steps),
            data=data,
            batch_size=batch_size,
            learning_rate=learning_rate,
            token_weight=token_weight,
        ),
        calibration=calibration,
        isa=None if isa is None else command_line.parse_choice(InstructionSet, "--for", isa),
        launches=launches,
        strategy=command_line.parse_choice(Strategy, "--strategy", strategy),
        per_round=per_round,
        seed=seed,
    )
    if trials < per_round:
        raise OptionError(f"--trials {trials} leaves no room for a round of {per_round}", fix="give fewer --per-round")
    if torch_device not in _TORCH_DEVICES:
        raise OptionError(f"--torch-device {torch_device!r} is unknown", fix=f"choose among: {choices(_TORCH_DEVICES)}")
    table = known_devices(devices)
    find_entry(device, table)
    seconds = None if budget is None else parse_duration_s("--budget", budget)
    # The space is checked against the device before anything of it costs.
    opened = open_space(read, open_device(device, table, say=command_line.note))
    name = study or Path(reference).stem
    if explain is not None:
        _explain(opened, settings, trials, name, store)
        return
    _tune(
        opened,
        settings,
        name,
        out=out or Path("tune") / name,
        store=store,
        most=trials,
        budget_seconds=seconds,
        processes=processes,
        data_root=data_root,
        torch_device=torch_device,
        allow_invalid=allow_invalid,
        devices=devices,
        confirm_launches=max(_CONFIRM_LAUNCHES, launches) if confirm else None,
        page=page,
    )


def _steps(text: str) -> tuple[int, ...]:
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.models.untrusted.numbers import parse_whole

    found = [parse_whole(part) for part in text.split(",")]
    if len(found) > 8 or any(each is None or each < 1 for each in found):
        raise OptionError(f"--steps takes up to 8 numbers above zero with commas between them, got {text!r}")
    return tuple(each for each in found if each is not None)


def _explain(space: SearchSpace, settings: StudySettings, most: int, name: str, store: str) -> None:
    from pocketclip.benchmark.commands.tune_table import explained_lines
    from pocketclip.benchmark.errors import StoreError, StudyError
    from pocketclip.benchmark.tune.explain import estimate, explain
    from pocketclip.models.errors import MissingPackageError

    trials: Sequence[Trial] = ()
    try:
        from pocketclip.benchmark.tune.study_store import read_study

        with read_study(store, name) as study:
            if study.settings.space == settings.space:
                trials = study.trials(space)
    except (StoreError, StudyError, MissingPackageError) as error:
        command_line.note(f"note: the estimate is not from earlier trials: {error.what}")
    for line in explained_lines(space, explain(space), estimate(space, settings, trials, most)):
        command_line.console().print(line)


def _tune(
    space: SearchSpace,
    settings: StudySettings,
    name: str,
    *,
    out: Path,
    store: str,
    most: int,
    budget_seconds: float | None,
    processes: int,
    data_root: Path,
    torch_device: str,
    allow_invalid: bool,
    devices: Path | None,
    confirm_launches: int | None,
    page: Path | None,
) -> None:
    import os
    from functools import partial

    from pocketclip.benchmark.commands.tune_table import front_table, rejected_lines
    from pocketclip.benchmark.commands.tune_watch import tune_watch
    from pocketclip.benchmark.errors import LimitsError
    from pocketclip.benchmark.tune.front import nearest
    from pocketclip.benchmark.tune.page import study_page
    from pocketclip.benchmark.tune.prediction import Prediction
    from pocketclip.benchmark.tune.queueing import ProcessQueue
    from pocketclip.benchmark.tune.study_store import begin_study, check_name, keep_result
    from pocketclip.benchmark.tune.tuning import carry_on, held_study
    from pocketclip.benchmark.tune.workshop import WORKERS, Workshop, check_data
    from pocketclip.models import atomic

    check_name(name)
    check_data(settings, data_root)
    with atomic.storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // processes) if processes > 1 else None
    worker = Workshop(name, settings, out, store, data_root, threads, allow_invalid, torch_device, devices)
    with held_study(store, name), begin_study(store, name, settings) as study:
        queue = ProcessQueue(worker, partial(keep_result, store, name), processes, out / WORKERS)
        with tune_watch(space, settings, most) as watch:
            trials = carry_on(study, space, queue, most=most, budget_seconds=budget_seconds, watch=watch)
    console = command_line.console()
    console.print(front_table(space, settings, trials))
    console.print(f"{len(trials)} trials: {', '.join(rejected_lines(trials))}")
    error = Prediction(space, settings, trials).cost_error()
    if error is not None:
        console.print(
            f"the model of {settings.cost} is off by {100 * error.median:.1f} % (median; at worst "
            f"{100 * error.worst:.0f} %), each of {error.trials} trials predicted from the others"
        )
    if page is not None:
        atomic.write_text(page, study_page(name, space, settings, trials))
        command_line.note(f"wrote {page}")
    missed = nearest(trials, settings)
    if missed is not None:
        raise LimitsError(
            f"none of {len(trials)} trials meets the limits; the nearest is trial {missed.trial.number}: "
            f"{'; '.join(missed.words)}",
            fix="loosen a limit in a new --study, or give more --trials",
        )
    if confirm_launches is not None:
        _confirm(worker, trials, confirm_launches)


def _confirm(workshop: Workshop, trials: Sequence[Trial], launches: int) -> None:
    from pocketclip.benchmark.commands.compare import comparison_table
    from pocketclip.benchmark.tune.confirming import confirm

    with command_line.progress() as bar:
        found = confirm(workshop, trials, launches, on_progress=command_line.shown_on(bar, "launching"))
    console = command_line.console()
    for each in found:
        console.print(f"trial {each.trial.number} against the unchanged model, measured again in turns:")
        console.print(comparison_table(each.comparisons))
