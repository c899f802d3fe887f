"""What a modification costs or buys: differences to the base, with intervals that hold for all of them together.

Accuracy: every seed trains base and variant alike, and both judge the same samples. The error of the mean difference
has two parts: which samples are judged (the spread over samples, of the mean over seeds) and which seed trains (the
spread over seeds, pooled over all variants, since three seeds say little of it). Both are added, which counts their
interaction twice: the intervals are too wide rather than too narrow. Student's t takes the pooled degrees of freedom.

Latency: ratios of the medians over launches, resampled by launch.

Each family of intervals is corrected by Bonferroni: with 95 %, all of them hold together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketclip.benchmark.encoder_study.study_records import Start, StudyRun, StudySpeed, TowerSpeed
from pocketclip.benchmark.encoder_study.variants import BASE, Variant
from pocketclip.benchmark.errors import RecordError
from pocketclip.export.precision import Precision, Tower

LEVEL = 0.05
# Without a spread over seeds there is no interval.
FEWEST_SEEDS = 2
_RESAMPLES = 20_000


@dataclass(frozen=True)
class AccuracyEffect:
    """A variant's accuracy minus the base's, in points; `low` and `high` hold for all variants of a column together."""

    variant: str
    seeds: int
    points: float
    low: float
    high: float

    @property
    def loses(self) -> bool:
        """Whether a loss is proven."""
        return self.high < 0

    @property
    def gains(self) -> bool:
        """Whether a gain is proven."""
        return self.low > 0

    @property
    def detectable(self) -> float:
        """Half the interval: a smaller difference cannot be told from none."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class SpeedEffect:
    """A variant's latency over the base's; `low` and `high` hold for all variants of a column together."""

    variant: str
    ratio: float
    low: float
    high: float

    @property
    def faster(self) -> bool:
        """Whether it is proven faster."""
        return self.high < 1


def mean_accuracy(runs: Sequence[StudyRun], split: str, precision: Precision) -> float | None:
    """The mean over runs, 0 to 1; None where no run judged the split."""
    found = [answers.right.mean() for run in runs if (answers := run.of(split, precision)) is not None]
    return float(np.mean(found)) if found else None


def accuracy_effects(
    runs: Sequence[StudyRun], start: Start, split: str, precision: Precision
) -> dict[str, AccuracyEffect]:
    """The effect of every variant that shares two seeds or more with the base, by name.

    Raises:
        RecordError: runs judged different samples.
    """
    by_variant: dict[str, dict[int, NDArray[np.bool_]]] = {}
    identities: set[str] = set()
    for run in runs:
        answers = run.of(split, precision)
        if run.start is start and answers is not None:
            by_variant.setdefault(run.variant, {})[run.seed] = answers.right
            identities.add(answers.sha256)
    if len(identities) > 1:
        raise RecordError(f"runs judged different samples of {split}", fix="use one set of pictures for all runs")
    base = by_variant.pop(BASE.name, {})
    differences: dict[str, NDArray[np.float64]] = {}
    for name, found in by_variant.items():
        shared = sorted(found.keys() & base.keys())
        if len(shared) >= FEWEST_SEEDS:
            differences[name] = np.stack([found[seed].astype(np.float64) - base[seed] for seed in shared])
    return _effects(differences)


def _effects(differences: dict[str, NDArray[np.float64]]) -> dict[str, AccuracyEffect]:
    """Of `(seeds, samples)` differences in -1, 0 and 1."""
    if not differences:
        return {}
    from scipy.stats import t

    means = {name: rows.mean(1) for name, rows in differences.items()}
    freedom = sum(len(each) - 1 for each in means.values())
    of_seeds = sum(float(((each - each.mean()) ** 2).sum()) for each in means.values()) / freedom
    quantile = float(t.ppf(1 - LEVEL / 2 / len(differences), freedom))
    found: dict[str, AccuracyEffect] = {}
    for name, rows in differences.items():
        seeds, samples = rows.shape
        error = math.sqrt(float(rows.mean(0).var(ddof=1)) / samples + of_seeds / seeds)
        points, spread = 100 * float(rows.mean()), 100 * quantile * error
        found[name] = AccuracyEffect(name, seeds, points, points - spread, points + spread)
    return found


def tower_speed(speed: StudySpeed, variant: Variant, tower: Tower, target: str, precision: Precision) -> TowerSpeed:
    """A variant's tower; the base's where the variant does not change it.

    Raises:
        RecordError: it was not measured.
    """
    name = variant.name if tower in variant.towers else BASE.name
    found = speed.of(name, tower, target, precision)
    if found is None:
        raise RecordError(f"the {tower} tower of {name} was not measured as {target}-{precision}", fix="run it again")
    return found


def speed_effects(
    speed: StudySpeed, variants: Sequence[Variant], target: str, precision: Precision
) -> dict[str, SpeedEffect]:
    """The latency of both towers together, over the base's, of every variant but the base, by name."""
    changed = [variant for variant in variants if variant is not BASE]
    tail = 100 * LEVEL / 2 / max(1, len(changed))
    random = np.random.default_rng(0)

    def drawn(variant: Variant) -> tuple[float, NDArray[np.float64]]:
        towers = [np.array(tower_speed(speed, variant, each, target, precision).launch_medians_ns) for each in Tower]
        whole = sum(float(np.median(each)) for each in towers)
        places = [random.integers(len(each), size=(_RESAMPLES, len(each))) for each in towers]
        return whole, np.sum([np.median(each[at], axis=1) for each, at in zip(towers, places, strict=True)], axis=0)

    base, base_drawn = drawn(BASE)
    found: dict[str, SpeedEffect] = {}
    for variant in changed:
        whole, resampled = drawn(variant)
        low, high = np.percentile(resampled / base_drawn, (tail, 100 - tail))
        found[variant.name] = SpeedEffect(variant.name, whole / base, float(low), float(high))
    return found


def latency_ms(speed: StudySpeed, variant: Variant, target: str, precision: Precision) -> float:
    """The medians over launches of both towers together."""
    towers = [tower_speed(speed, variant, tower, target, precision) for tower in Tower]
    return sum(float(np.median(tower.launch_medians_ns)) for tower in towers) / 1e6


def million_instructions(speed: StudySpeed, variant: Variant, target: str, precision: Precision) -> float | None:
    """Of both towers together; None where one was not counted."""
    counts = [tower_speed(speed, variant, tower, target, precision).instructions for tower in Tower]
    known = [count for count in counts if count is not None]
    return sum(known) / 1e6 if len(known) == len(counts) else None
