"""Whole studies on a known space, by each strategy: how much of the true hypervolume so many evaluations find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pocketclip.benchmark.tune.front import hypervolume
from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.queueing import InlineQueue
from pocketclip.benchmark.tune.settings import Strategy, StudySettings
from pocketclip.benchmark.tune.study_store import begin_study
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.benchmark.tune.tuning import carry_on
from pocketclip.benchmark.tune_proof.recorded import Recorded

Figures = tuple[float, float]
"""Cost and points lost of a point: both are better where they are smaller."""


@dataclass(frozen=True)
class Truth:
    """Every point of the space, known beforehand, with the two references that hypervolumes are taken to."""

    figures: dict[Point, Figures]

    @property
    def front(self) -> list[Point]:
        """The points that no other beats."""
        return [
            point
            for point, mine in self.figures.items()
            if not any(each != mine and each[0] <= mine[0] and each[1] <= mine[1] for each in self.figures.values())
        ]

    @property
    def worst(self) -> Figures:
        """The worst of all points, in each figure."""
        return _worst(self.figures.values())

    @property
    def worst_of_front(self) -> Figures:
        """The worst of the front, in each figure, and a twentieth of its span beyond, so that its ends count."""
        on_front = [self.figures[point] for point in self.front]
        high, low = _worst(on_front), [min(each[at] for each in on_front) for at in (0, 1)]
        return high[0] + 0.05 * (high[0] - low[0]), high[1] + 0.05 * (high[1] - low[1])

    def share(self, points: Sequence[Point], reference: Figures) -> float:
        """The hypervolume of some points over that of all."""
        found = hypervolume([self.figures[point] for point in points], reference)
        return found / hypervolume(list(self.figures.values()), reference)


@dataclass(frozen=True)
class Tried:
    """A study: the points that it evaluated, in the order of their trials; `measured_only` were never trained."""

    strategy: Strategy
    seed: int
    points: tuple[Point, ...]
    measured_only: int

    def evaluations(self, truth: Truth, reference: Figures, share: float) -> int | None:
        """How many of them reach a share of the true hypervolume; None where all together do not."""
        counts = range(1, len(self.points) + 1)
        return next((n for n in counts if truth.share(self.points[:n], reference) >= share), None)


def truth_of(space: SearchSpace, worker: Recorded) -> Truth:
    """All points of the space with what the records say of them."""
    figures = {point: (worker.measured(point).cost, worker.judged(point).drop_points) for point in space.points()}
    return Truth(figures)


def try_all(
    space: SearchSpace,
    worker: Recorded,
    settings: StudySettings,
    seeds: Sequence[int],
    most: int,
    strategies: Sequence[Strategy] = tuple(Strategy),
) -> Iterator[Tried]:
    """A study for each strategy and seed, in a store of its own; the plain order has no seed."""
    for strategy in strategies:
        for seed in seeds[:1] if strategy is Strategy.ORDER else seeds:
            trials = _study(space, worker, replace(settings, strategy=strategy, seed=seed), most)
            judged = tuple(trial.point for trial in trials)
            yield Tried(strategy, seed, judged, sum(not trial.complete for trial in trials))


def _study(space: SearchSpace, worker: Recorded, settings: StudySettings, most: int) -> list[Trial]:
    with TemporaryDirectory(prefix="pocketclip-tune-proof-") as folder:
        location = str(Path(folder, "studies.sqlite"))
        with begin_study(location, "proof", settings) as study:
            return carry_on(study, space, InlineQueue(worker, study.keep), most=most)


def _worst(figures: Iterable[Figures]) -> Figures:
    listed = list(figures)
    return max(each[0] for each in listed), max(each[1] for each in listed)
