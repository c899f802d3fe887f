"""The accuracy tables, one per data set: zero-shot figures and recalls, drops against a baseline, the judgement."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark import formatting
from benchmark.accuracy_records import AccuracyRecord, Recall, RetrievalRecord
from benchmark.report.page import TARGET_NAMES, AccuracyRow, AccuracyTable, RetrievalRow, RetrievalTable
from benchmark.report.selection import ALARMING_DROP_POINTS, data_set, is_alarming
from models.evaluation.comparison import Verdict
from models.evaluation.published import published_accuracy


def accuracy_tables(records: Sequence[AccuracyRecord]) -> tuple[AccuracyTable, ...]:
    """A table for each data set, split and set of prompts, its rows in the order of the records."""
    sets: dict[tuple[str, str, str], list[AccuracyRecord]] = {}
    for record in records:
        sets.setdefault(data_set(record), []).append(record)
    return tuple(
        AccuracyTable(
            f"Zero-shot classification on {dataset}, split {split}: {found[0].samples:,} images, "
            f"{found[0].classes} classes" + _remarks(found),
            tuple(_accuracy_row(record) for record in found),
        )
        for (dataset, split, _), found in sets.items()
    )


def _remarks(records: Sequence[AccuracyRecord]) -> str:
    first = records[0]
    templates = f", templates {first.templates}" if first.templates else ""
    left_out = max(len(record.skipped) for record in records)
    return templates + (f"; {left_out} unreadable left out" if left_out else "")


def _accuracy_row(record: AccuracyRecord) -> AccuracyRow:
    compared = record.comparison
    return AccuracyRow(
        target=TARGET_NAMES[record.target] if record.target is not None else "PyTorch",
        precision=record.precision,
        accuracy=formatting.percent(record.accuracy),
        interval=f"{100 * record.accuracy_low:.1f} to {100 * record.accuracy_high:.1f}",
        top5=formatting.percent(record.top5_accuracy),
        published=formatting.percent(published_accuracy(record.model, record.dataset)),
        chance=formatting.percent(record.chance),
        baseline=formatting.percent(None if compared is None else compared.baseline_correct / record.samples),
        drop=_points(None if compared is None else compared.drop_points),
        drop_interval=(
            formatting.UNKNOWN
            if compared is None
            else f"{_points(compared.drop_low_points)} to {_points(compared.drop_high_points)}"
        ),
        p_value=_p_value(None if compared is None else compared.mcnemar_p),
        judgement=_judgement(record),
        alarm=is_alarming(record),
    )


def _judgement(record: AccuracyRecord) -> str:
    compared = record.comparison
    if compared is None:
        return "reference" if record.target is None else "not compared"
    if record.cost is None:
        baseline = compared.baseline
        run_by = "" if baseline.target is None else f" {TARGET_NAMES[baseline.target]} {baseline.precision}"
        return f"{compared.verdict or 'not tested'}, against {baseline.model}{run_by}"
    if is_alarming(record):
        return f"loses more than {ALARMING_DROP_POINTS:g} point"
    found = compared.verdict
    # Records of schema 1 have no test, but the interval.
    worse = compared.drop_low_points > 0 if found is None else found is Verdict.WORSE
    if worse:
        return "loses a little"
    return "better" if found is Verdict.BETTER else "no loss seen"


def retrieval_tables(records: Sequence[RetrievalRecord]) -> tuple[RetrievalTable, ...]:
    """A table for each set of pairs, its rows in the order of the records, a row per direction."""
    sets: dict[tuple[str, str, str], list[RetrievalRecord]] = {}
    for record in records:
        sets.setdefault((record.dataset, record.split, record.dataset_sha256), []).append(record)
    return tuple(
        RetrievalTable(
            f"Retrieval on {dataset}, split {split}: {found[0].images:,} images, {found[0].captions:,} captions",
            tuple(f"Recall@{recall.k}" for recall in _directions(found[0])[0]),
            tuple(_retrieval_row(record, recalls) for record in found for recalls in _directions(record)),
        )
        for (dataset, split, _), found in sets.items()
    )


def _directions(record: RetrievalRecord) -> list[list[Recall]]:
    directions: dict[str, list[Recall]] = {}
    for recall in record.recalls:
        directions.setdefault(recall.direction, []).append(recall)
    return list(directions.values())


def _retrieval_row(record: RetrievalRecord, recalls: Sequence[Recall]) -> RetrievalRow:
    verdicts = [f"recall@{recall.k} {recall.verdict}" for recall in recalls if recall.verdict is not None]
    return RetrievalRow(
        target=TARGET_NAMES[record.target] if record.target is not None else "PyTorch",
        precision=record.precision,
        direction=recalls[0].direction,
        recalls=tuple(
            f"{formatting.percent(recall.recall)} ({100 * recall.low:.1f} to {100 * recall.high:.1f})"
            for recall in recalls
        ),
        judgement=", ".join(verdicts) or "reference",
    )


def _p_value(value: float | None) -> str:
    if value is None:
        return formatting.UNKNOWN
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _points(value: float | None) -> str:
    if value is None:
        return formatting.UNKNOWN
    worded = f"{value:+.2f}"
    # A true minus sign; and no sign on what rounds to nothing.
    return "0.00" if worded in ("+0.00", "-0.00") else worded.replace("-", "\N{MINUS SIGN}")
