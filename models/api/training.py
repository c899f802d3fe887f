"""The public functions that train: `pocketclip.train` and `pocketclip.reinforce`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models.errors import ConfigError
from pocketclip.models.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    from pocketclip.models.data.embeddings import EmbeddingDtype, EmbeddingFormat
    from pocketclip.models.data.reinforcement import Reinforcement, StoredFormat
    from pocketclip.models.data.skips import SkippedSample
    from pocketclip.models.inheritance import InheritanceReport
    from pocketclip.models.reinforcing.shards import ReinforceReport
    from pocketclip.models.training.config import TrainingConfig
    from pocketclip.models.training.run_log import StepReport


def train(
    config: TrainingConfig,
    out: str | Path,
    *,
    resume: bool = False,
    device: str = "auto",
    workers: int | None = None,
    threads: int | None = None,
    on_progress: OnProgress = silent,
    on_step: Callable[[StepReport], object] = silent,
    on_inheritance: Callable[[InheritanceReport], object] = silent,
) -> Path:
    """Trains a model in a folder of its own; `load_model(out)` then loads it.

    A resumed run ends with the same weights as an uninterrupted one, on the CPU bit by bit. Under torchrun, call this
    in every process: the first one writes and reports.

    Args:
        config: the model, its changes, the data, the recipe and the optimisation (docs/training.md).
        out: the run's folder, for weights, log and checkpoints.
        resume: continue from the newest checkpoint.
        device: `auto`, `cpu` or `cuda`.
        workers: the number of processes that prepare data; None uses one per core.
        threads: the number of compute threads per process; None uses one per physical core.
        on_progress: called after every step.
        on_step: called after every step, with its loss, speed and validation.
        on_inheritance: called once, with the values that `init_from` gave.

    Returns:
        The path of the weights.

    Raises:
        ConfigError: settings contradict each other, or the folder holds another run.
        CheckpointError: a checkpoint cannot be read.
        DatasetError: the data are missing, empty, or too many samples are unusable.
        NonFiniteError: the loss became NaN or infinite.
    """
    from pocketclip.models.training import trainer

    def report(step: StepReport) -> None:
        on_step(step)
        on_progress(Progress("training", step.step, config.steps))

    return trainer.train(
        config,
        Path(out),
        resume=resume,
        device=device,
        workers=workers,
        threads=threads,
        report=report,
        inherited=on_inheritance,
    )


def reinforce(
    data: str,
    *,
    teachers: Sequence[str],
    out: str | Path,
    augmentations: int = 10,
    synthetic: int = 5,
    samples_per_shard: int = 1000,
    batch_size: int = 64,
    crop_scale: tuple[float, float] = (0.08, 1.0),
    rand_augment: bool = True,
    image_size: int | None = None,
    image_format: StoredFormat | str = "keep",
    dtype: EmbeddingDtype | str = "bfloat16",
    embeddings: EmbeddingFormat | str = "npz",
    seed: int = 0,
    device: str | None = None,
    workers: int = 0,
    max_skipped: float = 0.05,
    cache: str | Path | None = None,
    on_progress: OnProgress = silent,
    on_report: Callable[[ReinforceReport], object] = silent,
    on_skip: Callable[[SkippedSample], object] = silent,
) -> Reinforcement:
    """Stores augmentations, captions and teachers' embeddings beside image-caption data (MobileCLIP, section 3.2).

    An interrupted run resumes in its folder.

    Args:
        data: `scenes:COUNT`, `webdataset:PATTERN`, `csv:FILE` or `folder:PATH` (docs/data.md).
        teachers: `MODEL` or `MODEL=CHECKPOINT` each.
        out: the folder for the shards.
        augmentations: the number of augmentations per image.
        synthetic: the maximum number of synthetic captions per image.
        samples_per_shard: the number of samples in each shard.
        batch_size: images per batch of a teacher.
        crop_scale: minimum and maximum share of the image's area in a crop.
        rand_augment: apply two RandAugment operations after the crop.
        image_size: shrink images to this shorter side, in pixels; None keeps them.
        image_format: `keep`, `jpg`, `png` or `webp`.
        dtype: the type of stored embeddings: `bfloat16`, `float16` or `float32`.
        embeddings: the file format of embeddings: `npz` or `pth.gz`.
        seed: the seed of all random choices.
        device: `cpu` or `cuda`; None uses cuda if available.
        workers: the number of processes that read and augment.
        max_skipped: the maximum share of unusable samples, 0 to 1.
        cache: the folder for shards downloaded from URLs.
        on_progress: called after each group of samples.
        on_report: called after each group of samples, with shards and speed.
        on_skip: called for every skipped sample.

    Raises:
        ConfigError: an option is out of range, or the folder holds shards made with other settings.
        DatasetError: the source has no usable sample, or too many unusable ones.
        NonFiniteError: a teacher gives NaN or infinity.
        StorageError: the folder cannot be written.
    """
    import torch

    from pocketclip.models.data.embeddings import EmbeddingDtype, EmbeddingFormat
    from pocketclip.models.data.reinforcement import ReinforcementSettings, StoredFormat
    from pocketclip.models.data.source import parse_source
    from pocketclip.models.reinforcing import shards
    from pocketclip.models.reinforcing.teachers import load_teacher
    from pocketclip.models.terminal.command_line import parse_choice

    place = _device(device, torch.cuda.is_available())
    parse_source(data)
    stored = (
        parse_choice(StoredFormat, "image_format", image_format),
        parse_choice(EmbeddingDtype, "dtype", dtype),
        parse_choice(EmbeddingFormat, "embeddings", embeddings),
    )
    loaded = [load_teacher(reference, place) for reference in teachers]
    settings = ReinforcementSettings(
        source=data,
        teachers=tuple(teacher.record for teacher in loaded),
        augmentations=augmentations,
        synthetic=synthetic,
        samples_per_shard=samples_per_shard,
        batch_size=batch_size,
        crop_scale=crop_scale,
        rand_augment=rand_augment,
        image_size=image_size,
        image_format=stored[0],
        dtype=stored[1],
        embeddings=stored[2],
        seed=seed,
    )

    def report(reached: ReinforceReport) -> None:
        on_report(reached)
        on_progress(Progress("reinforcing", reached.samples, reached.total))

    return shards.reinforce(
        settings,
        loaded,
        Path(out),
        workers=workers,
        max_skipped_share=max_skipped,
        cache=None if cache is None else Path(cache),
        report=report,
        on_skip=on_skip,
    )


def _device(asked: str | None, cuda: bool) -> str:
    if asked is None:
        return "cuda" if cuda else "cpu"
    kind, colon, number = asked.partition(":")
    numbered = not colon or (number.isascii() and number.isdecimal())
    if kind not in ("cpu", "cuda") or not numbered or (kind == "cuda" and not cuda):
        raise ConfigError(
            f"device {asked!r} is not available here", fix=f"choose among: {'cpu, cuda' if cuda else 'cpu'}"
        )
    return asked
