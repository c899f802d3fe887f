"""The tables that `eval` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from pocketclip.benchmark.evaluation.evaluation import AnyRecord
from pocketclip.benchmark.records.accuracy import AccuracyRecord, Recall, RetrievalRecord
from pocketclip.models.evaluation.published import published_accuracy
from pocketclip.models.evaluation.retrieval import Direction
from pocketclip.models.statistics.judgement import Judgement, Verdict
from pocketclip.models.terminal import command_line
from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column


def print_records(records: Sequence[AnyRecord]) -> None:
    """Prints the records of one evaluation to stdout."""
    accuracies = [record for record in records if isinstance(record, AccuracyRecord)]
    retrievals = [record for record in records if isinstance(record, RetrievalRecord)]
    if accuracies:
        command_line.console().print(accuracy_table(accuracies))
    if retrievals:
        command_line.console().print(retrieval_table(retrievals))


def accuracy_table(records: Sequence[AccuracyRecord]) -> TerminalTable:
    """One row per record of one data set, without empty columns."""
    first = records[0]
    images = "held-out scenes" if first.dataset == "scenes" else f"images of {first.dataset}, {first.split}"
    return TerminalTable(
        columns=(
            name_column("model", group=True),
            name_column("runs in"),
            name_column("precision"),
            *figure_columns("accuracy"),
            *figure_columns("95 %\ninterval"),
            *figure_columns("top-5", spare=3),
            *figure_columns("published", spare=1),
            *figure_columns("drop,\npoints", "its 95 %\ninterval"),
            *figure_columns("McNemar\np", spare=2),
            word_column("judgement"),
        ),
        rows=[
            (
                _model(record),
                record.target or "PyTorch",
                record.precision,
                f"{record.accuracy:.1%}",
                _interval(record),
                "" if record.top5_accuracy is None else f"{record.top5_accuracy:.1%}",
                _published(record),
                _drop(record),
                _drop_interval(record),
                _p_value(record),
                _judgement(record),
            )
            for record in records
        ],
        title=f"Zero-shot on {first.samples:,} {images}, {first.classes:,} classes (chance {first.chance:.1%}), "
        f"templates {first.templates}",
        caption=_caption(records),
    )


def retrieval_table(records: Sequence[RetrievalRecord]) -> TerminalTable:
    """One row per record, direction and k."""
    first = records[0]
    compared = any(record.baseline for record in records)
    return TerminalTable(
        columns=(
            name_column("model", group=True),
            name_column("runs in"),
            name_column("precision"),
            name_column("direction"),
            *figure_columns("recall\nat", "recall", "95 %\ninterval", "drop,\npoints"),
            *figure_columns("its 95 %\ninterval", spare=1),
            word_column("judgement"),
        ),
        rows=[
            (
                _model(record),
                record.target or "PyTorch",
                record.precision,
                recall.direction,
                str(recall.k),
                f"{recall.recall:.1%}",
                f"{100 * recall.low:.1f} to {100 * recall.high:.1f}",
                *_recall_drop(recall),
            )
            for record in records
            for recall in sorted(record.recalls, key=lambda recall: list(Direction).index(recall.direction))
        ],
        title=f"Retrieval on {first.dataset}, {first.split}: {first.images} images, {first.captions} captions",
        caption="intervals by bootstrap over images"
        + ("; drops are relative to the row without one" if compared else ""),
    )


def _model(record: AnyRecord) -> str:
    return f"{record.model} (untrained)" if record.weights.trained is False else record.model


def _published(record: AccuracyRecord) -> str:
    share = published_accuracy(record.model, record.dataset)
    return "" if share is None else f"{share:.1%}"


def _interval(record: AccuracyRecord) -> str:
    return f"{100 * record.accuracy_low:.1f} to {100 * record.accuracy_high:.1f}"


def _drop(record: AccuracyRecord) -> str:
    return "" if record.comparison is None else f"{record.comparison.drop_points:+.2f}"


def _drop_interval(record: AccuracyRecord) -> str:
    compared = record.comparison
    return "" if compared is None else f"{compared.drop_low_points:+.2f} to {compared.drop_high_points:+.2f}"


def _p_value(record: AccuracyRecord) -> str:
    p_value = None if record.comparison is None else record.comparison.mcnemar_p
    if p_value is None:
        return ""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def _judgement(record: AccuracyRecord) -> Text:
    return Text() if record.comparison is None else _coloured(record.comparison.judgement)


def _coloured(judgement: Judgement) -> Text:
    colour = "red" if judgement.lost else "green" if judgement.verdict is Verdict.GAINS else ""
    return Text(str(judgement), colour)


def _recall_drop(recall: Recall) -> tuple[str, str, Text]:
    found = recall.judgement
    if found is None:
        return "", "", Text()
    interval = f"{recall.drop_low_points:+.2f} to {recall.drop_high_points:+.2f}"
    return f"{recall.drop_points:+.2f}", interval, _coloured(found)


def _caption(records: Sequence[AccuracyRecord]) -> str:
    compared = [record for record in records if record.comparison is not None]
    if not compared:
        return ""
    baselines = dict.fromkeys(
        f"{side.model} ({'PyTorch' if side.target is None else f'{side.target} {side.precision}'})"
        for record in compared
        if record.comparison is not None and (side := record.comparison.baseline)
    )
    return (
        f"compared with {' and '.join(baselines)} on the same images; a loss is reported if McNemar's exact test and "
        "the interval agree (docs/evaluation.md)"
    )
