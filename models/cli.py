"""The commands of `pocketclip` that need no export: `models` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models import command_line

if TYPE_CHECKING:
    from models.complexity import ModelComplexity, TowerComplexity
    from models.inheritance import InheritanceReport


def models_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models or configuration files; all models by default.", show_default=False),
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Each figure also as a ratio to the first model.")] = False,
    changes: command_line.ChangesOption = None,
) -> None:
    """Shows the models: parameters, GFLOPs, activation memory and sizes of each tower, input size."""
    from rich import box
    from rich.table import Table

    from models.complexity import measure
    from models.registry import MODELS, resolve_config, shipped_weights

    configs = [resolve_config(name, changes or []) for name in names or MODELS]
    table = Table(
        title="Models (branches folded; a multiply-add counts as two operations)",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in ("model", "tower"):
        table.add_column(heading)
    for heading in ("input", "params\nM", "GFLOPs", "activations\nMB", "fp32\nMB"):
        table.add_column(heading, justify="right")
    table.add_column("weights")
    first: ModelComplexity | None = None
    for config in configs:
        complexity = measure(config)
        first = first or complexity
        for tower, counted, base in (
            ("image", complexity.image, first.image),
            ("text", complexity.text, first.text),
        ):
            figures = zip(_figures(counted), _figures(base), ("2f", "3f", "2f", "1f"), strict=True)
            table.add_row(
                config.name if tower == "image" else "",
                tower,
                f"{counted.input_shape[-1]} {'px' if tower == 'image' else 'tokens'}",
                *(
                    f"{value:.{digits}}" + (f" x{value / other:.2f}" if compare and complexity is not first else "")
                    for value, other, digits in figures
                ),
                ("shipped" if shipped_weights(config) else "yours") if tower == "image" else "",
            )
    command_line.console().print(table)


def _figures(tower: TowerComplexity) -> tuple[float, ...]:
    return tower.parameters / 1e6, tower.flops / 1e9, tower.activation_bytes / 1e6, tower.fp32_bytes / 1e6


def train_command(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: weights, log, resumable state.")],
    model: command_line.ModelOption = "pocketclip_nano",
    changes: command_line.ChangesOption = None,
    init_from: Annotated[
        str | None, typer.Option("--init-from", help="Start from another model's weights: MODEL or MODEL=CHECKPOINT.")
    ] = None,
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
    from models.registry import resolve_config
    from models.training.config import TrainingConfig

    resolve_config(model, changes or [])
    config = TrainingConfig(
        model=model,
        changes=tuple(changes or ()),
        init_from=init_from,
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

        weights = train(config, out, resume=resume, report=show, inherited=_print_inheritance)
    command_line.note(f"wrote {weights}")


def _print_inheritance(report: InheritanceReport) -> None:
    from rich.table import Table

    from models.inheritance import Origin, origins_by_part

    table = Table(title="Weights taken over, values")
    table.add_column("part")
    for origin in Origin:
        table.add_column(origin, justify="right")
    for part, counts in origins_by_part(report).items():
        table.add_row(part, *(f"{counts[origin]:,}" if counts[origin] else "" for origin in Origin))
    table.add_section()
    table.add_row("all", *(f"{report.values(origin):,}" for origin in Origin))
    command_line.console().print(table)
