"""Which records a report shows: the latest of each kind of measurement, of each model's latest weights."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pocketclip.benchmark.errors import ReportError
from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord, Side
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, Status, age_key
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.report.names import DeviceLabels, scheme
from pocketclip.benchmark.report.pairs import Pair
from pocketclip.export.precision import Precision, TargetName, Tower

JudgedRecord = TypeVar("JudgedRecord", AccuracyRecord, RetrievalRecord)
# Of data sets on which equally many pairs were judged, the headline figures are those of the first one here.
_PREFERRED_SETS = ("imagenet", "scenes")


@dataclass(frozen=True)
class ModelSelection:
    """What the report shows of one model.

    `benchmarks` has one record of each artefact on each device: the latest that is valid, or the latest where none is.
    `invalid` are the runs under conditions that forbid to rank them, those that no later valid one has replaced;
    `history` are all of these weights, oldest first. `older_weights` counts the records left out. `farms` are the
    latest of each artefact at each farm's device.
    """

    model: str
    benchmarks: tuple[BenchmarkRecord, ...]
    accuracies: tuple[AccuracyRecord, ...]
    retrievals: tuple[RetrievalRecord, ...]
    invalid: tuple[BenchmarkRecord, ...]
    history: tuple[BenchmarkRecord, ...]
    labels: DeviceLabels
    older_weights: int
    farms: tuple[FarmRecord, ...] = ()

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
        """Labels of the devices, in order of first appearance."""
        return list(dict.fromkeys(self.labels.of(record.device) for record in self.benchmarks))

    def on_device(self, device: str) -> list[BenchmarkRecord]:
        """The records of one device, in table order."""
        return [record for record in self.benchmarks if self.labels.of(record.device) == device]

    def invalid_on(self, device: str) -> list[BenchmarkRecord]:
        """The invalid runs of one device, the newest first."""
        return [record for record in reversed(self.invalid) if self.labels.of(record.device) == device]

    def latest_with(self, device: str, part: Callable[[BenchmarkRecord], object]) -> list[BenchmarkRecord]:
        """The latest valid record that has a part made of times, of each artefact in `on_device`; in table order.

        A profile or a sustained run need not be of the same run as the latency. Where an artefact has no valid record
        at all, it is the invalid one that `on_device` gives. Times of an emulated core mean nothing: it has none.
        """
        found: list[BenchmarkRecord] = []
        for shown in self.on_device(device):
            same = [
                record
                for record in self.history
                if identity(record, self.labels) == identity(shown, self.labels)
                and record.artifact.sha256 == shown.artifact.sha256
                and (record is shown or not is_invalid(record))
                and record.device.kind != DeviceKind.EMULATED
                and part(record)
            ]
            found += same[-1:]
        return found

    def pairs(self, device: str) -> list[Pair]:
        """The schemes whose two towers both have a record on the device."""
        towers: dict[Hashable, dict[Tower, BenchmarkRecord]] = {}
        for record in self.on_device(device):
            towers.setdefault(operation(record), {})[record.artifact.tower] = record
        return [
            Pair(found[Tower.IMAGE], found[Tower.TEXT], self.accuracy_of(found[Tower.IMAGE], found[Tower.TEXT]))
            for found in towers.values()
            if len(found) == len(Tower)
        ]

    def scheme_of(self, record: AccuracyRecord | RetrievalRecord) -> str:
        """The scheme of the judged artefacts: that of their benchmark, of the usual form where there is none."""
        return _judged_scheme(record, self.history)

    def accuracy_of(self, image: BenchmarkRecord, text: BenchmarkRecord) -> AccuracyRecord | None:
        """What was found for this very pair, else for an earlier export of the scheme."""
        shas = image.artifact.sha256, text.artifact.sha256
        same = [record for record in self.headline if self.scheme_of(record) == scheme(image.artifact)]
        exact = [record for record in same if (record.image_sha256, record.text_sha256) == shas]
        return next(iter(exact or same), None)


def is_invalid(record: BenchmarkRecord) -> bool:
    """Whether a run came to its end under conditions that forbid to rank it."""
    return bool(record.invalid) and record.status is not Status.FAILED


def data_set(record: AccuracyRecord) -> tuple[str, str, str]:
    """Which samples and prompts a record is about: only records with the same may be compared."""
    return record.dataset, record.split, f"{record.dataset_sha256} {record.prompts_sha256}"


def select(
    benchmarks: Sequence[BenchmarkRecord],
    accuracies: Sequence[AccuracyRecord],
    retrievals: Sequence[RetrievalRecord] = (),
    farms: Sequence[FarmRecord] = (),
) -> list[ModelSelection]:
    """Latest records per model, models by name.

    Raises:
        ReportError: there are no records.
    """
    if not benchmarks and not accuracies and not retrievals and not farms:
        raise ReportError("the store holds no records", fix="measure an artefact with `bench` first")
    stamps = [
        (record.artifact.model, record.created_at, record.artifact.weights_sha256) for record in (*benchmarks, *farms)
    ]
    stamps += [(record.model, record.created_at, record.weights_sha256) for record in (*accuracies, *retrievals)]
    # Sorted by time, the last one stands: results of weights trained anew must not mix with old ones.
    weights = {model: sha256 for model, _, sha256 in sorted(stamps, key=lambda stamp: age_key(stamp[1]))}
    labels = DeviceLabels(benchmarks)
    selections: list[ModelSelection] = []
    for model in sorted(weights):
        fresh = sorted(
            (
                record
                for record in benchmarks
                if record.artifact.model == model and record.artifact.weights_sha256 == weights[model]
            ),
            key=lambda record: age_key(record.created_at),
        )
        judged = [record for record in accuracies if record.model == model and record.weights_sha256 == weights[model]]
        retrieved = [
            record for record in retrievals if record.model == model and record.weights_sha256 == weights[model]
        ]
        hosted = [
            record
            for record in farms
            if record.artifact.model == model and record.artifact.weights_sha256 == weights[model]
        ]
        of_model = sum(stamp[0] == model for stamp in stamps)
        shown, invalid = _standing(fresh, labels)
        selections.append(
            ModelSelection(
                model=model,
                benchmarks=tuple(sorted(shown, key=_table_order)),
                accuracies=tuple(sorted(_latest(judged, fresh), key=_accuracy_order)),
                retrievals=tuple(sorted(_latest(retrieved, fresh), key=_accuracy_order)),
                invalid=tuple(invalid),
                history=tuple(fresh),
                labels=labels,
                older_weights=of_model - len(fresh) - len(judged) - len(retrieved) - len(hosted),
                farms=_latest_hosted(hosted),
            )
        )
    return selections


def _standing(
    records: Sequence[BenchmarkRecord], labels: DeviceLabels
) -> tuple[list[BenchmarkRecord], list[BenchmarkRecord]]:
    """The record that stands for each identity, and the invalid ones that none has replaced; both oldest first."""
    runs: dict[Hashable, list[BenchmarkRecord]] = {}
    for record in records:
        runs.setdefault(identity(record, labels), []).append(record)
    shown: list[BenchmarkRecord] = []
    invalid: list[BenchmarkRecord] = []
    for same in runs.values():
        valid = [record for record in same if not is_invalid(record)]
        shown.append((valid or same)[-1])
        invalid += [
            record
            for record in same
            if is_invalid(record) and (not valid or age_key(record.created_at) > age_key(valid[-1].created_at))
        ]
    return shown, sorted(invalid, key=lambda record: age_key(record.created_at))


def identity(record: BenchmarkRecord, labels: DeviceLabels) -> Hashable:
    """What two records must share for one to replace the other, within a model's weights."""
    return labels.of(record.device), record.artifact.tower, operation(record)


def operation(record: BenchmarkRecord) -> tuple[Hashable, ...]:
    """In what form and under what conditions a tower ran: what both towers of a pair share."""
    settings = record.settings
    asked = record.runtime.accelerator_requested
    return scheme(record.artifact), settings.threads, settings.cores, asked, settings.load_mode


def _latest(records: Iterable[JudgedRecord], history: Sequence[BenchmarkRecord]) -> list[JudgedRecord]:
    latest: dict[Hashable, JudgedRecord] = {}
    for record in sorted(records, key=lambda item: age_key(item.created_at)):
        latest[_judged_identity(record), _judged_scheme(record, history)] = record
    return list(latest.values())


def _latest_hosted(records: Iterable[FarmRecord]) -> tuple[FarmRecord, ...]:
    """The latest of each artefact on each device of a farm, in table order."""
    latest: dict[Hashable, FarmRecord] = {}
    for record in sorted(records, key=lambda item: age_key(item.created_at)):
        latest[record.place, record.artifact.tower, scheme(record.artifact), record.accelerator] = record
    return tuple(sorted(latest.values(), key=lambda item: (item.place, *item.artifact.rank)))


def _judged_scheme(record: AccuracyRecord | RetrievalRecord, history: Sequence[BenchmarkRecord]) -> str:
    if record.target is None:
        return f"pytorch-{record.precision}"
    usual = f"{record.target}-{record.precision}"
    measured = (each.artifact for each in history if each.artifact.sha256 == record.image_sha256)
    return next((name for artifact in measured if (name := scheme(artifact)).startswith(usual)), usual)


def _judged_identity(record: AccuracyRecord | RetrievalRecord) -> Hashable:
    if isinstance(record, RetrievalRecord):
        return record.dataset, record.split, record.dataset_sha256, record.baseline
    compared = record.comparison
    # A comparison with PyTorch and one with another model stand side by side.
    other = None if compared is None or record.cost is not None else compared.baseline
    return data_set(record), other


def _table_order(record: BenchmarkRecord) -> tuple[str, int, int, str, int, int]:
    artifact, settings = record.artifact, record.settings
    target, precision, tower = artifact.rank
    # The towers of one scheme stay together.
    return record.device.name, target, precision, scheme(artifact), tower, settings.threads


def _weight(records: Sequence[AccuracyRecord]) -> tuple[int, int, tuple[bool, datetime]]:
    name = records[0].dataset
    rank = _PREFERRED_SETS.index(name) if name in _PREFERRED_SETS else len(_PREFERRED_SETS)
    newest = max(age_key(record.created_at) for record in records)
    return sum(record.cost is not None for record in records), -rank, newest


def _accuracy_order(record: AccuracyRecord | RetrievalRecord) -> tuple[str, str, int, int]:
    target = -1 if record.target is None else list(TargetName).index(record.target)
    return record.dataset, record.split, target, list(Precision).index(record.precision)
