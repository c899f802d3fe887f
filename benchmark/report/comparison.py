"""Latency or instructions against a baseline: which record is compared with which, and what a comparison must tell.

How two records are compared is not decided here: whoever asks for a report passes a `Compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from benchmark.errors import ReportError
from benchmark.records import BenchmarkRecord
from benchmark.report.selection import ModelSelection, identity
from models.errors import PocketClipError, choices


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


@dataclass(frozen=True)
class Baseline:
    """The records with a tag, and what compares with them; `judge_family` has the last word where it is given."""

    tag: str
    compare: Compare
    judge_family: JudgeFamily | None = None


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

    tag: str
    compared: tuple[Compared, ...]
    unmatched: tuple[BenchmarkRecord, ...]


def check_tag(baseline: Baseline, records: Sequence[BenchmarkRecord]) -> None:
    """Raises `ReportError` where no record has the tag; the message lists those that exist."""
    tags = sorted({record.tag for record in records if record.tag is not None})
    if baseline.tag in tags:
        return
    remedy = f"choose among: {choices(tags)}" if tags else "none has a tag; bench --tag gives one"
    raise ReportError(f"no benchmark record has the tag {baseline.tag!r}; {remedy}")


def compare_device(
    baseline: Baseline, selection: ModelSelection, device: str, records: Sequence[BenchmarkRecord]
) -> BaselineComparison:
    """Compares the latest valid records of a device with the latest valid ones that have the tag.

    The baseline may be of other weights: `records` are all of the store. What only the baseline has is left out.
    """
    labels = selection.labels
    before: dict[Hashable, BenchmarkRecord] = {}
    for record in sorted(records, key=lambda item: item.created_at):
        if record.tag == baseline.tag and record.artifact.model == selection.model and _is_comparable(record):
            before[identity(record, labels)] = record
    after: dict[Hashable, BenchmarkRecord] = {}
    for record in selection.history:
        if record.tag != baseline.tag and _is_comparable(record):
            after[identity(record, labels)] = record
    compared: list[Compared] = []
    unmatched: list[BenchmarkRecord] = []
    for shown in selection.on_device(device):
        key = identity(shown, labels)
        candidate, old = after.get(key), before.get(key)
        if candidate is not None and old is not None:
            compared.append(_compare(baseline.compare, old, candidate))
        elif candidate is not None:
            unmatched.append(candidate)
    return BaselineComparison(baseline.tag, tuple(_judge(baseline, compared)), tuple(unmatched))


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
