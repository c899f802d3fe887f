"""The `train` command, for one process or, with `torchrun ... -m pocketclip.models.train`, several processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.models.inheritance import InheritanceReport
    from pocketclip.models.terminal.table import TerminalTable
    from pocketclip.models.training.data_notes import ReadNotes

_MODEL, _DATA, _SPEED, _RUN = "Model", "Data", "Optimisation", "Run"

_STEPS, _LEARNING_RATE = 1500, 1.5e-3
# A trained model moves little: its numbers go to the nearest grid points, some to the next.
_QAT_STEPS, _QAT_LEARNING_RATE = 400, 2e-5


def train_command(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the run: weights, log and checkpoints.", rich_help_panel=_RUN)
    ],
    model: command_line.ModelOption = "pocketclip_nano",
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the trained model (default: that of --model).", rich_help_panel=_MODEL),
    ] = None,
    changes: command_line.ChangesOption = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            "--init-from",
            help="Start with another model's weights: MODEL or MODEL=CHECKPOINT.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="contrastive, sigmoid, reinforced (stored teachers), distillation or affinity (live teachers). "
            "Default: contrastive; with --qat, distillation from the model that it starts from.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    teachers: Annotated[
        list[str] | None,
        typer.Option("--teacher", help="A teacher: MODEL or MODEL=CHECKPOINT. Repeatable.", rich_help_panel=_MODEL),
    ] = None,
    distillation_weight: Annotated[
        float | None,
        typer.Option(
            "--distillation-weight",
            min=0.0,
            max=1.0,
            help="Share of distillation in the loss; the contrastive term has the rest.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    qat: Annotated[
        str | None,
        typer.Option(
            "--qat",
            help="Train for quantisation, from --init-from or --model on: int8-static, int4-weights (ONNX, Core ML) or "
            "int4-channels (LiteRT's int4-weights).",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    token_weight: Annotated[
        float,
        typer.Option(
            "--token-weight",
            min=0.0,
            help="Weight of predicting a caption's tokens from its image; 0 leaves it out.",
            rich_help_panel=_MODEL,
        ),
    ] = 0.0,
    memory: Annotated[
        int,
        typer.Option(
            "--memory",
            min=0,
            help="Earlier samples whose embeddings are further negatives; 0 leaves them out.",
            rich_help_panel=_MODEL,
        ),
    ] = 0,
    teacher_dims: Annotated[
        str | None,
        typer.Option(
            "--teacher-dims",
            help="Widths of stored embeddings, e.g. 768,768 for DataCompDR (default: read from beside the shards).",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="scenes:COUNT, webdataset:PATTERN, csv:FILE or folder:PATH; several as A + 3*B, by their shares.",
            rich_help_panel=_DATA,
        ),
    ] = "scenes:40000",
    validation: Annotated[
        str | None,
        typer.Option("--validation", help="Like --data; selects the best checkpoint.", rich_help_panel=_DATA),
    ] = None,
    validation_samples: Annotated[
        int, typer.Option("--validation-samples", min=2, help="Samples for validation.", rich_help_panel=_DATA)
    ] = 240,
    crop_scale: Annotated[
        tuple[float, float],
        typer.Option("--crop-scale", help="Minimum and maximum share of the image in a crop.", rich_help_panel=_DATA),
    ] = (0.9, 1.0),
    rand_augment: Annotated[
        bool,
        typer.Option(
            "--rand-augment",
            help="Apply two RandAugment operations after the crop (not to scenes or reinforced data).",
            rich_help_panel=_DATA,
        ),
    ] = False,
    max_skipped: Annotated[
        float,
        typer.Option("--max-skipped", help="Maximum share of unusable samples, 0 to 1.", rich_help_panel=_DATA),
    ] = 0.05,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="Compute threads per process (default: by physical cores).", rich_help_panel=_SPEED
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Processes that prepare data (default: by cores).", rich_help_panel=_DATA
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=1,
            help="Training steps (default: 1500; with --qat 400).",
            rich_help_panel=_SPEED,
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=2, help="Samples per step, over all processes.", rich_help_panel=_SPEED)
    ] = 128,
    accumulation: Annotated[
        int,
        typer.Option(
            "--accumulation",
            min=1,
            help="Parts in which a process computes its share of a batch.",
            rich_help_panel=_SPEED,
        ),
    ] = 1,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            help="Peak learning rate (default: 0.0015; with --qat 0.00002).",
            rich_help_panel=_SPEED,
        ),
    ] = None,
    weight_decay: Annotated[float, typer.Option("--weight-decay", help="Weight decay.", rich_help_panel=_SPEED)] = 0.05,
    warmup_steps: Annotated[
        int,
        typer.Option(
            "--warmup-steps", min=0, help="Warm-up steps, at most a tenth of --steps.", rich_help_panel=_SPEED
        ),
    ] = 100,
    autocast: Annotated[
        str, typer.Option("--autocast", help="Mixed precision: off, bf16 or fp16.", rich_help_panel=_SPEED)
    ] = "off",
    activation_checkpointing: Annotated[
        bool,
        typer.Option(
            "--activation-checkpointing", help="Use less memory and more computation.", rich_help_panel=_SPEED
        ),
    ] = False,
    ema_decay: Annotated[
        float | None,
        typer.Option("--ema-decay", help="Decay for averaging weights, e.g. 0.9995.", rich_help_panel=_SPEED),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.", rich_help_panel=_SPEED)] = "auto",
    checkpoint_every: Annotated[
        int, typer.Option("--checkpoint-every", min=1, help="Steps between checkpoints.", rich_help_panel=_RUN)
    ] = 200,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="Checkpoints to keep in addition to the best.", rich_help_panel=_RUN)
    ] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.", rich_help_panel=_RUN)] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the run's newest checkpoint.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Trains a model: contrastively, on reinforced data or from teachers. Resuming is exact."""
    # Threads that wait spinning take the processor from whoever works: several times slower beside other programs.
    # Read once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from pocketclip.models.quantization.schemes import QatScheme
    from pocketclip.models.registry import resolve_config
    from pocketclip.models.training.config import Autocast, Recipe, TrainingConfig

    design = resolve_config(model, changes or [])
    chosen = None if recipe is None else command_line.parse_choice(Recipe, "--recipe", recipe)
    precision = command_line.parse_choice(Autocast, "--autocast", autocast)
    scheme = None if qat is None else command_line.parse_choice(QatScheme, "--qat", qat)
    if scheme is not None:
        init_from = init_from or model
        name = name or f"{design.name}-{scheme}"
        if chosen is None and not teachers:
            # It learns to give what it gave before it was rounded.
            chosen, teachers = Recipe.DISTILLATION, [init_from]
            distillation_weight = 1.0 if distillation_weight is None else distillation_weight
    steps = steps or (_QAT_STEPS if scheme else _STEPS)
    if learning_rate is None:
        learning_rate = _QAT_LEARNING_RATE if scheme else _LEARNING_RATE
    config = TrainingConfig(
        model=model,
        name=name,
        changes=tuple(changes or ()),
        init_from=init_from,
        qat=scheme,
        recipe=chosen or Recipe.CONTRASTIVE,
        teachers=tuple(teachers or ()),
        teacher_dims=None if teacher_dims is None else _whole_numbers(teacher_dims),
        distillation_weight=distillation_weight,
        token_weight=token_weight,
        memory=memory,
        data=data,
        validation=validation,
        validation_samples=validation_samples,
        crop_scale=crop_scale,
        rand_augment=rand_augment,
        max_skipped_share=max_skipped,
        steps=steps,
        batch_size=batch_size,
        accumulation=accumulation,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        warmup_steps=min(warmup_steps, steps),
        autocast=precision,
        activation_checkpointing=activation_checkpointing,
        ema_decay=ema_decay,
        checkpoint_every=checkpoint_every,
        keep_checkpoints=keep,
        seed=seed,
    )

    from pocketclip.models.api import train
    from pocketclip.models.commands.train_display import training_display

    leads = os.environ.get("RANK", "0") == "0"
    if leads:
        what = model if scheme is None else f"{init_from} for {scheme}"
        command_line.note(f"training {what} on {data}, recipe {config.recipe}")
    with training_display(steps, visible=leads) as display:
        weights = train(
            config,
            out,
            resume=resume,
            device=device,
            workers=workers,
            threads=threads,
            on_step=display,
            on_inheritance=_print_inheritance,
        )
    if leads:
        _print_data_notes(out)
        command_line.note(display.summary(out, weights))


def _print_data_notes(folder: Path) -> None:
    from pocketclip.models.training.data_notes import read_data_notes

    notes = read_data_notes(folder)
    if notes is None:
        return
    _print_notes(notes, "", folder)
    if notes.validation is not None:
        _print_notes(notes.validation, "validation: ", folder)


def _print_notes(notes: ReadNotes, what: str, folder: Path) -> None:
    from pocketclip.models.data.left_out import described
    from pocketclip.models.pixels.colour_profiles import ignored_words
    from pocketclip.models.training.data_notes import DATA_FILE

    if notes.skipped:
        command_line.note(
            f"warning: {what}{notes.skipped} samples could not be used (first: {notes.first_skipped[0]}); "
            f"{folder / DATA_FILE} names more"
        )
    if words := described(notes.left_out_in_all):
        command_line.note(f"note: {what}{words}")
    if notes.ignored_profiles:
        command_line.note(f"note: {what}{ignored_words(notes.ignored_profiles, notes.first_ignored_profile)}")


def _whole_numbers(text: str) -> tuple[int, ...]:
    from pocketclip.models.errors import ConfigError
    from pocketclip.models.untrusted.numbers import parse_whole

    numbers = tuple(parse_whole(part) or 0 for part in text.split(","))
    if 0 in numbers:
        raise ConfigError(f"--teacher-dims takes comma-separated whole numbers, such as 768,768; got {text!r}")
    return numbers


def _print_inheritance(report: InheritanceReport) -> None:
    command_line.console().print(inheritance_table(report))


def inheritance_table(report: InheritanceReport) -> TerminalTable:
    """How many values of each part came from where; the last row has all."""
    from pocketclip.models.inheritance import Origin, origins_by_part
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    parts = origins_by_part(report).items()
    rows = [(part, *(f"{counts[origin]:,}" if counts[origin] else "" for origin in Origin)) for part, counts in parts]
    rows.append(("all", *(f"{report.values(origin):,}" for origin in Origin)))
    return TerminalTable((name_column("part"), *figure_columns(*Origin)), rows, title="Inherited weights, values")
