"""The commands of `pocketclip` that need no export: `models` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models import command_line


def models_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models to show; all of them by default.", show_default=False)
    ] = None,
) -> None:
    """Shows the models: parameters, GFLOPs and sizes of each tower, input size."""
    from rich.table import Table

    from models.complexity import measure
    from models.registry import MODELS, find_model

    chosen = names or list(MODELS)
    for name in chosen:
        find_model(name)
    table = Table(title="Models (branches folded; a multiply-add counts as two operations)")
    table.add_column("model")
    table.add_column("tower")
    for heading in ("input", "parameters", "GFLOPs", "fp32 size"):
        table.add_column(heading, justify="right")
    table.add_column("weights")
    for name in chosen:
        complexity = measure(name)
        shipped = "shipped" if MODELS[name].weights_path else "yours (--weights)"
        for tower, counted in (("image", complexity.image), ("text", complexity.text)):
            side = f"{counted.input_shape[-1]} px" if tower == "image" else f"{counted.input_shape[-1]} tokens"
            table.add_row(
                name if tower == "image" else "",
                tower,
                side,
                f"{counted.parameters / 1e6:.2f} M",
                f"{counted.flops / 1e9:.3f}",
                f"{counted.fp32_bytes / 1e6:.1f} MB",
                shipped if tower == "image" else "",
            )
    command_line.console().print(table)


def train_command(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: weights, log, resumable state.")],
    model: Annotated[str, typer.Option("--model", help="A registered model.")] = "pocketclip_nano",
    steps: Annotated[int, typer.Option("--steps", min=1)] = 1500,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2)] = 128,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Peak of the schedule.")] = 1.5e-3,
    scenes: Annotated[int, typer.Option("--scenes", min=2, help="Rendered scenes to train on.")] = 40_000,
    warmup_steps: Annotated[int, typer.Option("--warmup-steps", min=0)] = 100,
    checkpoint_every: Annotated[int, typer.Option("--checkpoint-every", min=1, help="In steps.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Trains a model on generated scenes by contrast (CLIP), with exact resume."""
    from models.registry import find_model
    from models.training.config import TrainingConfig

    find_model(model)
    config = TrainingConfig(
        model=model,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=min(warmup_steps, steps),
        scenes=scenes,
        checkpoint_every=checkpoint_every,
        seed=seed,
    )

    from models.training.trainer import StepReport, train

    command_line.note(f"rendering {scenes} scenes")
    with command_line.progress() as progress:
        task = progress.add_task("training", total=steps)

        def show(report: StepReport) -> None:
            progress.update(
                task,
                completed=report.step,
                description=f"loss {report.loss:.3f}, {report.samples_per_second:.0f} samples/s",
            )

        weights = train(config, out, resume=resume, report=show)
    command_line.note(f"wrote {weights}")
