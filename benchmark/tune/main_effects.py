"""What each level does by itself, as far as a study's trials tell: to cost, and to accuracy.

The effect of a level is the difference to the unchanged one, averaged over the points that were tried, in the models of
`prediction`: both sides of each difference are the same point but for the level. Points that cannot be with both levels
are left out. The interval (95 %, each for itself) is the models' own, so that of a level that few trials had is wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.prediction import Prediction
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.surrogate import Surrogate
from pocketclip.benchmark.tune.trials import Trial

_Z = 1.959964


@dataclass(frozen=True)
class Effect:
    """A difference with its interval: of cost a ratio, of loss in points."""

    value: float
    low: float
    high: float

    def proven(self, nothing: float) -> bool:
        """Whether the interval leaves out what no effect would be."""
        return not self.low <= nothing <= self.high


@dataclass(frozen=True)
class LevelEffect:
    """What a level does against the one that it is compared with; `trials` had it. None is not known."""

    parameter: str
    level: str
    against: str
    trials: int
    cost: Effect | None
    loss: Effect | None


def main_effects(space: SearchSpace, settings: StudySettings, trials: Sequence[Trial]) -> list[LevelEffect]:
    """The effects of all levels that were tried, in the order of the space."""
    prediction = Prediction(space, settings, trials)
    base = space.params(space.base_points()[0])
    measured = [trial.point for trial in trials if trial.measured is not None]
    judged = [trial.point for trial in trials if trial.judged is not None]
    found: list[LevelEffect] = []
    for place, (name, levels) in enumerate(space.space.levels.items()):
        for level in levels:
            tried = sum(point.levels[place] == level for point in measured)
            if level == base[name] or not tried:
                continue
            cost = _difference(space, prediction, prediction.cost, measured, place, level, base[name])
            lost = any(point.levels[place] == level for point in judged)
            loss = _difference(space, prediction, prediction.loss, judged, place, level, base[name]) if lost else None
            ratio = (
                None if cost is None else Effect(*(float(np.exp(each)) for each in (cost.value, cost.low, cost.high)))
            )
            found.append(LevelEffect(name, level, base[name], tried, ratio, loss))
    return found


def _difference(
    space: SearchSpace,
    prediction: Prediction,
    fitted: Surrogate | None,
    points: Sequence[Point],
    place: int,
    level: str,
    against: str,
) -> Effect | None:
    """None where nothing is fitted, or where no point can be with both levels."""

    def at(point: Point, wanted: str) -> Point:
        return Point((*point.levels[:place], wanted, *point.levels[place + 1 :]))

    pairs = [(at(each, level), at(each, against)) for each in points]
    pairs = [pair for pair in pairs if all(space.refusal(each) is None for each in pair)]
    if fitted is None or not pairs:
        return None
    with_level, without = zip(*pairs, strict=True)
    mean, covariance = fitted.predict(prediction.inputs([*with_level, *without]))
    weights = np.repeat([1.0, -1.0], len(pairs)) / len(pairs)
    value = float(weights @ mean)
    deviation = float(np.sqrt(max(0.0, weights @ covariance @ weights)))
    return Effect(value, value - _Z * deviation, value + _Z * deviation)
