"""Which records a report shows: the latest of each kind of measurement, of each model's latest weights."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmark.accuracy_records import AccuracyRecord
from benchmark.errors import ReportError
from benchmark.records import BenchmarkRecord, Status
from benchmark.statistics import summarize_latency
from export.precision import Precision, TargetName, Tower

# More than this many percentage points lost against PyTorch is an alarm.
ALARMING_DROP_POINTS = 1.0

AnyRecord = TypeVar("AnyRecord", BenchmarkRecord, AccuracyRecord)


@dataclass(frozen=True)
class Pair:
    """The image and the text artefact of one scheme on one device.

    `latency_ns` is the sum of both p50, None where one of them was not timed.
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
        threads = self.image.settings.threads
        return f"{self.target} {self.precision}" + (f", {threads} threads" if threads > 1 else "")

    @property
    def size_bytes(self) -> int:
        return self.image.artifact.model_size_bytes + self.text.artifact.model_size_bytes

    @property
    def latency_ns(self) -> float | None:
        if self.image.status is not Status.MEASURED or self.text.status is not Status.MEASURED:
            return None
        return sum(summarize_latency(record.launches).p50_ns for record in (self.image, self.text))

    @property
    def failed(self) -> bool:
        """Whether one of the two artefacts did not run."""
        return Status.FAILED in (self.image.status, self.text.status)

    @property
    def sound(self) -> bool:
        """Whether both artefacts ran, keep their parity budgets and lose no alarming accuracy."""
        proved = all(record.parity is not None and record.parity.passed for record in (self.image, self.text))
        return not self.failed and proved and not (self.accuracy is not None and is_alarming(self.accuracy))


@dataclass(frozen=True)
class ModelSelection:
    """What the report shows of one model; `older_weights` counts the records left out."""

    model: str
    benchmarks: tuple[BenchmarkRecord, ...]
    accuracies: tuple[AccuracyRecord, ...]
    older_weights: int

    @property
    def devices(self) -> list[str]:
        """Names of the devices, in order of first appearance."""
        return list(dict.fromkeys(record.device.name for record in self.benchmarks))

    def on_device(self, device: str) -> list[BenchmarkRecord]:
        """The records of one device, in table order."""
        return [record for record in self.benchmarks if record.device.name == device]

    def pairs(self, device: str) -> list[Pair]:
        """The schemes whose two towers both have a record on the device."""
        towers: dict[tuple[TargetName, Precision, int], dict[Tower, BenchmarkRecord]] = {}
        for record in self.on_device(device):
            identity = record.artifact
            scheme = (identity.target, identity.precision, record.settings.threads)
            towers.setdefault(scheme, {})[identity.tower] = record
        accuracies = {(record.target, record.precision): record for record in self.accuracies}
        return [
            Pair(found[Tower.IMAGE], found[Tower.TEXT], accuracies.get((target, precision)))
            for (target, precision, _), found in towers.items()
            if len(found) == len(Tower)
        ]


def is_alarming(record: AccuracyRecord) -> bool:
    """Whether the pair loses more against PyTorch than `ALARMING_DROP_POINTS`."""
    return record.drop_points is not None and record.drop_points > ALARMING_DROP_POINTS


def select(benchmarks: Sequence[BenchmarkRecord], accuracies: Sequence[AccuracyRecord]) -> list[ModelSelection]:
    """Latest records per model, models by name.

    Raises:
        ReportError: there are no records.
    """
    if not benchmarks and not accuracies:
        raise ReportError("the store holds no records; measure something with `bench` first")
    stamps = [(record.artifact.model, record.created_at, record.artifact.weights_sha256) for record in benchmarks]
    stamps += [(record.model, record.created_at, record.weights_sha256) for record in accuracies]
    # Sorted by time, the last one stands: results of weights trained anew must not mix with old ones.
    weights = {model: sha256 for model, _, sha256 in sorted(stamps, key=lambda stamp: stamp[1])}
    selections: list[ModelSelection] = []
    for model in sorted(weights):
        fresh = [
            record
            for record in benchmarks
            if record.artifact.model == model and record.artifact.weights_sha256 == weights[model]
        ]
        judged = [record for record in accuracies if record.model == model and record.weights_sha256 == weights[model]]
        of_model = sum(stamp[0] == model for stamp in stamps)
        selections.append(
            ModelSelection(
                model,
                tuple(sorted(_latest(fresh), key=_table_order)),
                tuple(sorted(_latest(judged), key=_accuracy_order)),
                of_model - len(fresh) - len(judged),
            )
        )
    return selections


def _latest(records: Iterable[AnyRecord]) -> list[AnyRecord]:
    latest: dict[Hashable, AnyRecord] = {}
    for record in sorted(records, key=lambda item: item.created_at):
        latest[_identity(record)] = record
    return list(latest.values())


def _identity(record: BenchmarkRecord | AccuracyRecord) -> Hashable:
    if isinstance(record, AccuracyRecord):
        return record.target, record.precision, record.dataset, record.split
    artifact = record.artifact
    return record.device.name, artifact.target, artifact.precision, artifact.tower, record.settings.threads


def _table_order(record: BenchmarkRecord) -> tuple[str, tuple[int, int, int], int]:
    return record.device.name, record.artifact.rank, record.settings.threads


def _accuracy_order(record: AccuracyRecord) -> tuple[str, str, int, int]:
    target = -1 if record.target is None else list(TargetName).index(record.target)
    return record.dataset, record.split, target, list(Precision).index(record.precision)
