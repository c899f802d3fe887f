"""Which records a report shows: the latest of each kind of measurement, of each model's latest weights."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmark.accuracy_records import AccuracyRecord, RetrievalRecord, Side
from benchmark.errors import ReportError
from benchmark.records import BenchmarkRecord, Status
from benchmark.statistics import summarize_latency
from export.precision import Precision, TargetName, Tower

# More than this many percentage points lost against PyTorch is an alarm.
ALARMING_DROP_POINTS = 1.0

AnyRecord = TypeVar("AnyRecord", BenchmarkRecord, AccuracyRecord, RetrievalRecord)
# Of data sets on which equally many pairs were judged, the headline figures are those of the first one here.
_PREFERRED_SETS = ("imagenet", "scenes")


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
    retrievals: tuple[RetrievalRecord, ...]
    older_weights: int

    @property
    def headline(self) -> tuple[AccuracyRecord, ...]:
        """The records of the data set that speaks for the model: that on which most exported pairs were judged.

        PyTorch's own record, and those of pairs compared with it; others only where there are none of these.
        """
        sets: dict[Hashable, list[AccuracyRecord]] = {}
        for record in self.accuracies:
            sets.setdefault(data_set(record), []).append(record)
        if not sets:
            return ()
        chosen = max(sets.values(), key=_weight)
        sides: dict[Side, AccuracyRecord] = {}
        for record in chosen:
            plain = record.comparison is None if record.target is None else record.cost is not None
            if plain or record.side not in sides:
                sides[record.side] = record
        return tuple(sides.values())

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
        accuracies = {(record.target, record.precision): record for record in self.headline}
        return [
            Pair(found[Tower.IMAGE], found[Tower.TEXT], accuracies.get((target, precision)))
            for (target, precision, _), found in towers.items()
            if len(found) == len(Tower)
        ]


def is_alarming(record: AccuracyRecord) -> bool:
    """Whether the pair loses more against PyTorch than `ALARMING_DROP_POINTS`."""
    return record.cost is not None and record.cost.drop_points > ALARMING_DROP_POINTS


def data_set(record: AccuracyRecord) -> tuple[str, str, str]:
    """Which samples and prompts a record is about: only records with the same may be compared."""
    return record.dataset, record.split, f"{record.dataset_sha256} {record.prompts_sha256}"


def select(
    benchmarks: Sequence[BenchmarkRecord],
    accuracies: Sequence[AccuracyRecord],
    retrievals: Sequence[RetrievalRecord] = (),
) -> list[ModelSelection]:
    """Latest records per model, models by name.

    Raises:
        ReportError: there are no records.
    """
    if not benchmarks and not accuracies and not retrievals:
        raise ReportError("the store holds no records; measure something with `bench` first")
    stamps = [(record.artifact.model, record.created_at, record.artifact.weights_sha256) for record in benchmarks]
    stamps += [(record.model, record.created_at, record.weights_sha256) for record in (*accuracies, *retrievals)]
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
        retrieved = [
            record for record in retrievals if record.model == model and record.weights_sha256 == weights[model]
        ]
        of_model = sum(stamp[0] == model for stamp in stamps)
        selections.append(
            ModelSelection(
                model,
                tuple(sorted(_latest(fresh), key=_table_order)),
                tuple(sorted(_latest(judged), key=_accuracy_order)),
                tuple(sorted(_latest(retrieved), key=_accuracy_order)),
                of_model - len(fresh) - len(judged) - len(retrieved),
            )
        )
    return selections


def _latest(records: Iterable[AnyRecord]) -> list[AnyRecord]:
    latest: dict[Hashable, AnyRecord] = {}
    for record in sorted(records, key=lambda item: item.created_at):
        latest[_identity(record)] = record
    return list(latest.values())


def _identity(record: BenchmarkRecord | AccuracyRecord | RetrievalRecord) -> Hashable:
    if isinstance(record, RetrievalRecord):
        return record.target, record.precision, record.dataset, record.split, record.dataset_sha256, record.baseline
    if isinstance(record, AccuracyRecord):
        compared = record.comparison
        # A comparison with PyTorch and one with another model stand side by side.
        other = None if compared is None or record.cost is not None else compared.baseline
        return record.target, record.precision, data_set(record), other
    artifact = record.artifact
    return record.device.name, artifact.target, artifact.precision, artifact.tower, record.settings.threads


def _table_order(record: BenchmarkRecord) -> tuple[str, tuple[int, int, int], int]:
    return record.device.name, record.artifact.rank, record.settings.threads


def _weight(records: Sequence[AccuracyRecord]) -> tuple[int, int, str]:
    name = records[0].dataset
    rank = _PREFERRED_SETS.index(name) if name in _PREFERRED_SETS else len(_PREFERRED_SETS)
    return sum(record.cost is not None for record in records), -rank, max(record.created_at for record in records)


def _accuracy_order(record: AccuracyRecord | RetrievalRecord) -> tuple[str, str, int, int]:
    target = -1 if record.target is None else list(TargetName).index(record.target)
    return record.dataset, record.split, target, list(Precision).index(record.precision)
