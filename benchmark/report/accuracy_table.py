"""The accuracy tables, one per data set: zero-shot figures and recalls, drops against a baseline, the judgement."""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.records.accuracy import AccuracyRecord, Recall, RetrievalRecord
from pocketclip.benchmark.report.names import TARGET_NAMES, worded_scheme
from pocketclip.benchmark.report.pairs import is_alarming
from pocketclip.benchmark.report.selection import ModelSelection, data_set
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column, without_empty_columns
from pocketclip.benchmark.statistics import formatting
from pocketclip.models.evaluation.published import published_accuracy

_MINUS = "\N{MINUS SIGN}"
_ACCURACY_COLUMNS = (
    text_column("Pair"),
    text_column("Precision"),
    Column("Accuracy"),
    Column("Top-5"),
    Column("Published"),
    Column("Baseline"),
    Column("Drop, points"),
    Column("McNemar p", "McNemar p"),
    text_column("Judgement", wide=True),
)
_ACCURACY_NOTE = (
    "Each figure has its 95 % interval below it. A drop is the baseline's accuracy minus the row's on the same images, "
    "in percentage points; its interval is paired by image. The baseline is PyTorch with the same weights unless the "
    "judgement names another. A loss is reported if McNemar's exact test rejects at 5 % and the whole interval lies "
    "beyond the bound; “no loss beyond 1 point” if the whole interval lies below it; otherwise “cannot tell”. "
    "Published figures come from the model's authors."
)


def accuracy_tables(selection: ModelSelection) -> tuple[Table, ...]:
    """A table for each data set, split and set of prompts, its rows in the order of the records."""
    sets: dict[tuple[str, str, str], list[AccuracyRecord]] = {}
    for record in selection.accuracies:
        sets.setdefault(data_set(record), []).append(record)
    return tuple(
        without_empty_columns(
            Table(
                "accuracy",
                "Accuracy",
                f"Zero-shot classification on {dataset}, split {split}: {found[0].samples:,} images, "
                f"{found[0].classes} classes" + _remarks(found),
                _ACCURACY_COLUMNS,
                tuple(_accuracy_row(record, selection.scheme_of(record)) for record in found),
                _ACCURACY_NOTE,
            )
        )
        for (dataset, split, _), found in sets.items()
    )


def _remarks(records: Sequence[AccuracyRecord]) -> str:
    first = records[0]
    templates = f", templates {first.templates}" if first.templates else ""
    templates += f"; chance {formatting.percent(first.chance)}"
    left_out = max(len(record.skipped) for record in records)
    return templates + (f"; {left_out} unreadable skipped" if left_out else "")


def _accuracy_row(record: AccuracyRecord, scheme: str) -> Row:
    compared, alarm = record.comparison, is_alarming(record)
    interval = ""
    if compared is not None:
        interval = f"{points(compared.drop_low_points)} to {points(compared.drop_high_points)}"
    return make_row(
        *_side_cells(record, scheme),
        Cell(
            formatting.percent(record.accuracy),
            f"{100 * record.accuracy_low:.1f} to {100 * record.accuracy_high:.1f}",
            "main",
        ),
        formatting.percent(record.top5_accuracy),
        formatting.percent(published_accuracy(record.model, record.dataset)),
        formatting.percent(None if compared is None else compared.baseline_correct / record.samples),
        Cell(points(None if compared is None else compared.drop_points), interval, "bad" if alarm else ""),
        _p_value(None if compared is None else compared.mcnemar_p),
        Cell(_judgement(record), style="bad" if alarm else ""),
        target=record.target,
        alarm=alarm,
    )


def _side_cells(record: AccuracyRecord | RetrievalRecord, scheme: str) -> tuple[Cell, Cell]:
    if record.target is None:
        return Cell("PyTorch"), Cell(record.precision, style="soft")
    return Cell(TARGET_NAMES[record.target]), Cell(worded_scheme(scheme, record.target, record.precision), style="soft")


def _judgement(record: AccuracyRecord) -> str:
    compared = record.comparison
    if compared is None:
        return "reference" if record.target is None else "not compared"
    if record.cost is None:
        baseline = compared.baseline
        run_by = "" if baseline.target is None else f" {TARGET_NAMES[baseline.target]} {baseline.precision}"
        return f"{compared.judgement}, against {baseline.model}{run_by}"
    return str(compared.judgement)


def retrieval_tables(selection: ModelSelection) -> tuple[Table, ...]:
    """A table for each set of pairs, its rows in the order of the records, a row per direction."""
    sets: dict[tuple[str, str, str], list[RetrievalRecord]] = {}
    for record in selection.retrievals:
        sets.setdefault((record.dataset, record.split, record.dataset_sha256), []).append(record)
    return tuple(
        Table(
            "accuracy retrieval",
            "Retrieval",
            f"Retrieval on {dataset}, split {split}: {found[0].images:,} images, {found[0].captions:,} captions",
            (
                text_column("Pair"),
                text_column("Precision"),
                text_column("Direction"),
                *(Column(f"Recall@{recall.k}") for recall in _directions(found[0])[0]),
                text_column("Compared with baseline", short="judgement", wide=True),
            ),
            tuple(
                _retrieval_row(record, selection.scheme_of(record), recalls)
                for record in found
                for recalls in _directions(record)
            ),
            "Recall@k: how often the right match is among the k most similar, over all images and captions. Below it: "
            "the 95 % interval by bootstrap over images.",
        )
        for (dataset, split, _), found in sets.items()
    )


def _directions(record: RetrievalRecord) -> list[list[Recall]]:
    directions: dict[str, list[Recall]] = {}
    for recall in record.recalls:
        directions.setdefault(recall.direction, []).append(recall)
    return list(directions.values())


def _retrieval_row(record: RetrievalRecord, scheme: str, recalls: Sequence[Recall]) -> Row:
    verdicts = [f"recall@{recall.k} {recall.judgement}" for recall in recalls if recall.judgement is not None]
    return make_row(
        *_side_cells(record, scheme),
        recalls[0].direction,
        *(
            Cell(formatting.percent(recall.recall), f"{100 * recall.low:.1f} to {100 * recall.high:.1f}")
            for recall in recalls
        ),
        ", ".join(verdicts) or "reference",
        target=record.target,
    )


def _p_value(value: float | None) -> str:
    if value is None:
        return formatting.UNKNOWN
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def points(value: float | None) -> str:
    """Percentage points with their sign."""
    if value is None:
        return formatting.UNKNOWN
    worded = f"{value:+.2f}"
    # A true minus sign; and no sign on what rounds to nothing.
    return "0.00" if worded in ("+0.00", "-0.00") else worded.replace("-", _MINUS)
