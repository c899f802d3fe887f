"""Latency or instructions against a baseline: which record is compared with which, and what a comparison must tell.

How two records are compared is not decided here: whoever asks for a report passes a `Compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from pocketclip.benchmark.errors import ReportError
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, age_key
from pocketclip.benchmark.report.names import scheme
from pocketclip.benchmark.report.selection import ModelSelection, identity, operation
from pocketclip.export.precision import Precision
from pocketclip.models.errors import PocketClipError, choices


class LatencyComparison(Protocol):
    """What two records allow to say.

    `verdict` is said of the candidate: `faster`, `slower` or `cannot tell`, of counted instructions `fewer` or `more`;
    `ratio` is its median latency over the baseline's (of counted records, its instructions), `interval` the 95 %
    interval of that, None where there is none.
    """

    @property
    def verdict(self) -> str: ...

    @property
    def ratio(self) -> float: ...

    @property
    def interval(self) -> tuple[float, float] | None: ...


# Baseline, then candidate. A `PocketClipError` says why the two cannot be compared.
Compare = Callable[[BenchmarkRecord, BenchmarkRecord], LatencyComparison]


# Verdicts of several outcomes of one `Compare`, given at once: among many, some would seem to differ by chance.
JudgeFamily = Callable[[Sequence[Any]], Sequence[LatencyComparison]]


class BaselineKind(StrEnum):
    """What is compared with what.

    `tag`: the latest record without the tag with the latest that has it. `model`: each model with one of them, form
    by form. `precision`: each artefact with the same target's usual form of a precision. `float`: with the target's
    fp32, or where that was not measured with the floating-point form that the target is made for (Core ML: fp16).
    """

    TAG = "tag"
    MODEL = "model"
    PRECISION = "precision"
    FLOAT = "float"


@dataclass(frozen=True)
class Baseline:
    """What is compared against, and what compares; `judge_family` has the last word where it is given.

    `name` is the tag, model or precision, and of no use where the kind is `float`.
    """

    name: str
    compare: Compare
    judge_family: JudgeFamily | None = None
    kind: BaselineKind = BaselineKind.TAG

    @property
    def by_precision(self) -> bool:
        """Whether candidate and baseline differ in precision alone."""
        return self.kind in (BaselineKind.PRECISION, BaselineKind.FLOAT)

    @property
    def words(self) -> str:
        """As sentences and headings name it."""
        return "floating point" if self.kind is BaselineKind.FLOAT else self.name

    @property
    def sentence(self) -> str:
        """What is compared with what, for the head of a report."""
        match self.kind:
            case BaselineKind.TAG:
                return f"Compares the latest valid record of each artefact with the one tagged {self.name}."
            case BaselineKind.MODEL:
                return f"Compares each model with {self.name}, in the same form on the same device."
            case BaselineKind.PRECISION:
                return f"Compares each artefact with {self.name} of the same model, runtime and device."
            case BaselineKind.FLOAT:
                return "Compares each artefact with floating point of the same model, runtime and device."


@dataclass(frozen=True)
class Compared:
    """A record and its baseline; `refusal` says why there is no outcome."""

    baseline: BenchmarkRecord
    candidate: BenchmarkRecord
    outcome: LatencyComparison | None
    refusal: str = ""


@dataclass(frozen=True)
class BaselineComparison:
    """All comparisons of a model on one device; `unmatched` were measured there and have no baseline."""

    baseline: Baseline
    compared: tuple[Compared, ...]
    unmatched: tuple[BenchmarkRecord, ...]


def check_baseline(baseline: Baseline, records: Sequence[BenchmarkRecord]) -> None:
    """Raises `ReportError` where no record is of the tag, model or precision; the message lists those that exist."""
    if baseline.kind is BaselineKind.TAG:
        tags = sorted({record.tag for record in records if record.tag is not None})
        if baseline.name not in tags:
            remedy = f"choose among: {choices(tags)}" if tags else "no record has a tag; set one with bench --tag"
            raise ReportError(
                f"no benchmark record has the tag {baseline.name!r}; {remedy}; a baseline may also be model:NAME or "
                "precision:NAME"
            )
        return
    known = {
        BaselineKind.MODEL: sorted({record.artifact.model for record in records}),
        BaselineKind.PRECISION: [
            str(each) for each in Precision if any(record.artifact.precision is each for record in records)
        ],
    }.get(baseline.kind)
    if known is not None and baseline.name not in known:
        remedy = f"choose among: {choices(known)}" if known else "the store has none; measure with bench"
        raise ReportError(f"no benchmark record has the {baseline.kind} {baseline.name!r}; {remedy}")


def compare_device(
    baseline: Baseline, selection: ModelSelection, device: str, records: Sequence[BenchmarkRecord]
) -> BaselineComparison:
    """Compares the latest valid records of a device with the latest valid ones of the baseline.

    Those of a tag may be of other weights: `records` are all of the store. What only the baseline has is left out.
    """
    before = _baseline_records(baseline, selection, records)
    after: dict[Hashable, BenchmarkRecord] = {}
    for record in selection.history:
        # A precision's own records are compared with none but another precision's: the latter is not yet known here.
        if _is_comparable(record) and (baseline.by_precision or not _is_of(baseline, record)):
            after[identity(record, selection.labels)] = record
    compared: list[Compared] = []
    unmatched: list[BenchmarkRecord] = []
    for shown in selection.on_device(device):
        candidate = after.get(identity(shown, selection.labels))
        if candidate is None:
            continue
        old = before.get(_key(baseline, candidate, selection))
        if baseline.by_precision and old is not None and scheme(old.artifact) == scheme(candidate.artifact):
            continue
        if old is not None:
            compared.append(_compare(baseline.compare, old, candidate))
        else:
            unmatched.append(candidate)
    return BaselineComparison(baseline, tuple(_judge(baseline, compared)), tuple(unmatched))


def compare_all(
    baseline: Baseline | None, selections: Sequence[ModelSelection], records: Sequence[BenchmarkRecord]
) -> dict[tuple[str, str], BaselineComparison]:
    """The comparisons of each model on each device, by both names; none without a baseline."""
    if baseline is None:
        return {}
    return {
        (selection.model, device): compare_device(baseline, selection, device, records)
        for selection in selections
        for device in selection.devices
    }


def _baseline_records(
    baseline: Baseline, selection: ModelSelection, records: Sequence[BenchmarkRecord]
) -> dict[Hashable, BenchmarkRecord]:
    """The latest comparable record of the baseline for each key."""
    found: dict[Hashable, BenchmarkRecord] = {}
    if baseline.kind is BaselineKind.MODEL:
        newest = max(
            (record for record in records if record.artifact.model == baseline.name),
            key=lambda record: age_key(record.created_at),
            default=None,
        )
        pool = [
            record
            for record in records
            if newest is not None and record.artifact.weights_sha256 == newest.artifact.weights_sha256
        ]
    elif baseline.kind is BaselineKind.TAG:
        pool = [record for record in records if record.artifact.model == selection.model]
    else:
        pool = list(selection.history)
    for record in sorted(pool, key=lambda item: (item.artifact.precision is Precision.FP32, age_key(item.created_at))):
        if _is_of(baseline, record) and _is_comparable(record):
            found[_key(baseline, record, selection)] = record
    return found


def _is_of(baseline: Baseline, record: BenchmarkRecord) -> bool:
    artifact = record.artifact
    match baseline.kind:
        case BaselineKind.TAG:
            return record.tag == baseline.name
        case BaselineKind.MODEL:
            return artifact.model == baseline.name
        case BaselineKind.PRECISION:
            return scheme(artifact) == f"{artifact.target}-{baseline.name}"
        case BaselineKind.FLOAT:
            from pocketclip.export.targets import TARGETS

            floats = (Precision.FP32, TARGETS[artifact.target].base)
            return scheme(artifact) in [f"{artifact.target}-{precision}" for precision in floats]


def _key(baseline: Baseline, record: BenchmarkRecord, selection: ModelSelection) -> Hashable:
    """What a record and its baseline share."""
    labels = selection.labels
    if baseline.kind in (BaselineKind.TAG, BaselineKind.MODEL):
        return identity(record, labels)
    artifact = record.artifact
    return labels.of(record.device), artifact.tower, artifact.target, operation(record)[1:]


def _is_comparable(record: BenchmarkRecord) -> bool:
    """Whether the record has times, or counts of instructions, that may be compared."""
    return record.rankable or (record.instructions is not None and not record.invalid)


def _judge(baseline: Baseline, compared: Sequence[Compared]) -> list[Compared]:
    outcomes = [each.outcome for each in compared if each.outcome is not None]
    if baseline.judge_family is None or not outcomes:
        return list(compared)
    judged = iter(baseline.judge_family(outcomes))
    return [each if each.outcome is None else replace(each, outcome=next(judged)) for each in compared]


def _compare(compare: Compare, baseline: BenchmarkRecord, candidate: BenchmarkRecord) -> Compared:
    try:
        return Compared(baseline, candidate, compare(baseline, candidate))
    except PocketClipError as error:
        return Compared(baseline, candidate, None, str(error))
