"""One run of the study: trains a variant, exports it in int8, and keeps which samples each form has right."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.encoder_study.study_records import RunKey, SplitAnswers, Start, StudyRun, TrainingBudget
from pocketclip.benchmark.encoder_study.variants import Size, Variant
from pocketclip.benchmark.errors import RecordError
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models import documents

if TYPE_CHECKING:
    from pocketclip.models.evaluation.encoders import Encoder

MODEL = "pocketclip_nano"
# Milder than for photographs at large: smaller crops lose what a caption names.
CROP_SCALE = (0.7, 1.0)
SPLITS = ("scenes", "pictures-design", "pictures-concepts", "pictures-hard", "pictures-photographs")
PRECISIONS = (Precision.FP32, Precision.INT8_STATIC)
INT8_TARGET = TargetName.TFLITE
RESULTS = "results"


@dataclass(frozen=True)
class StudySettings:
    """Where pictures are, where runs go, how long each trains, and how many samples of a split are judged."""

    out: Path
    pictures: Path
    budget: TrainingBudget
    device: str = "auto"
    threads: int | None = None
    samples: int | None = None

    @property
    def data(self) -> str:
        """What every run trains on."""
        share = self.budget.picture_share
        return f"scenes:{self.budget.scenes} + {share}*webdataset:{self.pictures / 'train'}"


def result_path(settings: StudySettings, key: RunKey) -> Path:
    """Where a finished run is kept."""
    return settings.out / RESULTS / f"{key.name}.json"


def finished(settings: StudySettings, key: RunKey) -> StudyRun | None:
    """The run, where it is there and was trained as long as the settings say.

    Raises:
        RecordError: the file is damaged, or holds a run of another length.
    """
    path = result_path(settings, key)
    if not path.is_file():
        return None
    run = documents.read(StudyRun, path, error=RecordError)
    if run.budget != settings.budget or run.key != key:
        raise RecordError(f"{path} holds a run with other settings", fix="choose another --out folder")
    return run


def make_run(
    settings: StudySettings, variant: Variant, key: RunKey, moved: Callable[[int], object] = lambda step: None
) -> StudyRun:
    """Trains, exports and judges; goes on where an interrupted run stopped, and keeps the result.

    Args:
        settings: of the study.
        variant: what to train.
        key: seed and start.
        moved: called with the steps that are done.

    Raises:
        PocketClipError: training, export or a split failed.
    """
    from pocketclip.models.registry import choose_model
    from pocketclip.models.run_folder import CONFIG_FILE
    from pocketclip.models.training.config import TrainingConfig
    from pocketclip.models.training.trainer import train

    folder = settings.out / "runs" / key.name
    budget = settings.budget
    config = TrainingConfig(
        MODEL,
        steps=budget.steps,
        data=settings.data,
        changes=variant.changes(Size.NANO),
        init_from=MODEL if key.start is Start.INHERITED else None,
        batch_size=budget.batch_size,
        learning_rate=budget.learning_rate,
        warmup_steps=min(100, budget.steps),
        crop_scale=CROP_SCALE,
        seed=key.seed,
        name=f"study-{key.name}",
        keep_checkpoints=1,
    )
    started = time.monotonic()
    train(
        config,
        folder,
        resume=(folder / CONFIG_FILE).is_file(),
        device=settings.device,
        threads=settings.threads,
        report=lambda report: moved(report.step),
    )
    seconds = time.monotonic() - started
    answers = [answer for precision in PRECISIONS for answer in _answers(settings, folder, precision)]
    chosen = choose_model(str(folder))
    run = StudyRun(
        variant=key.variant,
        seed=key.seed,
        start=key.start,
        config_sha256=chosen.config.sha256,
        weights_sha256=_weights_sha256(folder),
        budget=budget,
        training_seconds=seconds,
        answers=tuple(answers),
    )
    documents.write(run, result_path(settings, key))
    return run


def _answers(settings: StudySettings, folder: Path, precision: Precision) -> list[SplitAnswers]:
    with _opened(settings, folder, precision) as encoder:
        return [judge(encoder, settings, split, precision) for split in SPLITS]


def _opened(settings: StudySettings, folder: Path, precision: Precision) -> AbstractContextManager[Encoder]:
    """The trained model in PyTorch, or its exported pair."""
    if precision is Precision.FP32:
        return nullcontext(_torch_encoder(folder, settings.device))
    from pocketclip.benchmark.evaluation.pair_encoders import open_pair_encoder
    from pocketclip.export.api import ExportOptions, export_all
    from pocketclip.export.artifact.reading import find_artifacts, select_pair

    out = folder / "artifacts"
    # Calibrated on what it is for: scenes alone would narrow its ranges. Captions that are also prompts are left out.
    options = ExportOptions(
        calibration=f"webdataset:{settings.pictures / 'train'}", calibration_samples=128, max_skipped=0.5
    )
    for _, result in export_all(str(folder), target=INT8_TARGET, precision=precision, out=out, options=options):
        if isinstance(result, Exception):
            raise result
    image, text = select_pair(find_artifacts([out]))
    return open_pair_encoder(image, text, f"{folder.name} {INT8_TARGET}-{precision}")


def judge(encoder: Encoder, settings: StudySettings, split: str, precision: Precision) -> SplitAnswers:
    """Classifies a split zero-shot.

    Raises:
        DatasetError: the split is missing, partial or damaged.
        NonFiniteError: an embedding is NaN or infinite.
    """
    import numpy as np

    from pocketclip.models.evaluation.batches import decoded_batches
    from pocketclip.models.evaluation.classification import TOP
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.prompts import prompt_set
    from pocketclip.models.evaluation.samples import ClassificationSet
    from pocketclip.models.evaluation.text_cache import class_embeddings

    dataset = open_dataset(split, SetOptions(data_root=settings.pictures, count=settings.samples))
    assert isinstance(dataset, ClassificationSet)
    classes = class_embeddings(prompt_set(dataset.class_names, dataset.templates), encoder)
    right: list[bool] = []
    top5 = 0
    for batch in decoded_batches(dataset.source(0), encoder.preprocess, encoder.batch_size, skip_corrupt=False):
        best = np.argsort(-(encoder.encode_images(batch.images) @ classes.T), axis=1, kind="stable")[:, :TOP]
        right += (best[:, 0] == batch.labels).tolist()
        top5 += int((best == batch.labels[:, None]).any(1).sum())
    return SplitAnswers.of(split, precision, dataset.sha256, np.array(right, bool), top5)


def _torch_encoder(folder: Path, device: str) -> Encoder:
    import torch

    from pocketclip.models.evaluation.encoders import TorchEncoder
    from pocketclip.models.registry import build_trained_model

    place = "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"
    model = build_trained_model(str(folder))
    return TorchEncoder(model, _weights_sha256(folder), batch_size=256, device=place)


def _weights_sha256(folder: Path) -> str:
    from pocketclip.models.checkpoints.checkpoint import weights_sha256
    from pocketclip.models.registry import build_trained_model

    return weights_sha256(build_trained_model(str(folder)))
