"""The tables of one device: artefacts, pairs and their front, parity, counts, preparation, invalid runs, a baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, BundledParity, DeviceKind, Status, is_future
from pocketclip.benchmark.report.comparison import BaselineComparison, BaselineKind, Compared
from pocketclip.benchmark.report.derived import summarize_preparation
from pocketclip.benchmark.report.names import TARGET_NAMES, artifact_name, scheme_name
from pocketclip.benchmark.report.pairs import Place, Standing
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column, without_empty_columns
from pocketclip.benchmark.statistics import formatting
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.benchmark.statistics.summaries import REPEATABLE_SHARE, launch_medians, p50_ns, summarize_counts
from pocketclip.export.artifact.parity_report import ParityReport

_MINUS = "\N{MINUS SIGN}"


def artifacts_table(records: Sequence[BenchmarkRecord], caption: str) -> Table | None:
    """Every artefact: its size, whether it keeps its parity budget, its times; what stands where there is no time."""
    if not records:
        return None
    slowest = max((p50_ns(record.launches) for record in records if record.rankable), default=0.0)
    return Table(
        "artifacts",
        "Formats and precisions",
        caption,
        (
            text_column("Artefact"),
            text_column("Tower"),
            Column("Size"),
            text_column("Parity"),
            Column("p50"),
            Column("p90"),
            Column("Load"),
            Column("First"),
            Column("Peak memory", "peak memory"),
        ),
        tuple(_artifact_row(record, slowest) for record in records),
        "Size: the model files, 1 MB = 10\N{SUPERSCRIPT SIX} bytes. Parity: whether the artefact meets its budget "
        "against PyTorch. Load: opening the model. First: the first inference. p50 and p90: over the steady inferences "
        "of all launches; the bar shows p50 relative to the slowest in the table. Memory: the peak beyond what the "
        "process used before the load.",
        quiet=True,
    )


def _artifact_row(record: BenchmarkRecord, slowest: float) -> Row:
    name = f"{TARGET_NAMES[record.artifact.target]} {scheme_name(record)}"
    missed = record.parity is not None and not record.parity.passed
    failed = record.status is Status.FAILED
    cells: list[str | Cell] = [
        name,
        str(record.artifact.tower),
        formatting.megabytes(record.artifact.model_size_bytes),
        _parity_cell(record),
    ]
    instead = None
    if record.rankable:
        p50, *others = formatting.timings(record)
        bar = p50_ns(record.launches) / slowest if slowest else None
        cells += [Cell(p50, style="main", bar=bar), *others]
    else:
        instead = Cell(_instead(record), style="bad" if failed else "soft")
    return make_row(*cells, target=record.artifact.target, alarm=failed or missed, instead=instead)


def _parity_cell(record: BenchmarkRecord) -> Cell:
    if record.parity is None:
        return Cell("not checked", style="soft")
    return Cell("pass", style="good") if record.parity.passed else Cell("fail", style="bad")


def _instead(record: BenchmarkRecord) -> str:
    """What stands in the place of times."""
    if record.status is Status.FAILED:
        return f"failed: {record.reason}"
    if record.invalid:
        codes = ", ".join(dict.fromkeys(str(each.code) for each in record.invalid))
        return f"invalid ({codes}): not ranked, see below"
    if record.instructions is not None:
        count = summarize_counts(record.instructions.per_inference).per_inference
        return f"{millions(count)} million instructions per inference, on an emulated core"
    if record.device.kind == DeviceKind.EMULATED:
        return "emulated: time not meaningful"
    return f"not timed ({record.reason})"


def pairs_table(standings: Sequence[Standing], caption: str) -> Table | None:
    """Accuracy, latency and size of each pair, and whether another beats it; None where times play no part."""
    if not any(standing.pair.latency_ns or _is_invalid(standing) for standing in standings):
        return None
    rows = [
        make_row(
            standing.pair.name,
            formatting.percent(standing.pair.accuracy.accuracy if standing.pair.accuracy else None),
            *(_p50(record) for record in standing.pair.towers),
            Cell(formatting.milliseconds(standing.pair.latency_ns), style="main"),
            formatting.megabytes(standing.pair.size_bytes),
            _front_cell(standing),
            target=standing.pair.target,
        )
        for standing in standings
    ]
    return Table(
        "pairs",
        "Image and text tower together",
        caption,
        (
            text_column("Pair"),
            Column("Accuracy"),
            Column("Per image", "per image"),
            Column("Per prompt", "per prompt"),
            Column("Both"),
            Column("Size"),
            text_column("Pareto front with size", short="Pareto front with size", wide=True),
        ),
        tuple(rows),
        "Times are p50. A pair is on the front if no other pair on this device with the same threads is at least as "
        "accurate, fast and small, and better in one of these. Invalid, emulated and untimed records are excluded. "
        "Intervals are not considered.",
        quiet=True,
    )


def _is_invalid(standing: Standing) -> bool:
    return any(record.invalid for record in standing.pair.towers)


def _front_cell(standing: Standing) -> Cell:
    if standing.place is Place.FRONT:
        return Cell("\N{BLACK STAR} on the front", style="good")
    if standing.beaten_by is not None:
        return Cell(f"beaten by {standing.beaten_by.name}", style="soft")
    return Cell(f"not ranked: {standing.reason}", style="soft")


def _p50(record: BenchmarkRecord) -> str:
    return formatting.milliseconds(p50_ns(record.launches)) if record.rankable else UNKNOWN


def parity_table(records: Sequence[BenchmarkRecord], caption: str) -> Table | None:
    """From the trained model to the device: what each form agrees with, as far as records tell."""
    proved = [record for record in records if record.parity is not None or record.golden_check is not None]
    if not proved:
        return None
    table = Table(
        "parity",
        "Parity by form",
        caption,
        (
            text_column("Artefact"),
            Column("Reparameterised: cosine min", "reparam. min"),
            Column("Artefact: cosine mean", "cosine mean"),
            Column("p1", "cosine p1"),
            Column("min", "cosine min"),
            Column("max abs"),
            Column("SNR, dB", "SNR, dB"),
            Column("Top-1 agreement", "top-1"),
            Column("Device: cosine min", "device min"),
            Column("max abs", "device max abs"),
            Column("against export", "against export"),
            text_column("Budget"),
        ),
        tuple(_parity_row(record) for record in proved),
        "Reparameterised: the folded model against the trained model. Artefact: the file against PyTorch fp32 on the "
        "same real inputs at export, where its budget is checked. Device: this record's outputs for the golden inputs, "
        "against PyTorch and against the artefact's outputs at export. "
        "The verify command climbs the rungs in between and names the op that diverges.",
        quiet=True,
    )
    return without_empty_columns(table)


def _exported_cells(parity: ParityReport | BundledParity) -> list[str]:
    """The proof of the export; a bundle keeps four figures of it."""
    whole = parity if isinstance(parity, ParityReport) else None
    return [
        formatting.cosine(whole.multibranch_cosine_min) if whole else UNKNOWN,
        formatting.cosine(parity.cosine_mean),
        formatting.cosine(whole.cosine_p1) if whole else UNKNOWN,
        formatting.cosine(parity.cosine_min),
        f"{whole.max_abs:.1e}" if whole else UNKNOWN,
        f"{whole.snr_db:.1f}" if whole else UNKNOWN,
        formatting.percent(parity.top1_agreement),
    ]


def _parity_row(record: BenchmarkRecord) -> Row:
    parity, check = record.parity, record.golden_check
    exported = [UNKNOWN] * 7
    budget, missed = Cell("not judged", style="soft"), ""
    if parity is not None:
        exported = _exported_cells(parity)
        budget = Cell("met", style="good") if parity.passed else Cell("missed", style="bad")
        missed = "; ".join(parity.failures)
    device = [UNKNOWN] * 3
    if check is not None:
        device = [
            formatting.cosine(check.cosine_min),
            f"{check.max_abs:.1e}",
            formatting.cosine(check.exported_cosine_min),
        ]
    return make_row(
        Cell(artifact_name(record), missed),
        *exported,
        *device,
        budget,
        target=record.artifact.target,
        alarm=parity is not None and not parity.passed,
    )


def counts_table(records: Sequence[BenchmarkRecord], caption: str) -> Table | None:
    """Instructions per inference of counted records."""
    rows: list[Row] = []
    for record in records:
        if record.instructions is None:
            continue
        counts = summarize_counts(record.instructions.per_inference)
        apart = counts.repeatable is False
        rows.append(
            make_row(
                artifact_name(record),
                Cell(millions(counts.per_inference), style="main"),
                Cell(
                    _share(counts.spread_share),
                    f"more than {100 * REPEATABLE_SHARE:g} %" if apart else "",
                    "bad" if apart else "",
                ),
                str(counts.processes),
                str(counts.inferences),
                record.instructions.cpu,
                target=record.artifact.target,
            )
        )
    if not rows:
        return None
    return Table(
        "counts",
        "Instructions per inference",
        caption,
        (
            text_column("Artefact"),
            Column("Instructions, millions", "millions"),
            Column("Spread between processes", "spread"),
            Column("Processes"),
            Column("Inferences"),
            text_column("Emulated core", short="core"),
        ),
        tuple(rows),
        "Times on an emulated core are not meaningful, but its instruction counts are real and repeatable. The figure "
        "is the median over processes of each process's mean; the spread is their range as a share of it.",
        quiet=True,
    )


def millions(count: float) -> str:
    """A count in millions, without the unit."""
    return f"{count / 1e6:,.3f}"


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.3f}\N{NO-BREAK SPACE}%"


def preparation_table(records: Sequence[BenchmarkRecord], caption: str) -> Table | None:
    """Time to make one input, apart from the latency."""
    rows: list[Row] = []
    for record in records:
        if record.preparation is not None:
            summary = summarize_preparation(record.preparation)
            rows.append(
                make_row(
                    artifact_name(record),
                    str(record.preparation.step),
                    Cell(formatting.milliseconds(summary.p50_ns), style="main"),
                    formatting.milliseconds(summary.p90_ns),
                    str(summary.samples),
                    record.preparation.executed_by,
                    target=record.artifact.target,
                )
            )
    if not rows:
        return None
    return Table(
        "preparation",
        "Preparation of one input",
        caption,
        (
            text_column("Artefact"),
            text_column("Step"),
            Column("p50"),
            Column("p90"),
            Column("Samples"),
            text_column("Executed by", short="by", wide=True),
        ),
        tuple(rows),
        "From a decoded 8-bit image, or from a prompt, to the model's input. Not included in the latencies above.",
        quiet=True,
    )


def invalid_table(records: Sequence[BenchmarkRecord], caption: str) -> Table | None:
    """Invalid records: one row for each condition that was not met, with its fix."""
    rows: list[Row] = []
    for record in records:
        measured = record.status is Status.MEASURED
        p50 = formatting.milliseconds(p50_ns(record.launches)) if measured else UNKNOWN
        for each in record.invalid:
            rows.append(
                make_row(
                    artifact_name(record),
                    _minute(record),
                    Cell(str(each.code), style="bad"),
                    each.reason,
                    each.fix,
                    Cell(p50, style="soft"),
                    target=record.artifact.target,
                )
            )
    if not rows:
        return None
    return Table(
        "invalid",
        "Invalid records",
        caption,
        (
            text_column("Artefact"),
            text_column("Measured, UTC", short="measured, UTC"),
            text_column("Code"),
            text_column("Finding", wide=True),
            text_column("What to do", wide=True),
            Column("p50, not ranked", "p50, not ranked"),
        ),
        tuple(rows),
        "These records were measured under unfit conditions. They are kept but excluded from every latency table, "
        "picture and headline. A later valid record of the same artefact removes them from this list.",
        quiet=True,
    )


def _minute(record: BenchmarkRecord) -> str:
    return record.created_at[:16].replace("T", " ") + (" (in the future)" if is_future(record.created_at) else "")


def comparison_table(comparison: BaselineComparison, caption: str) -> Table | None:
    """The change of each artefact's latency against its baseline."""
    if not comparison.compared:
        return None
    left = len(comparison.unmatched)
    named = comparison.baseline.kind not in (BaselineKind.PRECISION, BaselineKind.FLOAT)
    return Table(
        "comparison",
        f"Compared with {comparison.baseline.words}",
        caption,
        (
            text_column("Artefact"),
            Column("Baseline median", "baseline"),
            Column("Median now", "now"),
            Column("Change"),
            Column("95 % interval"),
            text_column("Verdict"),
        ),
        tuple(_comparison_row(each) for each in comparison.compared),
        "Medians over launches of each launch's median, from the latest valid records; on an "
        "emulated core, instructions per inference. “Cannot tell” means that the launches do not support a verdict.",
        f"{left} {'artefact has' if left == 1 else 'artefacts have'} no baseline." if left and named else "",
        quiet=True,
    )


_VERDICT_STYLES = {"faster": "good", "fewer": "good", "slower": "bad", "more": "bad"}


def _comparison_row(compared: Compared) -> Row:
    name = artifact_name(compared.candidate)
    medians = (Cell(median(record), _minute(record)) for record in (compared.baseline, compared.candidate))
    target = compared.candidate.artifact.target
    outcome = compared.outcome
    if outcome is None:
        return make_row(
            name, *medians, UNKNOWN, UNKNOWN, Cell("not comparable", compared.refusal, "soft"), target=target
        )
    interval = change_interval(outcome.interval) or UNKNOWN
    verdict = verdict_words(compared)
    return make_row(
        name,
        *medians,
        Cell(change(outcome.ratio), style="main"),
        interval,
        Cell(verdict, style=_VERDICT_STYLES.get(verdict, "soft")),
        target=target,
        alarm=_VERDICT_STYLES.get(verdict) == "bad",
    )


def verdict_words(compared: Compared) -> str:
    """The verdict as it is said. Needs an outcome."""
    assert compared.outcome is not None
    return str(compared.outcome.verdict).replace("-", " ")


def median(record: BenchmarkRecord) -> str:
    """What a comparison compares: the median over launches of each one's median, or instructions per inference."""
    if record.instructions is not None:
        count = summarize_counts(record.instructions.per_inference).per_inference
        return f"{millions(count)}\N{NO-BREAK SPACE}M instructions"
    return formatting.milliseconds(float(np.median(launch_medians(record.launches))))


def change(ratio: float) -> str:
    """A ratio as the change it is, e.g. `+5.0 %`."""
    worded = f"{100 * (ratio - 1):+.1f}"
    worded = "0.0" if worded in ("+0.0", "-0.0") else worded.replace("-", _MINUS)
    return f"{worded}\N{NO-BREAK SPACE}%"


def change_interval(interval: tuple[float, float] | None) -> str:
    """The bounds of a ratio as changes, e.g. `−5.0 to +1.2 %`; empty where there is none."""
    if interval is None:
        return ""
    low, high = (change(bound) for bound in interval)
    return f"{formatting.without_unit(low)} to {high}"
