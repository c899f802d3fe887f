"""Units of one model of device against each other: how far apart they are, and which of them is none like the others.

Units are of one model where device, its kind, processor and SoC have the same names: computers are all called `host`. A
unit's level is the median, over what was measured on it, of its times relative to the other units': each artefact
with its settings is a cell, a unit's time in it the median of its launches' medians, and the cell's reference the
median of the units' times. So a few odd launches move no level, and units need not have measured the same.

An outlier is told by Rosner's generalised test of extreme Studentised deviates over the logarithms of the levels, at
5 % for all units of the model together, and only where its level's own interval lies beyond a relevant difference. Of
few units, or few launches, nothing is told: among fewer than six, only an absurd one would be found.

B. Rosner, Percentage points for a generalized ESD many-outlier procedure. Technometrics 25 (1983), 165-172.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceFacts
from pocketclip.benchmark.statistics.summaries import launch_medians

LEAST_UNITS, LEAST_LAUNCHES = 6, 5
# From so many units on, several outliers are looked for.
LEAST_FOR_SEVERAL = 15
SIGNIFICANCE = 0.05
# A unit that is closer to the others than this is one of them, however sure the difference.
RELEVANT_SHARE = 0.02
_RESAMPLES, _SEED = 1000, 0
# From the median absolute deviation to the standard deviation of a normal spread.
_MAD_TO_DEVIATION = 1.4826

_Cell = tuple[str, str, int, str, str]
_Model = tuple[str, str, str, str]
_Launches = Mapping[_Cell, tuple[float, ...]]


class UnitVerdict(StrEnum):
    """What can be said of a unit."""

    LIKE_OTHERS = "like the others"
    SLOWER = "slower than the others"
    FASTER = "faster than the others"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class UnitLevel:
    """A unit: its level as a share of the model's (0.03 is 3 % slower), with its 95 % interval over launches."""

    unit: str
    level: float
    interval: tuple[float, float] | None
    launches: int
    verdict: UnitVerdict


@dataclass(frozen=True)
class ModelVariation:
    """The units of one model, and the spread between them as a robust deviation with its 95 % interval over units.

    `model` also names processor and SoC where several models share the device's name.
    """

    model: str
    units: tuple[UnitLevel, ...]
    cells: int
    spread: float | None
    spread_interval: tuple[float, float] | None
    words: str


def variation_of_units(records: Iterable[BenchmarkRecord]) -> list[ModelVariation]:
    """The models of which several units were measured, by name; of what may not be ranked nothing counts."""
    models: defaultdict[_Model, defaultdict[str, defaultdict[_Cell, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for record in records:
        if record.rankable and record.device.instance and record.launches:
            cell = (
                record.artifact.sha256,
                record.settings.accelerator,
                record.settings.threads,
                str(record.settings.load_mode),
                str(record.settings.cores),
            )
            models[_model(record.device)][record.device.instance][cell] += launch_medians(record.launches)
    named = Counter(name for name, *_ in models)
    return [
        _variation(
            model[0] if named[model[0]] == 1 else _full_name(model),
            {unit: {cell: tuple(times) for cell, times in cells.items()} for unit, cells in units.items()},
        )
        for model, units in sorted(models.items())
        if len(units) > 1
    ]


def _model(device: DeviceFacts) -> _Model:
    return device.name, str(device.kind), device.cpu, device.soc or ""


def _full_name(model: _Model) -> str:
    name, _, cpu, soc = model
    return f"{name} ({', '.join(filter(None, (cpu, soc)))})"


def extreme_deviates(levels: Sequence[float], significance: float = SIGNIFICANCE) -> list[int]:
    """The places of outliers by Rosner's test: none of them with a probability of 1 - significance where all are alike.

    At most a quarter of the values; of fewer than fifteen, where looking for a second one would call too many alike
    units outliers, one (Grubbs' test); nothing where fewer than six are given.
    """
    count = len(levels)
    if count < LEAST_UNITS:
        return []
    from scipy import stats  # pyright: ignore[reportMissingTypeStubs]

    untyped: Any = stats
    left = list(range(count))
    removed: list[int] = []
    outliers = 0
    for step in range(1, (count // 4 if count >= LEAST_FOR_SEVERAL else 1) + 1):
        values = np.asarray([levels[place] for place in left], np.float64)
        deviation = float(values.std(ddof=1))
        if deviation == 0.0:
            break
        distances = np.abs(values - values.mean()) / deviation
        farthest = int(distances.argmax())
        size = len(left)
        quantile = float(untyped.t.ppf(1 - significance / (2 * size), size - 2))
        limit = (size - 1) * quantile / math.sqrt((size - 2 + quantile**2) * size)
        removed.append(left.pop(farthest))
        if float(distances[farthest]) > limit:
            outliers = step
    return removed[:outliers]


def _variation(name: str, units: Mapping[str, _Launches]) -> ModelVariation:
    cells = {cell for each in units.values() for cell in each if sum(cell in other for other in units.values()) > 1}
    shared = {unit: {cell: each[cell] for cell in each if cell in cells} for unit, each in units.items()}
    compared = {unit: each for unit, each in shared.items() if each}
    references = {
        cell: float(np.median([np.median(each[cell]) for each in compared.values() if cell in each])) for cell in cells
    }
    levels = {unit: _level(each, references) for unit, each in compared.items()}
    intervals = {unit: _interval(each, references) for unit, each in compared.items()}
    launches = {unit: sum(map(len, each.values())) for unit, each in compared.items()}
    enough = [unit for unit in compared if launches[unit] >= LEAST_LAUNCHES]
    words = _why_not(len(enough), len(units))
    outliers = set() if words else {enough[place] for place in extreme_deviates([levels[unit] for unit in enough])}
    found = [
        UnitLevel(
            unit,
            math.expm1(levels[unit]),
            None if intervals[unit] is None else tuple(math.expm1(end) for end in intervals[unit]),  # pyright: ignore[reportArgumentType, reportOptionalIterable]
            launches[unit],
            UnitVerdict.UNKNOWN if words or unit not in enough else _verdict(unit in outliers, intervals[unit]),
        )
        for unit in sorted(compared, key=lambda each: (-levels[each], each))
    ]
    spread, interval = _spread([levels[unit] for unit in compared])
    odd = [each for each in found if each.verdict in (UnitVerdict.SLOWER, UnitVerdict.FASTER)]
    said = words or ("no unit is an outlier" if not odd else f"{len(odd)} of {len(enough)} units are outliers")
    return ModelVariation(name, tuple(found), len(cells), spread, interval, said)


def _why_not(enough: int, units: int) -> str:
    if enough >= LEAST_UNITS:
        return ""
    return (
        f"no outlier can be told: {enough} of {units} units have {LEAST_LAUNCHES} launches that may be ranked, "
        f"{LEAST_UNITS} are needed"
    )


def _verdict(outlier: bool, interval: tuple[float, float] | None) -> UnitVerdict:
    if not outlier or interval is None:
        return UnitVerdict.LIKE_OTHERS
    if interval[0] > math.log1p(RELEVANT_SHARE):
        return UnitVerdict.SLOWER
    return UnitVerdict.FASTER if interval[1] < math.log1p(-RELEVANT_SHARE) else UnitVerdict.LIKE_OTHERS


def _level(cells: _Launches, references: Mapping[_Cell, float]) -> float:
    return float(np.median([math.log(np.median(times) / references[cell]) for cell, times in cells.items()]))


def _interval(cells: _Launches, references: Mapping[_Cell, float]) -> tuple[float, float] | None:
    """95 % bootstrap interval of a level over its launches; None where there are too few."""
    if sum(map(len, cells.values())) < LEAST_LAUNCHES:
        return None
    chance = np.random.default_rng(_SEED)
    drawn = []
    for cell, times in cells.items():
        values = np.log(np.asarray(times, np.float64) / references[cell])
        drawn.append(np.median(values[chance.integers(len(values), size=(_RESAMPLES, len(values)))], axis=1))
    low, high = np.percentile(np.median(np.asarray(drawn), axis=0), (2.5, 97.5))
    return float(low), float(high)


def _spread(levels: Sequence[float]) -> tuple[float | None, tuple[float, float] | None]:
    """The robust deviation between units, and its bootstrap interval over them from six units on."""
    if len(levels) < 3:
        return None, None
    values = np.asarray(levels, np.float64)
    spread = _deviation(values)
    if len(levels) < LEAST_UNITS:
        return spread, None
    chance = np.random.default_rng(_SEED)
    drawn = [_deviation(values[chance.integers(len(values), size=len(values))]) for _ in range(_RESAMPLES)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return spread, (float(low), float(high))


def _deviation(values: Any) -> float:
    return float(_MAD_TO_DEVIATION * np.median(np.abs(values - np.median(values))))
