"""What a space holds and what a study of it will cost, before anything of it is done."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from pocketclip.benchmark.tune.points import MOST_ENUMERATED, Point, SearchSpace
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Trial

# Rough seconds of pocketclip_nano's stages on one idle core: docs/encoders.md says what 300 steps take; exports of both
# towers with their launches take about a minute. A study's own trials replace them. Of other models, nothing is said
# before a trial has run.
NANO = "pocketclip_nano"
_NANO_MEASURE_S = 60.0
_NANO_STEP_S = 0.5
_NANO_BATCH = 128
_NANO_JUDGE_S = 60.0


@dataclass(frozen=True)
class Explained:
    """What a space holds.

    `pruned` counts combinations by the reason why they cannot be; `points` is how many can, `models` of how many
    different models they are, `again` how many of them are others by another name. `looked_at` combinations were; where
    that is fewer than `size`, the other counts are of a random sample.
    """

    size: int
    looked_at: int
    points: int
    models: int
    again: int
    pruned: tuple[tuple[str, int], ...]

    @property
    def sampled(self) -> bool:
        """Whether only a sample was looked at."""
        return self.looked_at < self.size


@dataclass(frozen=True)
class Estimate:
    """What a study of so many trials will take at most, in seconds of work of one process, by stage.

    `source` says what the figures are from.
    """

    trials: int
    measure_s: float
    train_s: float
    judge_s: float
    source: str

    @property
    def total_s(self) -> float:
        """All stages together."""
        return self.measure_s + self.train_s + self.judge_s


def explain(space: SearchSpace) -> Explained:
    """Looks at every combination of a space, or at a random sample of a large one."""
    pruned: Counter[str] = Counter()
    models: set[str] = set()
    seen: set[tuple[object, ...]] = set()
    looked_at = points = again = 0
    for point in _combinations(space):
        looked_at += 1
        reason = space.refusal(point)
        if reason is not None:
            pruned[reason] += 1
            continue
        key = space.model_key(point)
        identity = (key, space.scheme(point), space.threads(point))
        again += identity in seen
        seen.add(identity)
        models.add(key)
        points += 1
    return Explained(space.space.size, looked_at, points, len(models), again, tuple(pruned.most_common()))


def estimate(space: SearchSpace, settings: StudySettings, trials: Sequence[Trial], most: int) -> Estimate | None:
    """What a study of so many trials takes; None where nothing is known of such a model yet.

    Args:
        space: of the study.
        settings: of the study.
        trials: those that have run: their times are the best guide.
        most: how many trials there are to be.
    """
    count = min(most, space.space.size)
    steps = sum(settings.training.steps)
    measured = [trial.measured.seconds for trial in trials if trial.measured is not None and trial.measured.seconds]
    trained = [sum(each.seconds for each in trial.trained) for trial in trials if trial.trained and trial.judged]
    judged = [trial.judged.seconds for trial in trials if trial.judged is not None and trial.judged.seconds]
    if measured and (judged or not settings.train):
        source = f"medians of {len(measured)} trials of this study"
        times = median(measured), median(trained or [0.0]), median(judged or [0.0])
    elif space.base.name == NANO:
        source = f"roughly what {NANO} takes on an idle core"
        share = settings.training.batch_size / _NANO_BATCH
        times = _NANO_MEASURE_S, _NANO_STEP_S * steps * share, _NANO_JUDGE_S
    else:
        return None
    if not settings.train:
        times = times[0], 0.0, 0.0
    return Estimate(count, *(count * each for each in times), source=source)


def _combinations(space: SearchSpace) -> Iterator[Point]:
    levels = list(space.space.levels.values())
    if space.space.size <= MOST_ENUMERATED:
        yield from map(Point, itertools.product(*levels))
        return
    random = Random(0)
    for _ in range(MOST_ENUMERATED // 4):
        yield Point(tuple(random.choice(each) for each in levels))
