"""A ladder on the terminal: its rungs, its gates, and what failed where."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from pocketclip.benchmark.statistics.formatting import UNKNOWN, cosine
from pocketclip.export.artifact.manifest import Manifest
from pocketclip.export.ladder.report import Agreement, LadderReport, Status
from pocketclip.export.parity.clip_budgets import clip_budget_for
from pocketclip.export.parity.clip_gates import HISTOGRAM_BOUNDS, ClipGates
from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

_COLOURS = {Status.PASSED: "green", Status.FAILED: "bold red", Status.NOT_REACHED: "dim"}
_GATES = ("top1_agreement", "margin_flips", "overlap_at_10", "queries_overlap_at_10", "gallery_overlap_at_10")


def rungs_table(report: LadderReport) -> TerminalTable:
    """One row per rung: the worst cosine and the SNR against eager PyTorch and against the rung before."""
    return TerminalTable(
        columns=(
            name_column("rung"),
            word_column("executed by", spare=2),
            *figure_columns("samples", spare=3),
            *figure_columns("eager:\ncosine min"),
            *figure_columns("eager:\nSNR dB", spare=1),
            *figure_columns("before:\ncosine min"),
            *figure_columns("before:\nSNR dB", spare=1),
            word_column("verdict"),
        ),
        rows=[
            (
                rung.name,
                rung.executed_by,
                str(rung.samples) if rung.samples else "",
                *_cells(rung.against_eager),
                *_cells(rung.against_previous),
                Text(rung.status, _COLOURS[rung.status]),
            )
            for rung in report.rungs
        ],
        title=report.artifact,
    )


def gates_table(gates: ClipGates, manifest: Manifest) -> TerminalTable:
    """The CLIP-level gates of an artefact and their budgets."""
    budget = clip_budget_for(manifest.target, manifest.precision, manifest.used_passes)
    judged = f"; not judged: {gates.unjudged}" if gates.unjudged else ""
    rows: list[tuple[str, Text, str]] = []
    for name in _GATES:
        bound = getattr(budget, name)
        worded = f"margin_flips beyond {gates.margin:g}" if name == "margin_flips" else name
        missed = any(failure.split()[0] == name for failure in gates.failures)
        value, flips = getattr(gates, name), name == "margin_flips"
        # Beyond the bound, but so few samples that chance explains it.
        open_ = not missed and gates.unjudged is None and (value > bound if flips else value < bound)
        cell = f"{value:.4f}" + (" (cannot tell)" if open_ else "")
        rows.append((worded, Text(cell, "bold red" if missed else ""), f"{'<=' if flips else '>='} {bound:g}"))
    return TerminalTable(
        columns=(name_column("gate"), *figure_columns("measured", "budget")),
        rows=rows,
        title=f"CLIP-level gates, {gates.samples} samples, {gates.labels} labels{judged}",
        caption=f"cosine mean {cosine(gates.cosine_mean)}, p1 {cosine(gates.cosine_p1)}, min "
        f"{cosine(gates.cosine_min)}; {_histogram(gates)}",
    )


def failure_lines(report: LadderReport) -> Iterator[str]:
    """Every failure in one line, and where the first failing rung diverges."""
    for rung in report.rungs:
        for failure in rung.failures:
            yield f"{rung.name}: {failure}"
        if rung.divergence is not None:
            placed = rung.divergence.module is not None
            yield f"{rung.name} {'diverges at' if placed else 'differs by'} {rung.divergence}"
            if placed and rung.divergence.cause is not None:
                yield f"  cause: {rung.divergence.cause}"
            yield f"  found by: {rung.divergence.method}"
    if report.gates is not None:
        for failure in report.gates.failures:
            yield f"gate: {failure}"


def _cells(agreement: Agreement | None) -> tuple[str, str]:
    if agreement is None:
        return UNKNOWN, UNKNOWN
    snr = UNKNOWN if agreement.snr_db is None else f"{agreement.snr_db:.1f}"
    return cosine(agreement.cosine_min), snr


def _histogram(gates: ClipGates) -> str:
    bounds = ("", *(f"{bound:g}" for bound in HISTOGRAM_BOUNDS))
    worded = [
        f"{count} from {bound}" if bound else f"{count} below {HISTOGRAM_BOUNDS[0]:g}"
        for bound, count in zip(bounds, gates.histogram, strict=True)
        if count
    ]
    return ", ".join(worded)
