"""Both towers of one scheme on one device, and which of them no other beats in accuracy, latency and size at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, Status
from pocketclip.benchmark.report.names import TARGET_NAMES, conditions, precision_name, scheme_name
from pocketclip.benchmark.statistics.summaries import p50_ns
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models.statistics.judgement import Verdict


def is_alarming(record: AccuracyRecord) -> bool:
    """Whether the pair is proven to lose more against PyTorch than is tolerated, by `models.statistics.judgement`."""
    return record.cost is not None and record.cost.judgement.verdict is Verdict.LOSES_MORE


@dataclass(frozen=True)
class Pair:
    """The image and the text artefact of one scheme on one device.

    `latency_ns` is the sum of both p50, None where one of them has no valid time.
    """

    image: BenchmarkRecord
    text: BenchmarkRecord
    accuracy: AccuracyRecord | None

    @property
    def target(self) -> TargetName:
        return self.image.artifact.target

    @property
    def precision(self) -> Precision:
        return self.image.artifact.precision

    @property
    def label(self) -> str:
        """Short, for pictures: the target as options name it."""
        ran = conditions(self.image)
        return f"{self.target} {precision_name(self.image.artifact)}" + (f", {ran}" if ran else "")

    @property
    def name(self) -> str:
        """As tables and sentences name it."""
        return f"{TARGET_NAMES[self.target]} {scheme_name(self.image)}"

    @property
    def towers(self) -> tuple[BenchmarkRecord, BenchmarkRecord]:
        """Image, then text."""
        return self.image, self.text

    @property
    def size_bytes(self) -> int:
        return self.image.artifact.model_size_bytes + self.text.artifact.model_size_bytes

    @property
    def latency_ns(self) -> float | None:
        if not all(record.rankable for record in self.towers):
            return None
        return sum(p50_ns(record.launches) for record in self.towers)

    @property
    def failed(self) -> bool:
        """Whether one of the two artefacts did not run."""
        return Status.FAILED in (self.image.status, self.text.status)

    @property
    def sound(self) -> bool:
        """Whether both artefacts ran, keep their parity budgets and lose no alarming accuracy."""
        proved = all(record.parity is not None and record.parity.passed for record in self.towers)
        return not self.failed and proved and not (self.accuracy is not None and is_alarming(self.accuracy))


class Place(StrEnum):
    """Where a pair stands among those of its device."""

    FRONT = "on the front"
    BEATEN = "beaten"
    NOT_RANKED = "not ranked"


@dataclass(frozen=True)
class Standing:
    """A pair's place. `beaten_by` is on the front; `reason` says why a pair is not ranked."""

    pair: Pair
    place: Place
    beaten_by: Pair | None = None
    reason: str = ""


def rank(pairs: Sequence[Pair]) -> list[Standing]:
    """The Pareto front of accuracy, latency and size among the pairs of one device, in their order.

    Pairs of equal threads and cores compete: more threads are no property of an artefact. Those without a valid time
    or without an accuracy do not compete. Figures are taken as they are, without their intervals.
    """
    points = {index: point for index, pair in enumerate(pairs) if (point := _point(pair)) is not None}
    fields = {index: (pairs[index].image.settings.threads, pairs[index].image.settings.cores) for index in points}

    def beaten_by(index: int) -> list[int]:
        return [
            other for other in points if fields[other] == fields[index] and _dominates(points[other], points[index])
        ]

    front = [index for index in points if not beaten_by(index)]
    standings: list[Standing] = []
    for index, pair in enumerate(pairs):
        if index not in points:
            standings.append(Standing(pair, Place.NOT_RANKED, reason=_unranked_reason(pair)))
        elif index in front:
            standings.append(Standing(pair, Place.FRONT))
        else:
            # Whatever beats the one that beats this one beats it too: some of them are on the front.
            winner = min((other for other in beaten_by(index) if other in front), key=lambda other: points[other])
            standings.append(Standing(pair, Place.BEATEN, beaten_by=pairs[winner]))
    return standings


_Point = tuple[float, float, int]


def _point(pair: Pair) -> _Point | None:
    """Latency, accuracy lost and size: less is better in each."""
    latency = pair.latency_ns
    if latency is None or pair.accuracy is None or pair.failed:
        return None
    return latency, -pair.accuracy.accuracy, pair.size_bytes


def _dominates(better: _Point, worse: _Point) -> bool:
    return better != worse and all(left <= right for left, right in zip(better, worse, strict=True))


def _unranked_reason(pair: Pair) -> str:
    if pair.failed:
        return "failed"
    invalid = dict.fromkeys(str(each.code) for record in pair.towers for each in record.invalid)
    if invalid:
        return f"invalid: {', '.join(invalid)}"
    if pair.latency_ns is None:
        return "emulated" if pair.image.device.kind == DeviceKind.EMULATED else "not timed"
    return "accuracy not evaluated"
