"""The picture of docs/fleet.md: throughput, cost of a job and memory of the head, against the number of phones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.fleet_scale.measuring import ScaleFigures
from pocketclip.benchmark.report.plotted import plotted


def draw(found: Sequence[ScaleFigures], path: Path) -> None:
    """Writes the picture as SVG.

    Raises:
        StorageError: the file cannot be written.
    """
    counts = [each.phones for each in found]
    with plotted(path, size=(11, 3.6), columns=3) as (through, cost, memory):
        ideal = [3600 * each.phones / each.job_seconds for each in found]
        through.loglog(counts, ideal, color="#99a", linestyle="--", label="phones that never wait")
        through.loglog(counts, [each.jobs_per_hour for each in found], color="#2a6bd4", marker="o", label="measured")
        through.set_ylabel("jobs an hour")
        through.legend(frameon=False)
        parts = {
            "records": [1e3 * each.store_seconds / each.jobs for each in found],
            "ledger": [1e3 * each.ledger_seconds / each.jobs for each in found],
        }
        whole = [each.head_ms_per_job for each in found]
        rest = [all_ - sum(part[place] for part in parts.values()) for place, all_ in enumerate(whole)]
        cost.stackplot(
            counts,
            *parts.values(),
            rest,
            labels=[*parts, "reading answers, pairing"],
            colors=("#2a6bd4", "#e0a030", "#bbc"),
        )
        computed = [each.processor_ms_per_job for each in found]
        cost.plot(counts, computed, color="#223", marker="o", linewidth=1, label="of it, computing")
        cost.set_xscale("log")
        cost.set_ylabel("the head's time for a job, ms")
        cost.legend(frameon=False)
        memory.semilogx(counts, [each.peak_bytes / 1e6 for each in found], color="#2a6bd4", marker="o")
        memory.set_ylim(bottom=0)
        memory.set_ylabel("memory of the head, MB")
        for axes in (through, cost, memory):
            axes.set_xlabel("phones")
            axes.spines[["top", "right"]].set_visible(False)
