"""The head of the report: candidates against their baselines in one table, and the picture of all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pocketclip.benchmark.report.accuracy_table import points
from pocketclip.benchmark.report.changes import AccuracyChange, PairChange, pair_changes, side_name
from pocketclip.benchmark.report.comparison import Baseline, BaselineComparison, BaselineKind, Compared
from pocketclip.benchmark.report.device_tables import change, change_interval, median, verdict_words
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.page import ComparisonSection
from pocketclip.benchmark.report.pareto import pareto_figures
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column, without_empty_columns
from pocketclip.benchmark.statistics import formatting
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.benchmark.statistics.verdicts import MINIMUM_LAUNCHES
from pocketclip.export.precision import Tower

_NOTE = (
    "A change compares the candidate's figure with the baseline's; its 95 % interval is below it. Latency: the median "
    "over launches of each launch's median; on an emulated core, instructions per inference. Accuracy: percentage "
    "points on the same images against the named side, with McNemar's exact test at 5 %. “Unpaired” means that no "
    "evaluation compared the two; the interval is then Newcombe's, which is wider. “Cannot tell” means that the "
    f"figures do not support a verdict; one on latency needs {MINIMUM_LAUNCHES} launches per side."
)
_VERDICT_STYLES = {"faster": "good", "fewer": "good", "slower": "bad", "more": "bad"}


def comparison_section(
    material: Material,
    selections: Sequence[ModelSelection],
    comparisons: Mapping[tuple[str, str], BaselineComparison],
) -> ComparisonSection:
    """What the page begins with."""
    baseline, table, words = material.baseline, None, ""
    if baseline is not None:
        changes, unmatched = pair_changes(comparisons, selections, material.accuracies)
        table = _table(baseline, changes, unmatched) if changes else None
        words = baseline.sentence if changes else _nothing(baseline)
    return ComparisonSection(words, table, pareto_figures(selections))


def _nothing(baseline: Baseline) -> str:
    if baseline.kind is BaselineKind.TAG:
        return f"Nothing to compare with {baseline.name}: no artefact has valid records both with and without this tag."
    return f"Nothing to compare with {baseline.words}: no artefact has valid records in addition to its baseline's."


def _table(baseline: Baseline, changes: Sequence[PairChange], unmatched: int) -> Table:
    several_models = len({each.model for each in changes}) > 1
    several_devices = len({each.device for each in changes}) > 1
    table = Table(
        "changes",
        "Candidate and baseline",
        f"Changes in accuracy, latency and size compared with {baseline.words}",
        (
            text_column("Candidate"),
            *((text_column("Model"),) if several_models else ()),
            *((text_column("Device"),) if several_devices else ()),
            Column("Accuracy, points", "accuracy, points"),
            text_column("Verdict", short="accuracy"),
            Column("Image latency", "image latency"),
            text_column("Verdict", short="image tower"),
            Column("Text latency", "text latency"),
            text_column("Verdict", short="text tower"),
            Column("Size"),
        ),
        tuple(_row(baseline, each, several_models, several_devices) for each in changes),
        _NOTE,
        _unmatched(unmatched),
        quiet=True,
    )
    return without_empty_columns(table)


def _unmatched(count: int) -> str:
    return f"{count} {'artefact has' if count == 1 else 'artefacts have'} no baseline." if count else ""


def _row(baseline: Baseline, each: PairChange, with_model: bool, with_device: bool) -> Row:
    row = make_row(
        Cell(side_name(each.candidate), f"against {_baseline_name(baseline, each)}"),
        *((each.model,) if with_model else ()),
        *((each.device,) if with_device else ()),
        *_accuracy_cells(each.accuracy),
        *(cell for tower in Tower for cell in _latency_cells(each.towers.get(tower))),
        UNKNOWN if each.size_ratio is None else change(each.size_ratio),
        target=each.candidate.artifact.target,
    )
    return replace(row, device=each.device, model=each.model)


def _baseline_name(baseline: Baseline, each: PairChange) -> str:
    match baseline.kind:
        case BaselineKind.TAG:
            return f"{baseline.name}, {each.baseline.created_at[:10]}"
        case BaselineKind.MODEL:
            return baseline.name
        case BaselineKind.PRECISION | BaselineKind.FLOAT:
            return str(each.baseline.artifact.precision)


def _accuracy_cells(found: AccuracyChange | None) -> tuple[Cell, Cell]:
    if found is None:
        return Cell(UNKNOWN), Cell(UNKNOWN)
    against = f"against {found.against}" + ("" if found.paired else ", unpaired")
    return (
        Cell(points(found.points), f"{points(found.low)} to {points(found.high)}", "main"),
        Cell(str(found.judgement), against, "bad" if found.judgement.lost else "good" if found.gained else "soft"),
    )


def _latency_cells(compared: Compared | None) -> tuple[Cell, Cell]:
    if compared is None:
        return Cell(UNKNOWN), Cell(UNKNOWN)
    outcome = compared.outcome
    if outcome is None:
        return Cell(UNKNOWN), Cell("not comparable", compared.refusal, "soft")
    words = verdict_words(compared)
    medians = (formatting.without_unit(median(compared.baseline)), median(compared.candidate))
    detail = " \N{RIGHTWARDS ARROW} ".join(medians)
    launches = min(len(compared.baseline.launches), len(compared.candidate.launches))
    if 0 < launches < MINIMUM_LAUNCHES:
        detail += f"; {launches} of {MINIMUM_LAUNCHES} launches"
    return (
        Cell(change(outcome.ratio), change_interval(outcome.interval), "main"),
        Cell(words, detail, _VERDICT_STYLES.get(words, "soft")),
    )
