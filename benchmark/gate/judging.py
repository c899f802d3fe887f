"""What a change does to each artefact: its cost against the base's, and whether it still agrees with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pocketclip.benchmark.errors import IncomparableError
from pocketclip.benchmark.gate.exporting import Exported, Key, keys_of
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.statistics.verdicts import Comparison, Verdict, compare_records, judge_family
from pocketclip.export.artifact.reading import Artifact

Records = Mapping[str, BenchmarkRecord]
"""By the SHA-256 of the artefact."""


class Outcome(StrEnum):
    """Of one artefact."""

    LOST = "lost parity"
    MISSING = "missing"
    FAILED = "failed"
    SLOWER = "slower"
    MORE = "more instructions"
    FASTER = "faster"
    FEWER = "fewer instructions"
    CANNOT_TELL = "no difference shown"
    UNTIMED = "not timed here"
    NEW = "new"
    SAME_FILES = "same files"
    FAILED_BEFORE = "failed before too"

    @property
    def stops(self) -> bool:
        """Whether the gate stays closed for it."""
        return self in (Outcome.LOST, Outcome.MISSING, Outcome.FAILED, Outcome.SLOWER, Outcome.MORE)


_BY_VERDICT = {
    Verdict.SLOWER: Outcome.SLOWER,
    Verdict.MORE: Outcome.MORE,
    Verdict.FASTER: Outcome.FASTER,
    Verdict.FEWER: Outcome.FEWER,
    Verdict.CANNOT_TELL: Outcome.CANNOT_TELL,
}


@dataclass(frozen=True)
class Row:
    """An artefact on both sides: None where a side has none. `reason` says what no figure says."""

    key: Key
    base: Artifact | None
    head: Artifact | None
    outcome: Outcome
    comparison: Comparison | None = None
    reason: str | None = None


def artifacts_to_measure(base: Exported, head: Exported) -> list[Artifact]:
    """Those of both sides that agree with PyTorch and whose files differ, a pair beside each other."""
    found: list[Artifact] = []
    for key in keys_of([base, head]):
        pair = [side.artifacts.get(key) for side in (base, head)]
        if all(each is not None and _agrees(each) for each in pair) and len({_sha256(each) for each in pair}) == 2:
            found.extend(each for each in pair if each is not None)
    return found


def judge(base: Exported, head: Exported, records: Records) -> list[Row]:
    """One row for each artefact that either side has; verdicts of times are judged as one family."""
    rows = [_row(key, base.artifacts.get(key), head.artifacts.get(key), records) for key in keys_of([base, head])]
    judged = iter(judge_family([row.comparison for row in rows if row.comparison is not None]))
    return [row if row.comparison is None else _with_verdict(row, next(judged)) for row in rows]


def _row(key: Key, base: Artifact | None, head: Artifact | None, records: Records) -> Row:
    if head is None:
        agreed = base is not None and _agrees(base)
        return Row(key, base, head, Outcome.MISSING if agreed else Outcome.FAILED_BEFORE)
    if base is None:
        return Row(key, base, head, Outcome.NEW if _agrees(head) else Outcome.LOST, reason=_misses(head))
    if not _agrees(head):
        outcome = Outcome.LOST if _agrees(base) else Outcome.FAILED_BEFORE
        return Row(key, base, head, outcome, reason=_misses(head))
    if _sha256(base) == _sha256(head):
        return Row(key, base, head, Outcome.SAME_FILES)
    if not _agrees(base):
        return Row(key, base, head, Outcome.NEW, reason="the base's does not agree with PyTorch")
    return _measured(key, base, head, records)


def _measured(key: Key, base: Artifact, head: Artifact, records: Records) -> Row:
    before, after = records.get(_sha256(base)), records.get(_sha256(head))
    if after is None or after.status is Status.FAILED:
        return Row(key, base, head, Outcome.FAILED, reason=after.reason if after else "it was not measured")
    if before is None or before.status is Status.FAILED:
        reason = "the base's could not be measured: " + (before.reason or "" if before else "no record")
        return Row(key, base, head, Outcome.CANNOT_TELL, reason=reason)
    if Status.PARITY_ONLY in (before.status, after.status):
        return Row(key, base, head, Outcome.UNTIMED, reason=after.reason)
    try:
        comparison = compare_records(before, after)
    except IncomparableError as error:
        return Row(key, base, head, Outcome.CANNOT_TELL, reason=str(error))
    return Row(key, base, head, Outcome.CANNOT_TELL, comparison, comparison.reason)


def _with_verdict(row: Row, comparison: Comparison) -> Row:
    return replace(row, comparison=comparison, outcome=_BY_VERDICT[comparison.verdict])


def _agrees(artifact: Artifact) -> bool:
    parity = artifact.manifest.parity
    return parity is not None and parity.passed


def _misses(artifact: Artifact) -> str | None:
    parity = artifact.manifest.parity
    if parity is None:
        return "its manifest has no parity report"
    return "; ".join(parity.failures) or None


def _sha256(artifact: Artifact | None) -> str:
    return "" if artifact is None else artifact.manifest.sha256
