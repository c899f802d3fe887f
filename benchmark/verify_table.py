"""A ladder on the terminal: its rungs, its gates, and in words what failed and where."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from benchmark.formatting import UNKNOWN, cosine
from export.clip_budgets import clip_budget_for
from export.clip_gates import HISTOGRAM_BOUNDS, ClipGates
from export.ladder.report import Agreement, LadderReport, Status
from export.manifest import Manifest

_COLOURS = {Status.PASSED: "green", Status.FAILED: "bold red", Status.NOT_REACHED: "dim"}
_GATES = ("top1_agreement", "margin_flips", "overlap_at_10", "queries_overlap_at_10", "gallery_overlap_at_10")


def rungs_table(report: LadderReport) -> Table:
    """One row per rung: the worst cosine and the SNR against eager PyTorch and against the rung before."""
    table = Table(title=report.artifact, title_justify="left")
    table.add_column("rung", no_wrap=True)
    table.add_column("executed by")
    for heading in ("samples", "eager:\ncosine min", "SNR dB", "before:\ncosine min", "SNR dB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for rung in report.rungs:
        table.add_row(
            rung.name,
            rung.executed_by,
            str(rung.samples) if rung.samples else "",
            *_cells(rung.against_eager),
            *_cells(rung.against_previous),
            Text(rung.status, _COLOURS[rung.status]),
        )
    return table


def gates_table(gates: ClipGates, manifest: Manifest) -> Table:
    """The CLIP-level gates of an artefact beside their budgets."""
    budget = clip_budget_for(manifest.target, manifest.precision, manifest.used_passes)
    judged = f"; not judged: {gates.unjudged}" if gates.unjudged else ""
    table = Table(
        title=f"CLIP-level gates, {gates.samples} samples, {gates.labels} labels{judged}",
        title_justify="left",
        caption=f"cosine mean {cosine(gates.cosine_mean)}, p1 {cosine(gates.cosine_p1)}, min "
        f"{cosine(gates.cosine_min)}; {_histogram(gates)}",
        caption_justify="left",
    )
    table.add_column("gate")
    table.add_column("measured", justify="right")
    table.add_column("budget", justify="right")
    for name in _GATES:
        bound = getattr(budget, name)
        worded = f"margin_flips beyond {gates.margin:g}" if name == "margin_flips" else name
        missed = any(failure.split()[0] == name for failure in gates.failures)
        value, flips = getattr(gates, name), name == "margin_flips"
        # Beyond the bound, but so few samples that chance explains it.
        open_ = not missed and gates.unjudged is None and (value > bound if flips else value < bound)
        cell = f"{value:.4f}" + (" (cannot tell)" if open_ else "")
        table.add_row(worded, Text(cell, "bold red" if missed else ""), f"{'<=' if flips else '>='} {bound:g}")
    return table


def failure_lines(report: LadderReport) -> Iterator[str]:
    """What failed, a line each, and where the first failing rung diverges."""
    for rung in report.rungs:
        for failure in rung.failures:
            yield f"{rung.name}: {failure}"
        if rung.divergence is not None:
            yield f"{rung.name} diverges at {rung.divergence}"
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
