"""Candidate against baseline, pair by pair: what became of accuracy, of both towers' latency and of the size."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from pocketclip.benchmark.records.accuracy import AccuracyRecord, Comparison
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, age_key
from pocketclip.benchmark.report.comparison import Baseline, BaselineComparison, BaselineKind, Compared
from pocketclip.benchmark.report.names import TARGET_NAMES, scheme_name
from pocketclip.benchmark.report.selection import ModelSelection, data_set, operation
from pocketclip.export.precision import Tower
from pocketclip.models.statistics.judgement import Judgement, Verdict, judge_drop


@dataclass(frozen=True)
class AccuracyChange:
    """The candidate's accuracy minus the baseline's, in percentage points, with its 95 % interval.

    `paired` is False where no evaluation compared the two on the same images: the interval is then wider than need be.
    `against` names the side that it is measured against.
    """

    points: float
    low: float
    high: float
    judgement: Judgement
    paired: bool
    against: str
    candidate: AccuracyRecord

    @property
    def gained(self) -> bool:
        """Whether a gain is proven."""
        return self.judgement.verdict is Verdict.GAINS


@dataclass(frozen=True)
class PairChange:
    """One form of a model on a device against its baseline; a tower that was not compared is missing."""

    model: str
    device: str
    towers: Mapping[Tower, Compared]
    accuracy: AccuracyChange | None

    @property
    def candidate(self) -> BenchmarkRecord:
        """One of the candidate's records."""
        return next(iter(self.towers.values())).candidate

    @property
    def baseline(self) -> BenchmarkRecord:
        """One of the baseline's records."""
        return next(iter(self.towers.values())).baseline

    @property
    def size_ratio(self) -> float | None:
        """The candidate's model files against the baseline's, of the towers that were compared; None where the
        baseline's have no bytes.
        """
        candidate, baseline = (
            sum(side.artifact.model_size_bytes for side in sides)
            for sides in (
                [each.candidate for each in self.towers.values()],
                [each.baseline for each in self.towers.values()],
            )
        )
        return candidate / baseline if baseline else None


def pair_changes(
    comparisons: Mapping[tuple[str, str], BaselineComparison],
    selections: Sequence[ModelSelection],
    accuracies: Sequence[AccuracyRecord],
) -> tuple[list[PairChange], int]:
    """Everything that has a baseline, and how many artefacts have none."""
    changes: list[PairChange] = []
    unmatched = 0
    by_model = {selection.model: selection for selection in selections}
    for (model, device), found in comparisons.items():
        unmatched += len(found.unmatched)
        changes += _grouped(found, by_model[model], device, selections, accuracies)
    return changes, unmatched


def _grouped(
    found: BaselineComparison,
    selection: ModelSelection,
    device: str,
    selections: Sequence[ModelSelection],
    accuracies: Sequence[AccuracyRecord],
) -> list[PairChange]:
    forms: dict[Hashable, dict[Tower, Compared]] = {}
    for each in found.compared:
        forms.setdefault(operation(each.candidate), {})[each.candidate.artifact.tower] = each
    changes: list[PairChange] = []
    for towers in forms.values():
        accuracy = None
        if len(towers) == len(Tower):
            accuracy = _accuracy_change(found.baseline, towers, selection, selections, accuracies)
        changes.append(PairChange(selection.model, device, towers, accuracy))
    return changes


def _accuracy_change(
    baseline: Baseline,
    towers: Mapping[Tower, Compared],
    selection: ModelSelection,
    selections: Sequence[ModelSelection],
    accuracies: Sequence[AccuracyRecord],
) -> AccuracyChange | None:
    image, text = towers[Tower.IMAGE], towers[Tower.TEXT]
    candidate = selection.accuracy_of(image.candidate, text.candidate)
    if candidate is None:
        return None
    other = _baseline_accuracy(baseline, image.baseline, text.baseline, candidate, selections, accuracies)
    compared = candidate.comparison
    if compared is not None and other is not None and compared.baseline == other.side:
        return _paired(candidate, compared, _name(other))
    if baseline.kind in (BaselineKind.PRECISION, BaselineKind.FLOAT) and candidate.cost is not None:
        # What fp32 of the same weights gives is what PyTorch gives: parity proves it, image by image.
        return _paired(candidate, candidate.cost, "PyTorch")
    if other is None or other.side == candidate.side:
        return None
    return _unpaired(candidate, other)


def _baseline_accuracy(
    baseline: Baseline,
    image: BenchmarkRecord,
    text: BenchmarkRecord,
    candidate: AccuracyRecord,
    selections: Sequence[ModelSelection],
    accuracies: Sequence[AccuracyRecord],
) -> AccuracyRecord | None:
    """What was found for the baseline's files on the candidate's data set."""
    shas = image.artifact.sha256, text.artifact.sha256
    same_set = [record for record in accuracies if data_set(record) == data_set(candidate)]
    exact = [record for record in same_set if (record.image_sha256, record.text_sha256) == shas]
    if exact:
        return max(exact, key=lambda record: age_key(record.created_at))
    if baseline.kind is BaselineKind.MODEL:
        other = next((each for each in selections if each.model == baseline.name), None)
        found = None if other is None else other.accuracy_of(image, text)
        return found if found is not None and data_set(found) == data_set(candidate) else None
    return None


def _paired(candidate: AccuracyRecord, compared: Comparison, against: str) -> AccuracyChange:
    return AccuracyChange(
        -compared.drop_points,
        -compared.drop_high_points,
        -compared.drop_low_points,
        compared.judgement,
        True,
        against,
        candidate,
    )


def _unpaired(candidate: AccuracyRecord, other: AccuracyRecord) -> AccuracyChange:
    """The difference of two shares with Newcombe's interval (1998, method 10), from the Wilson interval of each."""
    change = candidate.accuracy - other.accuracy
    low = change - math.hypot(candidate.accuracy - candidate.accuracy_low, other.accuracy_high - other.accuracy)
    high = change + math.hypot(candidate.accuracy_high - candidate.accuracy, other.accuracy - other.accuracy_low)
    judgement = judge_drop(-100 * high, -100 * low, None)
    return AccuracyChange(100 * change, 100 * low, 100 * high, judgement, False, _name(other), candidate)


def _name(record: AccuracyRecord) -> str:
    return f"{record.model} {'PyTorch' if record.target is None else TARGET_NAMES[record.target]} {record.precision}"


def side_name(record: BenchmarkRecord) -> str:
    """Runtime, precision and conditions, e.g. `TFLite int8-static`."""
    return f"{TARGET_NAMES[record.artifact.target]} {scheme_name(record)}"
