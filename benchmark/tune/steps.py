"""What comes next in a study: a function of its trials alone, so that one that was ended goes on as if it had not been.

A round is a few points, chosen from the results of earlier rounds. All of a round are measured with fresh weights
first. What can still be on the front is trained, in rungs after each of which the better share goes on; what is left is
exported with its weights and judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pocketclip.benchmark.tune.front import ranks, spot_of, within
from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.prediction import Prediction
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Closing, Ending, Judged, StageResult, Trained, Trial

Propose = Callable[[int, Sequence[Trial]], Sequence[Point]]
"""The points of a round, from its number and the trials of all earlier rounds."""


class Stage(StrEnum):
    """What is done to a trial."""

    MEASURE = "measure"
    TRAIN = "train"
    JUDGE = "judge"


@dataclass(frozen=True)
class Task:
    """One stage of one trial; `rung` is that of training, 0 else. `parent` is what an earlier rung left."""

    number: int
    point: Point
    stage: Stage
    rung: int = 0
    parent: Trained | None = None


@dataclass(frozen=True)
class Begin:
    """Begin trials in a round: places and points."""

    round: int
    points: tuple[tuple[int, Point], ...]


@dataclass(frozen=True)
class Work:
    """Carry out tasks of one stage; in any order."""

    stage: Stage
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Share:
    """Take a stage's result over from another trial of the same model."""

    results: tuple[tuple[int, StageResult], ...]


@dataclass(frozen=True)
class Close:
    """End trials."""

    closings: tuple[tuple[Trial, Closing], ...]


@dataclass(frozen=True)
class Done:
    """Nothing is left to do; `exhausted` where every point of the space has been tried."""

    exhausted: bool


Step = Begin | Work | Share | Close | Done


def next_step(
    space: SearchSpace, settings: StudySettings, trials: Sequence[Trial], most: int, propose: Propose
) -> Step:
    """The next step of a study.

    Args:
        space: of the study.
        settings: of the study.
        trials: all of them, by number.
        most: how many trials there may be; rounds that have no room are not begun.
        propose: gives the points of a round.
    """
    number = max((trial.round for trial in trials), default=0)
    while True:
        current = [trial for trial in trials if trial.round == number]
        earlier = [trial for trial in trials if trial.round < number]
        points = list(propose(number, earlier))
        there = {trial.place for trial in current}
        # On another computer, rounding may choose otherwise: what has begun already never begins again.
        begun = {trial.point for trial in trials}
        missing = [(place, point) for place, point in enumerate(points) if place not in there and point not in begun]
        room = most - len(trials)
        # A round begins as a whole: what is chosen later must not depend on where an earlier call had to stop.
        if missing and len(missing) <= room:
            return Begin(number, tuple(missing))
        opened = [trial for trial in current if trial.open]
        if opened:
            return _in_round(space, settings, trials, earlier, current, opened)
        if missing or not points:
            return Done(exhausted=not points)
        number += 1


def _in_round(
    space: SearchSpace,
    settings: StudySettings,
    trials: Sequence[Trial],
    earlier: Sequence[Trial],
    current: Sequence[Trial],
    opened: Sequence[Trial],
) -> Step:
    if failed := [trial for trial in opened if trial.failed is not None]:
        return Close(tuple((each, Closing(Ending.FAILED, _reason(each))) for each in failed))
    if lacking := [trial for trial in opened if trial.measured is None]:
        return Work(Stage.MEASURE, tuple(Task(each.number, each.point, Stage.MEASURE) for each in lacking))
    if not settings.train:
        return Close(tuple((trial, _measured_only(trial, settings)) for trial in opened))
    if rejected := _rejected(space, settings, earlier, opened):
        return Close(rejected)
    for rung in range(len(settings.training.steps)):
        lacking = [trial for trial in opened if len(trial.trained) <= rung]
        if lacking:
            return _training(space, trials, lacking, rung)
        if rung + 1 < len(settings.training.steps):
            kept = _survivors(space, settings, current, rung)
            if behind := [trial for trial in opened if trial.number not in kept]:
                words = f"after {settings.training.steps[rung]} steps, {len(kept)} others of its round are ahead"
                return Close(tuple((trial, Closing(Ending.HALVED, words)) for trial in behind))
    if lacking := [trial for trial in opened if trial.judged is None]:
        return _judging(space, trials, lacking)
    return Close(tuple((trial, _judged(trial, settings)) for trial in opened))


def _reason(trial: Trial) -> str:
    assert trial.failed is not None
    return f"{trial.failed.stage}: {trial.failed.reason}"


def _measured_only(trial: Trial, settings: StudySettings) -> Closing:
    violated = trial.violations(settings.limits, settings.cost)
    if any(each.certain for each in violated):
        return Closing(Ending.LIMIT, "; ".join(each.words for each in violated))
    return Closing(Ending.JUDGED)


def _judged(trial: Trial, settings: StudySettings) -> Closing:
    words = [each.words for each in trial.violations(settings.limits, settings.cost)]
    if trial.judged is not None:
        words += [f"parity: {failure}" for failure in trial.judged.failures]
    # What was judged counts, whatever a limit says: the models of cost and accuracy learn from it.
    return Closing(Ending.JUDGED, "; ".join(words))


def _rejected(
    space: SearchSpace, settings: StudySettings, earlier: Sequence[Trial], opened: Sequence[Trial]
) -> tuple[tuple[Trial, Closing], ...]:
    """Trials that no training could help: beyond a limit, or behind an earlier trial even if they turn out well."""
    found: list[tuple[Trial, Closing]] = []
    prediction = Prediction(space, settings, earlier)
    for trial in opened:
        if trial.trained:
            # It was decided already.
            continue
        violated = [each for each in trial.violations(settings.limits, settings.cost) if each.certain]
        if violated:
            found.append((trial, Closing(Ending.LIMIT, "; ".join(each.words for each in violated))))
            continue
        least = prediction.least_loss(trial.point)
        assert trial.measured is not None
        for other in earlier:
            spot = spot_of(other, settings)
            if least is None or spot is None or not within(other, settings):
                continue
            if spot.cost_interval[1] < trial.measured.low and spot.loss_interval[1] < least:
                words = f"trial {other.number} costs less, and loses less than the {least:.1f} points expected at best"
                found.append((trial, Closing(Ending.BEATEN, words)))
                break
    return tuple(found)


def _training(space: SearchSpace, trials: Sequence[Trial], lacking: Sequence[Trial], rung: int) -> Step:
    """One task for each model; trials of the same model share what it gives."""
    known = {space.model_key(each.point): each.trained[rung] for each in trials if len(each.trained) > rung}
    if shared := [(each.number, known[key]) for each in lacking if (key := space.model_key(each.point)) in known]:
        return _shared(shared)
    tasks: dict[str, Task] = {}
    for trial in lacking:
        parent = trial.trained[-1] if trial.trained else None
        tasks.setdefault(space.model_key(trial.point), Task(trial.number, trial.point, Stage.TRAIN, rung, parent))
    return Work(Stage.TRAIN, tuple(tasks.values()))


def _judging(space: SearchSpace, trials: Sequence[Trial], lacking: Sequence[Trial]) -> Step:
    """One task for each exported pair: how many threads measure it changes no answer."""

    def key(trial: Trial) -> tuple[str, object]:
        return space.model_key(trial.point), space.scheme(trial.point)

    known = {key(each): each.judged for each in trials if each.judged is not None}
    if shared := [(each.number, known[key(each)]) for each in lacking if key(each) in known]:
        return _shared(shared)
    tasks: dict[tuple[str, object], Task] = {}
    for trial in lacking:
        tasks.setdefault(key(trial), Task(trial.number, trial.point, Stage.JUDGE, parent=trial.trained[-1]))
    return Work(Stage.JUDGE, tuple(tasks.values()))


def _shared(results: Sequence[tuple[int, Trained | Judged]]) -> Share:
    # The time is that of the trial that did the work.
    return Share(tuple((number, replace(result, seconds=0.0)) for number, result in results))


def _survivors(space: SearchSpace, settings: StudySettings, current: Sequence[Trial], rung: int) -> set[int]:
    """The better share of all trials of a round that reached a rung, those that have ended since too."""
    reached = [trial for trial in current if len(trial.trained) > rung and trial.measured is not None]
    spots = [(trial.measured.cost, 1 - trial.trained[rung].accuracy) for trial in reached if trial.measured]
    listed = zip(ranks(spots), spots, reached, strict=True)
    ordered = sorted(listed, key=lambda each: (each[0], each[1][1], each[2].number))
    kept = {trial.number for _, _, trial in ordered[: math.ceil(settings.training.keep_share * len(reached))]}
    # What needs no training has nothing to gain from being left out.
    return kept | {trial.number for trial in reached if space.is_base(trial.point)}
