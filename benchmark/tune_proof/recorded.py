"""A space whose every point is known: the variants of `encoder_study` in the schemes that it judged.

What a trial would measure and train comes from the study's committed records instead: launches of one session, and the
answers to every picture, of three seeds.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketclip.benchmark.encoder_study.effects import latency_ms, tower_speed
from pocketclip.benchmark.encoder_study.runs import RESULTS
from pocketclip.benchmark.encoder_study.speed import SPEED_FILE
from pocketclip.benchmark.encoder_study.study_records import SplitAnswers, Start, StudyRun, StudySpeed
from pocketclip.benchmark.encoder_study.variants import BASE, MODELS, VARIANTS, Size, Variant
from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.statistics.summaries import sum_interval
from pocketclip.benchmark.tune.points import Point, Scheme, SearchSpace
from pocketclip.benchmark.tune.space import PRECISION, SPACE_VERSION, TARGET, Factor, Space
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.trials import Judged, Measured, StageResult, Trained
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents
from pocketclip.models.modifications import parse_changes
from pocketclip.models.registry import resolve_config
from pocketclip.models.statistics.intervals import wilson_interval

FACTOR = "variant"
# The answers in int8 are those of LiteRT; in fp32, runtimes agree with PyTorch.
_UNKNOWN: dict[Scheme, str] = {
    (TargetName.ONNX, Precision.INT8_STATIC): "onnx int8-static: the encoder study did not judge it"
}
_Z = 1.959964


def recorded_space() -> SearchSpace:
    """Every variant in LiteRT fp32 and int8-static, and in ONNX Runtime fp32."""
    options = {variant.name: parse_changes(variant.changes(Size.NANO)) for variant in VARIANTS}
    space = Space(
        version=SPACE_VERSION,
        model=MODELS[Size.NANO],
        # The scheme that is fastest comes last: the plain order must not be lucky.
        targets=(TargetName.ONNX, TargetName.TFLITE),
        precisions=(Precision.FP32, Precision.INT8_STATIC),
        factors={FACTOR: Factor(options=options)},
    )
    return SearchSpace(space, resolve_config(space.model), _UNKNOWN)


@dataclass(frozen=True)
class Recorded:
    """A worker that looks up what the study recorded in a folder. `split` is what accuracy is of, `seeds` are those of
    the runs that are averaged: all variants have them."""

    records: Path
    split: str
    seeds: tuple[int, ...] = (1, 2, 3)

    def carry_out(self, task: Task) -> StageResult:
        """The recorded result. Raises `RecordError` where there is none."""
        match task.stage:
            case Stage.MEASURE:
                return self.measured(task.point)
            case Stage.TRAIN:
                return self._trained(task.point)
            case Stage.JUDGE:
                return self.judged(task.point)

    def measured(self, point: Point) -> Measured:
        """Latency and size of both towers."""
        variant, target, precision = self._of(point)
        towers = [tower_speed(self._speed, variant, tower, target, precision) for tower in Tower]
        low, high = sum_interval([tower.launch_medians_ns for tower in towers])
        cost = 1e6 * latency_ms(self._speed, variant, target, precision)
        size = sum(tower.size_bytes for tower in towers)
        return Measured(cost, min(low, cost), max(high, cost), size, (), 0.0)

    def judged(self, point: Point) -> Judged:
        """Accuracy on the split, and what is lost against the base in fp32, paired by seed and picture."""
        variant, _, precision = self._of(point)
        right = [self._answers(variant, seed, precision).right.astype(np.float64) for seed in self.seeds]
        base = [self._answers(BASE, seed, Precision.FP32).right.astype(np.float64) for seed in self.seeds]
        accuracy = float(np.mean(right))
        lost = 100 * np.mean(np.array(base) - np.array(right), axis=0)
        spread = _Z * float(lost.std(ddof=1)) / len(lost) ** 0.5
        interval = wilson_interval(round(accuracy * len(lost)), len(lost))
        drop = float(lost.mean())
        return Judged(
            accuracy=accuracy,
            low=min(interval.low, accuracy),
            high=max(interval.high, accuracy),
            samples=len(lost),
            drop_points=drop,
            drop_low_points=drop - spread,
            drop_high_points=drop + spread,
            size_bytes=self.measured(point).size_bytes,
            weights_sha256=self._run(variant, self.seeds[0]).weights_sha256,
            failures=(),
            record_ids=(),
            seconds=0.0,
        )

    def _trained(self, point: Point) -> Trained:
        variant, _, _ = self._of(point)
        runs = [self._run(variant, seed) for seed in self.seeds]
        right = [self._answers(variant, seed, Precision.FP32).right for seed in self.seeds]
        return Trained(
            rung=0,
            steps=runs[0].budget.steps,
            accuracy=float(np.mean(right)),
            samples=len(right[0]),
            weights_sha256=runs[0].weights_sha256,
            run=None,
            seconds=sum(run.training_seconds for run in runs),
        )

    def _of(self, point: Point) -> tuple[Variant, str, Precision]:
        params = recorded_space().params(point)
        variant = next(each for each in VARIANTS if each.name == params[FACTOR])
        return variant, params[TARGET], Precision(params[PRECISION])

    @functools.cached_property
    def _speed(self) -> StudySpeed:
        return documents.read(StudySpeed, self.records / SPEED_FILE, error=RecordError)

    @functools.cached_property
    def _runs(self) -> dict[tuple[str, int], StudyRun]:
        paths = sorted((self.records / RESULTS).glob("*.json"))
        runs = [documents.read(StudyRun, path, error=RecordError) for path in paths]
        return {(run.variant, run.seed): run for run in runs if run.start is Start.INHERITED}

    def _run(self, variant: Variant, seed: int) -> StudyRun:
        found = self._runs.get((variant.name, seed))
        if found is None:
            raise RecordError(f"{self.records} has no run of {variant.name} from inherited weights with seed {seed}")
        return found

    def _answers(self, variant: Variant, seed: int, precision: Precision) -> SplitAnswers:
        found = self._run(variant, seed).of(self.split, precision)
        if found is None:
            raise RecordError(f"{variant.name}, seed {seed}, was not judged on {self.split} in {precision}")
        return found
