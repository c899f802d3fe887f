"""The tables that `eval` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from benchmark.accuracy_records import AccuracyRecord, Recall, RetrievalRecord
from benchmark.evaluation import AnyRecord
from models import command_line
from models.evaluation.comparison import Verdict
from models.evaluation.published import published_accuracy

_COLOURS = {Verdict.WORSE: "red", Verdict.BETTER: "green", Verdict.CANNOT_TELL: "default"}


def print_records(records: Sequence[AnyRecord]) -> None:
    """Prints the records of one evaluation to stdout."""
    accuracies = [record for record in records if isinstance(record, AccuracyRecord)]
    retrievals = [record for record in records if isinstance(record, RetrievalRecord)]
    if accuracies:
        command_line.console().print(accuracy_table(accuracies))
    if retrievals:
        command_line.console().print(retrieval_table(retrievals))


def accuracy_table(records: Sequence[AccuracyRecord]) -> Table:
    """One row per record of one data set; columns that no row fills are left out."""
    first = records[0]
    images = "held-out scenes" if first.dataset == "scenes" else f"images of {first.dataset}, {first.split}"
    columns: dict[str, list[str]] = {
        "model": [_model(record) for record in records],
        "runs in": [record.target or "PyTorch" for record in records],
        "precision": [record.precision for record in records],
        "accuracy": [f"{record.accuracy:.1%}" for record in records],
        "95 %\ninterval": [_interval(record) for record in records],
        "top-5": ["" if record.top5_accuracy is None else f"{record.top5_accuracy:.1%}" for record in records],
        "published": [_published(record) for record in records],
        "drop,\npoints": [_drop(record) for record in records],
        "its 95 %\ninterval": [_drop_interval(record) for record in records],
        "McNemar\np": [_p_value(record) for record in records],
        "verdict": [_verdict(record) for record in records],
    }
    table = Table(
        title=f"Zero-shot on {first.samples:,} {images}, {first.classes:,} classes (chance {first.chance:.1%}), "
        f"templates {first.templates}",
        caption=_caption(records),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    shown = {heading: cells for heading, cells in columns.items() if any(cells)}
    for heading in shown:
        worded = heading in ("model", "runs in", "precision", "verdict")
        # Of long names the rest goes to the next line; figures are never cut.
        folds = heading == "model"
        justify = "left" if worded else "right"
        table.add_column(heading, justify=justify, no_wrap=not folds, overflow="fold" if folds else "ellipsis")
    for row in zip(*shown.values(), strict=True):
        table.add_row(*row)
    return table


def retrieval_table(records: Sequence[RetrievalRecord]) -> Table:
    """One row per record and direction."""
    first = records[0]
    compared = any(record.baseline for record in records)
    table = Table(
        title=f"Retrieval on {first.dataset}, {first.split}: {first.images} images, {first.captions} captions",
        caption="below each recall its 95 % interval by bootstrap over images"
        + ("; drops are against the model without one" if compared else ""),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in ("model", "runs in", "precision", "direction"):
        table.add_column(heading)
    for recall in _of_first_direction(first):
        table.add_column(f"recall@{recall.k}", justify="right")
        if compared:
            table.add_column("drop, points", justify="right")
    for record in records:
        for direction in dict.fromkeys(recall.direction for recall in record.recalls):
            cells: list[str] = []
            for recall in record.recalls:
                if recall.direction is direction:
                    cells.append(f"{recall.recall:.1%}\n{recall.low:.1%} to {recall.high:.1%}")
                    cells += [_recall_drop(recall)] if compared else []
            table.add_row(_model(record), record.target or "PyTorch", record.precision, direction, *cells)
    return table


def _model(record: AnyRecord) -> str:
    return f"{record.model} (untrained)" if record.weights.trained is False else record.model


def _of_first_direction(record: RetrievalRecord) -> list[Recall]:
    return [recall for recall in record.recalls if recall.direction is record.recalls[0].direction]


def _published(record: AccuracyRecord) -> str:
    share = published_accuracy(record.model, record.dataset)
    return "" if share is None else f"{share:.1%}"


def _interval(record: AccuracyRecord) -> str:
    return f"{100 * record.accuracy_low:.1f} to {100 * record.accuracy_high:.1f}"


def _drop(record: AccuracyRecord) -> str:
    compared = record.comparison
    if compared is None:
        return ""
    colour = "red" if record.cost is not None and compared.drop_points > 1 else "default"
    return f"[{colour}]{compared.drop_points:+.2f}[/{colour}]"


def _drop_interval(record: AccuracyRecord) -> str:
    compared = record.comparison
    return "" if compared is None else f"{compared.drop_low_points:+.2f} to {compared.drop_high_points:+.2f}"


def _p_value(record: AccuracyRecord) -> str:
    p_value = None if record.comparison is None else record.comparison.mcnemar_p
    if p_value is None:
        return ""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def _verdict(record: AccuracyRecord) -> str:
    found = None if record.comparison is None else record.comparison.verdict
    return "" if found is None else f"[{_COLOURS[found]}]{found}[/{_COLOURS[found]}]"


def _recall_drop(recall: Recall) -> str:
    found = recall.verdict
    if found is None:
        return ""
    interval = f"{recall.drop_low_points:+.2f} to {recall.drop_high_points:+.2f}"
    return f"[{_COLOURS[found]}]{recall.drop_points:+.2f} ({found})[/{_COLOURS[found]}]\n{interval}"


def _caption(records: Sequence[AccuracyRecord]) -> str | None:
    compared = [record for record in records if record.comparison is not None]
    if not compared:
        return None
    baselines = dict.fromkeys(
        f"{side.model} ({'PyTorch' if side.target is None else f'{side.target} {side.precision}'})"
        for record in compared
        if record.comparison is not None and (side := record.comparison.baseline)
    )
    return f"against {' and '.join(baselines)} on the same images; verdict: exact paired McNemar test at 5 %"
