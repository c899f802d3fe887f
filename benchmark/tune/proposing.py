"""Which points come next: from what a cost and an accuracy model expect of them, by Optuna's TPE, at random, in order.

A choice depends on the seed, the number of the round and the trials of earlier rounds, on nothing else: a study that
was ended chooses the same when it goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from pocketclip.benchmark.tune.front import hypervolume, spot_of, within
from pocketclip.benchmark.tune.points import MOST_ENUMERATED, Point, SearchSpace
from pocketclip.benchmark.tune.prediction import Prediction
from pocketclip.benchmark.tune.settings import Strategy, StudySettings
from pocketclip.benchmark.tune.surrogate import Values, draws
from pocketclip.benchmark.tune.trials import Trial

# Of a space of more models, points of so many are weighed in a round: the operations of each must be counted.
_MODELS = 64
# They are of so many points that are drawn.
_DRAWN = 2000
# Of those, so many go on to be weighed by draws that go together, which takes the cube of their number.
_WEIGHED = 400
_DRAWS = 64
_ASKS = 200

_Choose = Callable[[SearchSpace, StudySettings, Sequence[Trial], Random, int], list[Point]]


def propose(space: SearchSpace, settings: StudySettings, round: int, earlier: Sequence[Trial]) -> list[Point]:
    """The points of a round, at most `settings.per_round`; fewer where the space has no more.

    The first of all is the unchanged model in the first scheme that can be.
    """
    random = Random(f"{settings.seed} {round} {settings.strategy}")
    first = space.base_points()[:1] if round == 0 else []
    wanted = settings.per_round - len(first)
    chooses: dict[Strategy, _Choose] = {
        Strategy.MODEL: _by_model,
        Strategy.TPE: _by_tpe,
        Strategy.RANDOM: _at_random,
        Strategy.ORDER: _in_order,
    }
    tried = {trial.point for trial in earlier} | set(first)
    choose = chooses[settings.strategy]
    if settings.strategy is not Strategy.ORDER and len(earlier) < 2:
        choose = _at_random
    # Points of one model and scheme are one trial, whatever their levels are called.
    seen = {_identity(space, point) for point in tried}
    found: list[Point] = []
    for point in choose(space, settings, [*earlier], random, wanted + len(tried)):
        if len(found) == wanted:
            break
        if (identity := _identity(space, point)) not in seen:
            seen.add(identity)
            found.append(point)
    return [*first, *found]


def _identity(space: SearchSpace, point: Point) -> tuple[object, ...]:
    return space.model_key(point), space.scheme(point), space.threads(point)


def _in_order(
    space: SearchSpace, settings: StudySettings, earlier: Sequence[Trial], random: Random, count: int
) -> list[Point]:
    # Beyond what was tried, as many again may be the same models by other names.
    return list(itertools.islice(space.points(), 2 * count + len(earlier)))


def _at_random(
    space: SearchSpace, settings: StudySettings, earlier: Sequence[Trial], random: Random, count: int
) -> list[Point]:
    if space.space.size > MOST_ENUMERATED:
        return space.drawn(random, 2 * count)
    found = list(space.points())
    random.shuffle(found)
    return found


def _by_model(
    space: SearchSpace, settings: StudySettings, earlier: Sequence[Trial], random: Random, count: int
) -> list[Point]:
    """One after the other, the point whose expected gain of the front's hypervolume is the greatest.

    The gain is averaged over draws from the models. After each choice, the models' means stand for the chosen point.
    """
    tried = {trial.point for trial in earlier}
    candidates = [point for point in _candidates(space, settings, earlier, random) if point not in tried]
    prediction = Prediction(space, settings, earlier)
    if prediction.cost is None or (settings.train and prediction.loss is None) or not candidates:
        return _at_random(space, settings, earlier, random, count)
    drawn = _Drawn(prediction, settings, candidates, np.random.default_rng(random.getrandbits(64)))
    known = [
        (float(np.log(spot.cost)), spot.loss if settings.train else float(np.log(spot.loss)))
        for trial in earlier
        if (spot := spot_of(trial, settings)) is not None and within(trial, settings)
    ]
    order: list[Point] = []
    for _ in range(settings.per_round):
        best = drawn.best(known)
        if best is None:
            break
        order.append(drawn.candidates[best])
        known.append(drawn.expected(best))
        drawn.take(best)
    # Where the first choices are models that were tried by other names, others must follow.
    rest = list(candidates)
    random.shuffle(rest)
    return [*order, *(point for point in rest if point not in order)]


class _Drawn:
    """Candidates with draws of what they may turn out to be; figures are log cost and loss (or log size)."""

    def __init__(
        self, prediction: Prediction, settings: StudySettings, candidates: list[Point], random: np.random.Generator
    ) -> None:
        second = prediction.loss if settings.train else prediction.size
        assert prediction.cost is not None and second is not None and prediction.size is not None
        if len(candidates) > _WEIGHED:
            inputs = prediction.inputs(candidates)
            cost, loss = prediction.cost.predict_each(inputs), second.predict_each(inputs)
            # Those that may be the best in some mix of both figures.
            mixed = [
                (share * (cost[0] - cost[1]) / (np.ptp(cost[0]) or 1))
                + (1 - share) * (loss[0] - loss[1]) / (np.ptp(loss[0]) or 1)
                for share in np.linspace(0, 1, 9)
            ]
            rank = np.min([np.argsort(np.argsort(each)) for each in mixed], axis=0)
            candidates = [candidates[at] for at in np.argsort(rank, kind="stable")[:_WEIGHED]]
        self.candidates = candidates
        inputs = prediction.inputs(candidates)
        models = (prediction.cost, second, prediction.size)
        self._costs, self._losses, self._sizes = (draws(*each.predict(inputs), _DRAWS, random) for each in models)
        self._means = np.stack([prediction.cost.predict_each(inputs)[0], second.predict_each(inputs)[0]], axis=1)
        self._left = np.ones(len(candidates), bool)
        self._excess = _excess(settings, self._costs, self._losses, self._sizes)

    def expected(self, at: int) -> tuple[float, float]:
        """The means of a candidate."""
        return float(self._means[at, 0]), float(self._means[at, 1])

    def take(self, at: int) -> None:
        """Leaves a candidate out from now on."""
        self._left[at] = False

    def best(self, known: Sequence[tuple[float, float]]) -> int | None:
        """The candidate of the greatest expected gain; the least beyond the limits where none promises any."""
        if not self._left.any():
            return None
        ends = np.array([*known, *self._means[self._left]])
        low, span = ends.min(axis=0), np.maximum(np.ptp(ends, axis=0), 1e-12)
        scaled = [tuple((np.array(each) - low) / span) for each in known]
        reference = (1.1, 1.1)
        before = hypervolume(scaled, reference)
        gains = np.zeros(len(self.candidates))
        for at in np.flatnonzero(self._left):
            for cost, loss, excess in zip(
                (self._costs[:, at] - low[0]) / span[0],
                (self._losses[:, at] - low[1]) / span[1],
                self._excess[:, at],
                strict=True,
            ):
                if excess <= 0 and not any(c <= cost and each <= loss for c, each in scaled):
                    gains[at] += hypervolume([*scaled, (cost, loss)], reference) - before
        if gains.max() > 0:
            return int(np.argmax(gains))
        beyond = np.where(self._left, self._excess.mean(axis=0), np.inf)
        return int(np.argmin(beyond))


def _excess(settings: StudySettings, log_costs: Values, losses: Values, log_sizes: Values) -> Values:
    """How far draws are beyond the limits, as shares added up; 0 within all."""
    limits = settings.limits
    total = np.zeros_like(log_costs)
    for bound, values in (
        (limits.of(settings.cost.limit), np.exp(log_costs)),
        (limits.drop_points if settings.train else None, losses),
        (limits.size_bytes, np.exp(log_sizes)),
    ):
        if bound is not None:
            total += np.maximum(values / bound - 1, 0.0)
    return total


def _candidates(space: SearchSpace, settings: StudySettings, earlier: Sequence[Trial], random: Random) -> list[Point]:
    if space.models <= _MODELS and space.space.size <= MOST_ENUMERATED:
        return list(space.points())
    near = [
        each
        for trial in earlier
        if spot_of(trial, settings) is not None and within(trial, settings)
        for each in space.neighbours(trial.point)
    ]
    kept = {space.model_levels(trial.point) for trial in earlier}
    most = len(kept) + _MODELS
    found: dict[Point, None] = {}
    for point in [*near, *space.drawn(random, _DRAWN)]:
        levels = space.model_levels(point)
        if levels in kept or len(kept) < most:
            kept.add(levels)
            found[point] = None
    return list(found)


def _by_tpe(
    space: SearchSpace, settings: StudySettings, earlier: Sequence[Trial], random: Random, count: int
) -> list[Point]:
    """Optuna's multi-objective TPE with constraints, in a study in memory that knows the earlier trials."""
    import optuna

    distributions: dict[str, Any] = {
        name: optuna.distributions.CategoricalDistribution(levels) for name, levels in space.space.levels.items()
    }
    sampler = optuna.samplers.TPESampler(seed=random.getrandbits(31), multivariate=True, n_startup_trials=2)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for trial in earlier:
        spot = spot_of(trial, settings)
        if spot is not None:
            excess = max((each.share for each in trial.violations(settings.limits, settings.cost)), default=0.0)
            study.add_trial(
                optuna.trial.create_trial(
                    params=space.params(trial.point),
                    distributions=distributions,
                    values=[spot.cost, spot.loss],
                    constraints={"limits": excess},
                )
            )
    found: list[Point] = []
    for _ in range(_ASKS):
        if len(found) == count:
            break
        asked = study.ask(distributions)
        point = space.point(asked.params)
        if space.refusal(point) is None and point not in found:
            found.append(point)
    # It may ask for what was tried again and again.
    return [*found, *_at_random(space, settings, earlier, random, count)]
