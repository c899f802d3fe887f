"""What a study's trials say of points that have not been tried: cost, accuracy lost and size.

Cost and size are fitted as logarithms, so that changes multiply; accuracy lost as it is. The error of the cost model is
that of leaving each measured trial out in turn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.surrogate import Inputs, Surrogate, Values, as_levels, fit_surrogate
from pocketclip.benchmark.tune.trials import Trial

# With fewer judged trials, nothing is ruled out by what they seem to say.
FEWEST_JUDGED = 8
_Z = 1.959964


@dataclass(frozen=True)
class CostError:
    """How far the cost model is off, as shares of the true cost, each trial predicted from all others."""

    trials: int
    median: float
    worst: float


class Prediction:
    """Fitted to the trials that are given, when it is first asked."""

    def __init__(self, space: SearchSpace, settings: StudySettings, trials: Sequence[Trial]) -> None:
        self._space = space
        self._levels = list(space.space.levels.values())
        self._settings = settings
        self._measured = [trial for trial in trials if trial.measured is not None]
        self._judged = [trial for trial in trials if trial.judged is not None]

    @functools.cached_property
    def cost(self) -> Surrogate | None:
        """Of the logarithm of cost; None before two trials were measured."""
        return self._fit(self._measured, _log_cost)

    @functools.cached_property
    def size(self) -> Surrogate | None:
        """Of the logarithm of the size in bytes."""
        return self._fit(self._measured, _log_size)

    @functools.cached_property
    def loss(self) -> Surrogate | None:
        """Of the points of accuracy lost; None before two trials were judged."""
        return self._fit(self._judged, _loss)

    def inputs(self, points: Sequence[Point]) -> Inputs:
        """Points as the surrogates take them."""
        features = np.array([self._space.features(point) for point in points], np.float64)
        return Inputs(as_levels([point.levels for point in points], self._levels), features.reshape(len(points), -1))

    def least_loss(self, point: Point) -> float | None:
        """The points that are lost at best, as far as judged trials tell (97.5 %); None where they are too few."""
        if len(self._judged) < FEWEST_JUDGED or self.loss is None:
            return None
        mean, deviation = self.loss.predict_each(self.inputs([point]))
        return float(mean[0] - _Z * deviation[0])

    def cost_error(self) -> CostError | None:
        """The error of the cost model; None for fewer than three measured trials."""
        if self.cost is None or len(self._measured) < 3:
            return None
        truth = np.array([trial.measured.cost for trial in self._measured if trial.measured])
        shares = np.abs(np.exp(self.cost.leave_one_out) / truth - 1)
        return CostError(len(truth), float(np.median(shares)), float(shares.max()))

    def _fit(self, trials: Sequence[Trial], value: Callable[[Trial], tuple[float, float]]) -> Surrogate | None:
        if len(trials) < 2:
            return None
        pairs: Values = np.array([value(trial) for trial in trials], np.float64)
        return fit_surrogate(self.inputs([trial.point for trial in trials]), pairs[:, 0], pairs[:, 1])


def _log_cost(trial: Trial) -> tuple[float, float]:
    assert trial.measured is not None
    each = trial.measured
    return float(np.log(each.cost)), float(np.log(each.high / each.low) / (2 * _Z))


def _log_size(trial: Trial) -> tuple[float, float]:
    assert trial.measured is not None
    return float(np.log(trial.measured.size_bytes)), 0.0


def _loss(trial: Trial) -> tuple[float, float]:
    assert trial.judged is not None
    each = trial.judged
    return each.drop_points, (each.drop_high_points - each.drop_low_points) / (2 * _Z)
