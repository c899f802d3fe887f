"""A rung of a changed model's training: from the base's weights, or from those of the rung before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.models.run_folder import CONFIG_FILE, own_weights


def train_rung(
    settings: StudySettings,
    changes: Sequence[str],
    rung: int,
    folder: Path,
    parent: Path | None,
    device: str,
    threads: int | None,
) -> None:
    """Trains in a folder of its own; goes on where an interrupted training stopped, and leaves a finished one alone.

    Args:
        settings: of the study.
        changes: of the base, as `--set` takes them.
        rung: which of `settings.training.steps`.
        folder: of the run.
        parent: the run of the rung before; None of the first.
        device: `auto`, `cpu` or `cuda`.
        threads: None takes all cores.

    Raises:
        PocketClipError: the training failed, or the data are not there.
    """
    from pocketclip.models.training.config import Recipe, TrainingConfig
    from pocketclip.models.training.trainer import train

    if own_weights(folder) is not None:
        return
    training = settings.training
    steps = training.steps[rung]
    base = settings.space.model
    distils = training.distillation_weight > 0
    config = TrainingConfig(
        base,
        steps=steps,
        recipe=Recipe.DISTILLATION if distils else Recipe.CONTRASTIVE,
        teachers=(base,) if distils else (),
        distillation_weight=training.distillation_weight if distils else None,
        data=training.data,
        changes=tuple(changes),
        init_from=base if parent is None else str(parent),
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        warmup_steps=min(100, steps),
        token_weight=training.token_weight,
        checkpoint_every=max(1, min(200, steps)),
        seed=settings.seed + rung,
        name=folder.name,
        keep_checkpoints=1,
    )
    train(config, folder, resume=(folder / CONFIG_FILE).is_file(), device=device, threads=threads)
