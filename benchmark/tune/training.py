"""A rung of a changed model's training: from the base's weights, or from those of the rung before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import StudyError
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.models import documents
from pocketclip.models.run_folder import CONFIG_FILE, own_weights
from pocketclip.models.untrusted.printable import printable_line, printable_path

if TYPE_CHECKING:
    from pocketclip.models.training.config import TrainingConfig


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

    What is there already must be the training that is asked for: a study of the same name, but of another store, may
    have left it.

    Args:
        settings: of the study.
        changes: of the base, as `--set` takes them.
        rung: which of `settings.training.steps`.
        folder: of the run.
        parent: the run of the rung before; None of the first.
        device: `auto`, `cpu` or `cuda`.
        threads: None takes all cores.

    Raises:
        StudyError: the folder has a training with other settings.
        PocketClipError: the training failed, or the data are not there.
    """
    from pocketclip.models.training.config import Recipe, TrainingConfig
    from pocketclip.models.training.trainer import train

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
    begun, ended = (folder / CONFIG_FILE).is_file(), own_weights(folder) is not None
    if begun or ended:
        _check_same(config, folder)
    if not ended:
        train(config, folder, resume=begun, device=device, threads=threads)


def _check_same(config: TrainingConfig, folder: Path) -> None:
    from pocketclip.models.training.config import TrainingConfig

    earlier = documents.read(TrainingConfig, folder / CONFIG_FILE, error=StudyError)
    ours, theirs = documents.to_builtin(config), documents.to_builtin(earlier)
    # The rung before was checked when its own turn came; the path to it depends on where a command was started.
    for each in (ours, theirs):
        each["init_from"] = Path(each["init_from"] or "").name
    changed = [f"{name} {theirs[name]}, now {value}" for name, value in ours.items() if theirs[name] != value]
    if changed:
        words = printable_line("; ".join(changed))
        raise StudyError(
            f"the training in {printable_path(folder)} has other settings ({words})",
            fix="give another --out, or the settings that it was trained with",
        )
