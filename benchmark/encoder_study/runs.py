"""One run of the study: trains a variant, exports it in int8, and keeps which samples each form has right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.encoder_study.study_records import RunKey, SplitAnswers, Start, StudyRun, TrainingBudget
from pocketclip.benchmark.encoder_study.variants import MODELS, PRECISIONS, Size, Variant
from pocketclip.benchmark.errors import RecordError
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models import documents

if TYPE_CHECKING:
    from pocketclip.models.evaluation.encoders import Encoder

MODEL = MODELS[Size.NANO]
# Milder than for photographs at large: smaller crops lose what a caption names.
CROP_SCALE = (0.7, 1.0)
SCENES = "scenes"
SPLITS = (SCENES, "pictures-design", "pictures-concepts", "pictures-hard", "pictures-photographs")
INT8_TARGET = TargetName.TFLITE
RESULTS = "results"
# Images that PyTorch takes at a time.
_BATCH_SIZE = 256


@dataclass(frozen=True)
class StudySettings:
    """Where pictures are, where runs go, how long each start trains, and how many samples of a split are judged.

    `out` is for weights, logs and artefacts, `records` for the answers of finished runs.
    """

    out: Path
    records: Path
    pictures: Path
    budgets: Mapping[Start, TrainingBudget]
    device: str = "auto"
    threads: int | None = None
    samples: int | None = None

    def data(self, budget: TrainingBudget) -> str:
        """What a run trains on."""
        scenes = f"scenes:{budget.scenes}"
        if not budget.picture_share:
            return scenes
        return f"{scenes} + {budget.picture_share}*webdataset:{self.pictures / 'train'}"

    def calibration(self, budget: TrainingBudget) -> str:
        """What static int8 takes its ranges from: what a run has seen; those of scenes are too narrow for pictures."""
        return f"webdataset:{self.pictures / 'train'}" if budget.picture_share else SCENES


def result_path(settings: StudySettings, key: RunKey) -> Path:
    """Where a finished run is kept."""
    return settings.records / RESULTS / f"{key.name}.json"


def finished(settings: StudySettings, key: RunKey) -> StudyRun | None:
    """The run, where it is there and was trained as long as the settings say.

    Raises:
        RecordError: the file is damaged, or holds a run of another length.
    """
    path = result_path(settings, key)
    if not path.is_file():
        return None
    run = documents.read(StudyRun, path, error=RecordError)
    if run.budget != settings.budgets[key.start] or run.key != key:
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
    import torch

    from pocketclip.models.checkpoints.checkpoint import weights_sha256
    from pocketclip.models.evaluation.encoders import TorchEncoder
    from pocketclip.models.registry import build_trained_model
    from pocketclip.models.run_folder import CONFIG_FILE
    from pocketclip.models.training.config import TrainingConfig
    from pocketclip.models.training.run_log import last_report
    from pocketclip.models.training.trainer import train

    folder = settings.out / "runs" / key.name
    budget = settings.budgets[key.start]
    config = TrainingConfig(
        MODEL,
        steps=budget.steps,
        data=settings.data(budget),
        changes=variant.changes(Size.NANO),
        init_from=MODEL if key.start is Start.INHERITED else None,
        batch_size=budget.batch_size,
        learning_rate=budget.learning_rate,
        warmup_steps=min(100, budget.steps),
        crop_scale=CROP_SCALE,
        rand_augment=budget.rand_augment,
        token_weight=budget.token_weight,
        seed=key.seed,
        name=f"study-{key.name}",
        keep_checkpoints=1,
    )
    train(
        config,
        folder,
        resume=(folder / CONFIG_FILE).is_file(),
        device=settings.device,
        threads=settings.threads,
        report=lambda report: moved(report.step),
    )
    model = build_trained_model(str(folder))
    weights = weights_sha256(model)
    place = "cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu"
    trained = TorchEncoder(model, weights, batch_size=_BATCH_SIZE, device=place)
    answers = [answer for precision in PRECISIONS for answer in _answers(settings, folder, budget, precision, trained)]
    run = StudyRun(
        variant=key.variant,
        seed=key.seed,
        start=key.start,
        config_sha256=model.config.sha256,
        weights_sha256=weights,
        budget=budget,
        # From the rate: a run that was interrupted has several sittings.
        training_seconds=budget.steps * budget.batch_size / last_report(folder).samples_per_second,
        answers=tuple(answers),
    )
    documents.write(run, result_path(settings, key))
    return run


def _answers(
    settings: StudySettings, folder: Path, budget: TrainingBudget, precision: Precision, trained: Encoder
) -> list[SplitAnswers]:
    calibration = settings.calibration(budget)
    opened = nullcontext(trained) if precision is Precision.FP32 else _exported(folder, calibration, precision)
    # A model that has seen no pictures knows none.
    splits = SPLITS if budget.picture_share else (SCENES,)
    with opened as encoder:
        return [judge(encoder, settings, split, precision) for split in splits]


@contextmanager
def _exported(folder: Path, calibration: str, precision: Precision) -> Iterator[Encoder]:
    """The trained model's exported pair."""
    from pocketclip.benchmark.evaluation.foreign_towers import TowerProcesses
    from pocketclip.benchmark.evaluation.pair_encoders import open_pair_encoder
    from pocketclip.export.api import ExportOptions, export_all
    from pocketclip.export.artifact.reading import find_artifacts, select_pair

    out = folder / "artifacts"
    # Captions that are also prompts are left out.
    options = ExportOptions(calibration=calibration, calibration_samples=128, max_skipped=0.5)
    for _, result in export_all(str(folder), target=INT8_TARGET, precision=precision, out=out, options=options):
        if isinstance(result, Exception):
            raise result
    image, text = select_pair(find_artifacts([out]))
    # Runs of the study share the cores already.
    with TowerProcesses(most=1) as processes:
        yield open_pair_encoder(image, text, f"{folder.name} {INT8_TARGET}-{precision}", processes)


def judge(encoder: Encoder, settings: StudySettings, split: str, precision: Precision) -> SplitAnswers:
    """Classifies a split zero-shot.

    Raises:
        DatasetError: the split is missing, partial or damaged.
        NonFiniteError: an embedding is NaN or infinite.
    """
    from pocketclip.models.evaluation.classification import classify_at_once
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.samples import ClassificationSet

    dataset = open_dataset(split, SetOptions(data_root=settings.pictures, count=settings.samples))
    assert isinstance(dataset, ClassificationSet)
    found = classify_at_once(encoder, dataset)
    return SplitAnswers.of(split, precision, dataset.sha256, found.right, found.correct_of_top5)
