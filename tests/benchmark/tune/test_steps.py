"""What comes next in a study is a function of its trials alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.points import Point
from pocketclip.benchmark.tune.settings import StudySettings, TrainingSettings
from pocketclip.benchmark.tune.steps import Begin, Close, Done, Share, Stage, Step, Work, next_step
from pocketclip.benchmark.tune.trials import Closing, Ending, Failed, Trial
from tests.benchmark.tune.cheap import cheap_settings, cheap_space, judged, measured, trained

SPACE = cheap_space()
SETTINGS = cheap_settings(SPACE, limits=Limits(), training=TrainingSettings(steps=(10,)))


def point(**levels: str) -> Point:
    return SPACE.point(SPACE.params(SPACE.base_points()[0]) | levels)


BASE, RELU, RELU_INT8 = point(), point(activation="relu"), point(activation="relu", precision="int8-static")
KERNELS = point(kernels="3")


def step(trials: Sequence[Trial], settings: StudySettings = SETTINGS, most: int = 10, rounds: int = 1) -> Step:
    chosen = [[BASE, RELU], [KERNELS, RELU_INT8]][:rounds]
    return next_step(SPACE, settings, trials, most, lambda number, _: chosen[number] if number < rounds else [])


def test_trials_begin_before_anything_runs_and_what_is_missing_of_a_round_is_added() -> None:
    assert step([]) == Begin(0, ((0, BASE), (1, RELU)))
    assert step([], most=1) == Done(exhausted=False)
    assert step([Trial(0, RELU, 0, 1)]) == Begin(0, ((0, BASE),))
    # What has begun at another place of the round does not begin again.
    again = step([Trial(0, BASE, 0, 1)])
    assert isinstance(again, Work)


def test_all_of_a_round_are_measured_before_one_is_trained() -> None:
    found = step([Trial(0, BASE, 0, 0, measured(1.0)), Trial(1, RELU, 0, 1)])
    assert isinstance(found, Work) and found.stage is Stage.MEASURE
    assert [task.number for task in found.tasks] == [1]


def test_a_limit_that_a_cost_is_certainly_beyond_ends_a_trial_before_its_training() -> None:
    settings = replace(SETTINGS, limits=Limits(latency_ns=2.0))
    trials = [Trial(0, BASE, 0, 0, measured(2.01, spread=0.1)), Trial(1, RELU, 0, 1, measured(4.0))]
    found = step(trials, settings)
    assert isinstance(found, Close)
    ((closed, closing),) = found.closings
    assert closed.number == 1 and closing.ending is Ending.LIMIT and "max-latency" in closing.reason


def test_models_are_trained_once_and_pairs_judged_once() -> None:
    trials = [
        Trial(0, RELU, 0, 0, measured(1.0)),
        Trial(1, RELU_INT8, 0, 1, measured(0.5)),
        Trial(2, KERNELS, 0, 2, measured(0.7)),
    ]
    found = next_step(SPACE, SETTINGS, trials, 10, lambda *_: [RELU, RELU_INT8, KERNELS])
    assert isinstance(found, Work) and found.stage is Stage.TRAIN
    assert [task.number for task in found.tasks] == [0, 2]
    trials[0] = replace(trials[0], trained=(trained(0.5),))
    trials[2] = replace(trials[2], trained=(trained(0.6),))
    found = next_step(SPACE, SETTINGS, trials, 10, lambda *_: [RELU, RELU_INT8, KERNELS])
    assert found == Share(((1, replace(trained(0.5), seconds=0.0)),))


def test_the_better_share_of_a_round_goes_on_whatever_has_ended_already() -> None:
    settings = replace(SETTINGS, training=TrainingSettings(steps=(10, 20), keep_share=0.5))
    points = [BASE, RELU, RELU_INT8, KERNELS]
    trials = [
        Trial(0, BASE, 0, 0, measured(4.0), (trained(0.1),)),
        Trial(1, RELU, 0, 1, measured(1.0), (trained(0.9),)),
        Trial(2, RELU_INT8, 0, 2, measured(2.0), (trained(0.5),)),
        Trial(3, KERNELS, 0, 3, measured(3.0), (trained(0.95),)),
    ]

    def ended(found: Step) -> set[int]:
        assert isinstance(found, Close)
        return {trial.number for trial, _ in found.closings}

    first = next_step(SPACE, settings, trials, 10, lambda *_: points)
    # The unchanged model stays, last as it is: nothing would be left to compare with.
    assert ended(first) == {2}
    trials[2] = replace(trials[2], closing=Closing(Ending.HALVED))
    second = next_step(SPACE, settings, trials, 10, lambda *_: points)
    assert isinstance(second, Work) and second.stage is Stage.TRAIN
    assert {task.number: task.parent for task in second.tasks} == {
        each.number: each.trained[0] for each in trials if each.number != 2
    }


def test_failed_and_judged_trials_end_and_the_next_round_begins() -> None:
    failed = Failed("train", "non-finite", "the loss is NaN", 1.0)
    trials = [
        Trial(0, BASE, 0, 0, measured(1.0), (trained(0.5),), judged(0.0)),
        Trial(1, RELU, 0, 1, measured(1.0), failed=failed),
    ]
    found = step(trials)
    assert isinstance(found, Close) and found.closings[0][1] == Closing(Ending.FAILED, "train: the loss is NaN")
    trials[1] = replace(trials[1], closing=Closing(Ending.FAILED))
    found = step(trials)
    assert isinstance(found, Close) and found.closings[0][1] == Closing(Ending.JUDGED)
    trials[0] = replace(trials[0], closing=Closing(Ending.JUDGED))
    assert step(trials, rounds=2) == Begin(1, ((0, KERNELS), (1, RELU_INT8)))
    assert step(trials) == Done(exhausted=True)
    assert step(trials, rounds=2, most=2) == Done(exhausted=False)


def test_without_training_a_trial_ends_with_its_measurement() -> None:
    settings = replace(SETTINGS, train=False, limits=Limits(size_bytes=4e6))
    trials = [
        Trial(0, BASE, 0, 0, measured(1.0, size_bytes=3_000_000)),
        Trial(1, RELU, 0, 1, measured(2.0, size_bytes=5_000_000)),
    ]
    found = step(trials, settings)
    assert isinstance(found, Close)
    assert [closing.ending for _, closing in found.closings] == [Ending.JUDGED, Ending.LIMIT]


def test_what_cannot_be_on_the_front_is_not_trained() -> None:
    # Twelve judged trials: ReLU loses ten points in each, all else nothing.
    points = [each for each in SPACE.points() if SPACE.params(each)["target"] == "onnx"]
    earlier = [
        Trial(
            number,
            each,
            0,
            number,
            measured(1.0 + number),
            (trained(0.5),),
            judged(10.0 if SPACE.params(each)["activation"] == "relu" else 0.0),
            closing=Closing(Ending.JUDGED),
        )
        for number, each in enumerate(points)
    ]
    bad = SPACE.point(SPACE.params(RELU) | {"target": "tflite"})
    good = SPACE.point(SPACE.params(BASE) | {"target": "tflite"})
    current = [Trial(12, bad, 1, 0, measured(50.0)), Trial(13, good, 1, 1, measured(0.5))]
    proposed = [bad, good]
    found = next_step(SPACE, SETTINGS, [*earlier, *current], 14, lambda *_: proposed)
    assert isinstance(found, Close)
    ((closed, closing),) = found.closings
    assert closed.number == 12 and closing.ending is Ending.BEATEN and "expected at best" in closing.reason
    # Before there are enough judged trials, nothing is ruled out.
    few = [replace(each, closing=each.closing) for each in earlier[:4]]
    found = next_step(SPACE, SETTINGS, [*few, *current], 14, lambda *_: proposed)
    assert not isinstance(found, Close)
