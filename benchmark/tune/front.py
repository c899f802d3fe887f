"""The front of a study: trials that no other beats in both figures, what the intervals say of it, its hypervolume.

Both figures are better where they are smaller: cost, and accuracy lost (or size, of a study that does not train).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Trial


@dataclass(frozen=True)
class Spot:
    """Where a trial stands: both figures with their 95 % intervals; an exact one is its own interval."""

    cost: float
    loss: float
    cost_interval: tuple[float, float]
    loss_interval: tuple[float, float]

    def beats(self, other: Spot) -> bool:
        """Whether this one is no worse in both figures and better in one."""
        no_worse = self.cost <= other.cost and self.loss <= other.loss
        return no_worse and (self.cost < other.cost or self.loss < other.loss)

    def worse_in_one(self, other: Spot) -> bool:
        """Whether this one is proven worse than the other in a figure: their intervals lie apart."""
        return self.cost_interval[0] > other.cost_interval[1] or self.loss_interval[0] > other.loss_interval[1]


@dataclass(frozen=True)
class FrontPoint:
    """A trial on the front. `rivals` are the numbers of trials of which it is not proven that they are worse in a
    figure; without any, the statistics say that it belongs there."""

    trial: Trial
    spot: Spot
    rivals: tuple[int, ...]

    @property
    def proven(self) -> bool:
        """Whether no other trial may be as good in both figures."""
        return not self.rivals


def spot_of(trial: Trial, settings: StudySettings) -> Spot | None:
    """Where a trial stands; None where it was not measured and judged."""
    measured = trial.measured
    if measured is None or trial.failed is not None:
        return None
    cost_interval = (measured.low, measured.high)
    if not settings.train:
        size = float(measured.size_bytes)
        return Spot(measured.cost, size, cost_interval, (size, size))
    judged = trial.judged
    if judged is None:
        return None
    return Spot(measured.cost, judged.drop_points, cost_interval, (judged.drop_low_points, judged.drop_high_points))


def front(trials: Sequence[Trial], settings: StudySettings) -> list[FrontPoint]:
    """The trials within the limits that no other such trial beats, by cost."""
    spots = {
        trial.number: (trial, spot)
        for trial in trials
        if (spot := spot_of(trial, settings)) is not None and within(trial, settings)
    }
    found: list[FrontPoint] = []
    for number, (trial, spot) in spots.items():
        others = [(other, each) for other, (_, each) in spots.items() if other != number]
        if any(each.beats(spot) for _, each in others):
            continue
        rivals = tuple(other for other, each in others if not each.worse_in_one(spot))
        found.append(FrontPoint(trial, spot, rivals))
    return sorted(found, key=lambda each: (each.spot.cost, each.trial.number))


def within(trial: Trial, settings: StudySettings) -> bool:
    """Whether a trial meets every limit and every parity budget, as far as it was measured."""
    failures = trial.judged.failures if trial.judged is not None else ()
    return not failures and not trial.violations(settings.limits, settings.cost)


def hypervolume(spots: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """The area between the points and a reference that is worse than all that count: more is better."""
    area, level = 0.0, reference[1]
    for cost, loss in sorted(spots):
        if cost < reference[0] and loss < level:
            area += (reference[0] - cost) * (level - loss)
            level = loss
    return area


def ranks(spots: Sequence[tuple[float, float]]) -> list[int]:
    """The front that each point is on, 0 for the first: what is left after the fronts before are taken away."""
    left = dict(enumerate(spots))
    found = [0] * len(spots)
    rank = 0
    while left:
        first = [at for at, spot in left.items() if not any(_beats(other, spot) for other in left.values())]
        for at in first:
            found[at] = rank
            del left[at]
        rank += 1
    return found


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]


@dataclass(frozen=True)
class Nearest:
    """The trial that comes nearest to limits which none meets: the violations of it, and their shares added."""

    trial: Trial
    words: tuple[str, ...]
    excess: float


def nearest(trials: Sequence[Trial], settings: StudySettings) -> Nearest | None:
    """Of the trials that are beyond a limit, the one that is least beyond; None where one meets all, or none is known.

    A trial that a limit ended early was never judged: what is known of it counts.
    """
    found: list[Nearest] = []
    for trial in trials:
        if trial.measured is None or trial.failed is not None:
            continue
        violated = trial.violations(settings.limits, settings.cost)
        if not violated and spot_of(trial, settings) is not None and within(trial, settings):
            return None
        if violated:
            found.append(Nearest(trial, tuple(each.words for each in violated), sum(each.share for each in violated)))
    return min(found, key=lambda each: (each.excess, each.trial.number), default=None)
