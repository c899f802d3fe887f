"""Choices of points: the same for the same study, none twice, and near the front once something is known."""

from __future__ import annotations

import numpy as np
import pytest

from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.prediction import Prediction
from pocketclip.benchmark.tune.proposing import propose
from pocketclip.benchmark.tune.settings import Strategy, TrainingSettings
from pocketclip.benchmark.tune.surrogate import Inputs, as_levels, fit_surrogate
from pocketclip.benchmark.tune.trials import Closing, Ending, Trial
from tests.benchmark.tune.cheap import cheap_settings, cheap_space, judged, measured, trained

SPACE = cheap_space()
COST = {"7": 3.0, "5": 2.0, "3": 1.0, "base": 1.0, "relu": 0.9, "onnx": 2.0, "tflite": 1.0, "fp32": 2.0}


def of(number: int, point: object, round: int = 0) -> Trial:
    """A trial of a world in which every level multiplies the cost, and small kernels lose accuracy."""
    params = SPACE.params(point)  # type: ignore[arg-type]
    cost = float(np.prod([COST.get(level, 1.0) for level in params.values()]))
    drop = {"7": 0.0, "5": 1.0, "3": 4.0}[params["kernels"]] + (0.5 if params["precision"] != "fp32" else 0.0)
    result = judged(drop, spread=0.2)
    closing = Closing(Ending.JUDGED)
    return Trial(number, point, round, number, measured(cost), (trained(0.5),), result, closing=closing)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_choices_repeat_none_and_are_the_same_again(strategy: Strategy) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    settings = cheap_settings(SPACE, strategy=strategy, limits=Limits(), per_round=5)
    trials: list[Trial] = []
    for round in range(6):
        chosen = propose(SPACE, settings, round, trials)
        assert chosen == propose(SPACE, settings, round, list(trials))
        trials += [of(len(trials) + place, each, round) for place, each in enumerate(chosen)]
    assert trials[0].point == SPACE.base_points()[0]
    assert len({trial.point for trial in trials}) == len(trials) == SPACE.space.size
    assert propose(SPACE, settings, 7, trials) == []


def test_another_seed_chooses_otherwise() -> None:
    chosen = [propose(SPACE, cheap_settings(SPACE, seed=seed), 0, []) for seed in range(4)]
    assert len({tuple(each) for each in chosen}) > 1
    assert {each[0] for each in chosen} == {SPACE.base_points()[0]}


def test_the_model_looks_where_the_front_is() -> None:
    settings = cheap_settings(SPACE, limits=Limits(), per_round=4)
    trials = [of(number, point) for number, point in enumerate(propose(SPACE, settings, 0, []))]
    trials += [of(4 + place, point, 1) for place, point in enumerate(propose(SPACE, settings, 1, trials))]
    chosen = [SPACE.params(point) for point in propose(SPACE, settings, 2, trials)]
    # LiteRT costs half in every trial, and loses nothing.
    assert all(params["target"] == "tflite" for params in chosen[:2])


def test_limits_steer_the_choice() -> None:
    settings = cheap_settings(SPACE, limits=Limits(drop_points=0.8), per_round=3)
    points = list(SPACE.points())[::2]
    trials = [of(number, point) for number, point in enumerate(points)]
    chosen = propose(SPACE, settings, 1, trials)
    assert SPACE.params(chosen[0])["kernels"] == "7"


def test_a_study_without_training_chooses_by_size() -> None:
    settings = cheap_settings(SPACE, limits=Limits(), train=False, training=TrainingSettings())
    trials = [
        Trial(number, point, 0, number, measured(1.0 + number, size_bytes=9_000_000 - 1_000_000 * number))
        for number, point in enumerate(list(SPACE.points())[:5])
    ]
    chosen = propose(SPACE, settings, 1, trials)
    assert len(chosen) == 4 and not {trial.point for trial in trials} & set(chosen)


def test_the_cost_model_tells_its_error_and_what_multiplies() -> None:
    settings = cheap_settings(SPACE, limits=Limits())
    points = list(SPACE.points())
    seen = [of(number, point) for number, point in enumerate(points) if number % 3 != 1]
    prediction = Prediction(SPACE, settings, seen)
    error = prediction.cost_error()
    assert error is not None and error.trials == len(seen) and error.median < 0.05
    assert prediction.cost is not None
    unseen = [point for number, point in enumerate(points) if number % 3 == 1]
    mean, deviation = prediction.cost.predict_each(prediction.inputs(unseen))
    truth = np.log([of(0, point).measured.cost for point in unseen])
    assert np.abs(mean - truth).max() < 0.2
    assert (np.abs(mean - truth) < 3 * deviation + 0.02).mean() > 0.9
    assert Prediction(SPACE, settings, seen[:2]).cost_error() is None
    assert Prediction(SPACE, settings, seen[:4]).least_loss(points[1]) is None


def inputs(points: list[tuple[str, ...]], features: list[float]) -> Inputs:
    return Inputs(as_levels(points, [("a", "b"), ("x", "y", "z")]), np.array(features)[:, None])


def test_a_surrogate_knows_what_it_has_seen_and_how_little_of_the_rest() -> None:
    seen = inputs([("a", "x"), ("b", "x"), ("a", "y")], [0.0, 0.0, 0.0])
    asked = inputs([("a", "x"), ("b", "y"), ("a", "z")], [0.0, 0.0, 0.0])
    fitted = fit_surrogate(seen, np.array([1.0, 3.0, 2.0]), np.zeros(3))
    mean, deviation = fitted.predict_each(asked)
    assert mean[0] == pytest.approx(1.0, abs=0.1)
    assert 2.5 < mean[1] < 4.5
    assert deviation[0] < deviation[1] and deviation[0] < deviation[2]
    same, covariance = fitted.predict(asked)
    assert same == pytest.approx(mean)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(deviation, abs=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        fit_surrogate(inputs([("a", "x")], [0.0]), np.array([1.0]), np.zeros(1))


def test_figures_of_models_tell_of_levels_that_were_never_tried() -> None:
    seen = inputs([("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")], [1.0, 2.0, 3.0, 4.0])
    fitted = fit_surrogate(seen, np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4))
    mean, deviation = fitted.predict_each(inputs([("a", "z"), ("b", "z")], [2.5, 6.0]))
    assert mean[0] == pytest.approx(2.5, abs=0.7) and mean[1] > 4.2
    assert deviation[1] > deviation[0]
    _, covariance = fitted.predict(inputs([("a", "z"), ("b", "z")], [2.5, 6.0]))
    assert np.sqrt(np.diag(covariance)) == pytest.approx(deviation, abs=1e-6)
