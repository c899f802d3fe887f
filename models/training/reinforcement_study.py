"""The paper's claim in miniature: at equal steps, reinforced training beats plain contrastive training.

`python -m pocketclip.models.training.reinforcement_study --out FOLDER` reinforces scenes once, trains one model a
recipe and seed on the same shards, classifies the same held-out scenes with each, and prints the table of
`docs/reinforcement.md`.
What is finished is kept: the command goes on where it was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import DatasetError
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.models.training.config import Recipe

MODEL, TEACHER = "pocketclip_nano", "pocketclip_nano"
RESULT_FILE = "accuracy.json"
# Milder than for photographs: smaller crops show none of a scene's objects, and RandAugment's changes of colour
# and place would contradict captions about both.
CROP_SCALE = (0.7, 1.0)
# Other scenes than the shipped teacher was trained on.
SCENE_SEED = 21


@document
class StudyResult:
    """Held-out zero-shot accuracy of one run: `right` has a place for every scene."""

    recipe: str
    seed: int
    right: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """The share of scenes classified correctly."""
        return sum(self.right) / len(self.right)


@dataclass(frozen=True)
class MeanInterval:
    """A mean over seeds with its 95 % interval (Student's t)."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """The mean of a few runs and its interval.

    Raises:
        ValueError: fewer than two values.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError(f"an interval over runs needs at least two runs, got {len(values)}")
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    spread = float(t.ppf(0.975, len(values) - 1)) * deviation / math.sqrt(len(values))
    return MeanInterval(mean, mean - spread, mean + spread)


def study_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the shards and runs.")],
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Runs of each recipe.")] = 5,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Training steps of a run.")] = 300,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples per step.")] = 128,
    scenes: Annotated[int, typer.Option("--scenes", min=1, help="Scenes to train on.")] = 6000,
    augmentations: Annotated[int, typer.Option("--augmentations", min=1, help="Augmentations stored per scene.")] = 3,
    heldout: Annotated[int, typer.Option("--heldout", min=1, help="Held-out scenes to classify.")] = 960,
) -> None:
    """Trains both recipes on the same shards for the same steps and compares them on held-out scenes."""
    from pocketclip.models.training.config import Recipe

    shards = _shards(out / "shards", scenes, augmentations)
    results = []
    for seed in range(1, seeds + 1):
        for recipe in (Recipe.CONTRASTIVE, Recipe.REINFORCED):
            result = _run(out / f"{recipe}-{seed}", recipe, seed, shards, steps, batch_size, heldout)
            command_line.note(f"{recipe}, seed {seed}: {result.accuracy:.1%}")
            results.append(result)
    print(table(results))


def table(results: Sequence[StudyResult]) -> str:
    """Markdown: a row for each recipe and one for the differences of runs with the same seed, in points.

    Of two recipes a line says besides what all scenes of all runs together say, each scene judged by both.

    Raises:
        DatasetError: runs classified different numbers of scenes.
    """
    if len({len(result.right) for result in results}) != 1:
        raise DatasetError("the runs classified different numbers of scenes", fix="choose another --out folder")
    seeds = sorted({result.seed for result in results})
    recipes = list(dict.fromkeys(result.recipe for result in results))
    found = {(result.recipe, result.seed): 100 * result.accuracy for result in results}
    rows = {recipe: [found[recipe, seed] for seed in seeds] for recipe in recipes}
    if len(recipes) == 2:
        first, second = recipes
        rows[f"{second} minus {first}"] = [found[second, seed] - found[first, seed] for seed in seeds]
    lines = [
        "| | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean | 95 % interval |",
        "|---|" + "---|" * (len(seeds) + 2),
    ]
    for name, values in rows.items():
        summary = mean_interval(values)
        cells = [f"{value:.1f}" for value in (*values, summary.mean)]
        lines.append(f"| {name} | {' | '.join(cells)} | {summary.low:.1f} to {summary.high:.1f} |")
    if len(recipes) == 2:
        lines += ["", _paired(results, recipes)]
    return "\n".join(lines)


def _paired(results: Sequence[StudyResult], recipes: Sequence[str]) -> str:
    from pocketclip.models.statistics.judgement import PairedCounts

    first, second = (
        [
            right
            for result in sorted(results, key=lambda each: each.seed)
            if result.recipe == recipe
            for right in result.right
        ]
        for recipe in recipes
    )
    counts = PairedCounts.of(second, first)
    gain, interval = counts.drop, counts.interval()
    return (
        f"All {len(first)} scenes of all runs, paired: {100 * gain:+.1f} points "
        f"({100 * interval.low:+.1f} to {100 * interval.high:+.1f})."
    )


def _shards(folder: Path, scenes: int, augmentations: int) -> str:
    from pocketclip.models.data.reinforcement import ReinforcementSettings
    from pocketclip.models.reinforcing.shards import reinforce
    from pocketclip.models.reinforcing.teachers import load_teacher

    teacher = load_teacher(TEACHER)
    settings = ReinforcementSettings(
        source=f"scenes:{scenes}",
        teachers=(teacher.record,),
        augmentations=augmentations,
        crop_scale=CROP_SCALE,
        rand_augment=False,
        seed=SCENE_SEED,
    )
    command_line.note(f"reinforcing {scenes} scenes with {TEACHER}")
    reinforce(settings, [teacher], folder)
    return f"webdataset:{folder}"


def _run(
    folder: Path, recipe: Recipe, seed: int, shards: str, steps: int, batch_size: int, heldout: int
) -> StudyResult:
    from pocketclip.models.run_folder import CONFIG_FILE
    from pocketclip.models.training.config import TrainingConfig
    from pocketclip.models.training.trainer import train

    stored = folder / RESULT_FILE
    if stored.is_file():
        return documents.read(StudyResult, stored, error=DatasetError)
    config = TrainingConfig(
        MODEL, steps=steps, recipe=recipe, data=shards, batch_size=batch_size, warmup_steps=min(100, steps), seed=seed
    )
    with command_line.progress() as progress:
        task = progress.add_task(f"{recipe}, seed {seed}", total=steps)
        weights = train(
            config,
            folder,
            resume=(folder / CONFIG_FILE).is_file(),
            report=lambda report: progress.update(task, completed=report.step),
        )
    result = StudyResult(recipe, seed, _classify(weights, heldout))
    documents.write(result, stored)
    return result


def _classify(weights: Path, heldout: int) -> tuple[bool, ...]:
    from pocketclip.models.checkpoints.checkpoint import weights_sha256
    from pocketclip.models.evaluation.classification import classify_at_once
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.encoders import TorchEncoder
    from pocketclip.models.evaluation.samples import ClassificationSet
    from pocketclip.models.registry import create_model

    model = create_model(MODEL, weights)
    encoder = TorchEncoder(model, weights_sha256(model), batch_size=64)
    dataset = open_dataset("scenes", SetOptions(count=heldout))
    assert isinstance(dataset, ClassificationSet)
    return tuple(classify_at_once(encoder, dataset).right.tolist())


def main() -> None:
    """Entry of `python -m pocketclip.models.training.reinforcement_study`."""
    app = command_line.new_app("reinforcement_study", "Reinforced against contrastive training, in miniature.")
    app.command()(study_command)
    command_line.run(app)


if __name__ == "__main__":
    main()
