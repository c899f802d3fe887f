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
    from pocketclip.benchmark.tune.studies import PreparedStudy, TuneOptions
    from pocketclip.benchmark.tune.trials import Trial


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
    distillation_weight: Annotated[
        float,
        typer.Option(
            "--distillation-weight", min=0.0, max=1.0, help="Share of the loss in which the unchanged model teaches."
        ),
    ] = 0.0,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train and judge, or know only cost and size.")
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
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Train and judge on the nodes of the fleet that this computer has joined."),
    ] = None,
    cores: Annotated[int, typer.Option("--cores", min=1, help="With --cluster: cores of a node for each trial.")] = 1,
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
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.benchmark.tune.confirming import UNTRAINED
    from pocketclip.benchmark.tune.studies import TuneOptions, prepare

    reference = explain or space
    if reference is None or (explain is not None and space is not None):
        raise OptionError("tune takes a space", fix="give one of --space and --explain")
    if confirm and not train:
        raise OptionError(UNTRAINED, fix="give one of them")
    options = TuneOptions(
        max_latency=max_latency,
        max_instructions=max_instructions,
        max_drop=max_drop,
        max_size=max_size,
        device=device,
        proxy=proxy,
        isa=isa,
        dataset=dataset,
        data_root=data_root,
        samples=samples,
        data=data,
        steps=_steps(steps),
        batch_size=batch_size,
        learning_rate=learning_rate,
        token_weight=token_weight,
        distillation_weight=distillation_weight,
        train=train,
        calibration=calibration,
        launches=launches,
        per_round=per_round,
        strategy=strategy,
        seed=seed,
        budget=budget,
        processes=processes,
        cluster=cluster,
        cores=cores,
        torch_device=torch_device,
        allow_invalid=allow_invalid,
        devices=devices,
    )
    prepared = prepare(reference, options, trials=trials, say=command_line.note)
    name = study or Path(reference).stem
    if explain is not None:
        _explain(prepared.space, prepared.settings, trials, name, store)
        return
    _tune(prepared, options, name, most=trials, out=out, store=store, confirm=confirm, page=page)


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
    prepared: PreparedStudy,
    options: TuneOptions,
    name: str,
    *,
    most: int,
    out: Path | None,
    store: str,
    confirm: bool,
    page: Path | None,
) -> None:
    from pocketclip.benchmark.commands.compare import comparison_table
    from pocketclip.benchmark.commands.tune_table import front_table, rejected_lines
    from pocketclip.benchmark.commands.tune_watch import tune_watch
    from pocketclip.benchmark.errors import LimitsError
    from pocketclip.benchmark.tune.studies import carry_out

    space, settings = prepared.space, prepared.settings
    with tune_watch(space, settings, most) as watch:
        found = carry_out(prepared, options, name, trials=most, out=out, store=store, watch=watch)
    console = command_line.console()
    console.print(front_table(space, settings, found.trials))
    console.print(f"{len(found.trials)} trials: {', '.join(rejected_lines(found.trials))}")
    error = found.cost_error
    if error is not None:
        console.print(
            f"the model of {settings.cost} is off by {100 * error.median:.1f} % (median; at worst "
            f"{100 * error.worst:.0f} %), each of {error.trials} trials predicted from the others"
        )
    if page is not None:
        found.page(page)
        command_line.note(f"wrote {page}")
    missed = found.nearest
    if missed is not None:
        raise LimitsError(
            f"none of {len(found.trials)} trials meets the limits; the nearest is trial {missed.trial.number}: "
            f"{'; '.join(missed.words)}",
            fix="loosen a limit in a new --study, or give more --trials",
        )
    if confirm:
        with command_line.progress() as bar:
            confirmed = found.confirm(on_progress=command_line.shown_on(bar, "launching"))
        for each in confirmed:
            if not each.comparisons:
                console.print(f"trial {each.trial.number} was not measured again: its files are the unchanged model's")
                continue
            console.print(f"trial {each.trial.number} against the unchanged model, measured again in turns:")
            console.print(comparison_table(each.comparisons))
