"""Time by op: a table for each profiled artefact, with the share that ran outside the delegate."""

from __future__ import annotations

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.report.derived import OpShare, share_between_ops, share_outside_delegates, top_ops
from pocketclip.benchmark.report.names import artifact_name
from pocketclip.benchmark.report.table import Cell, Column, Table, make_row, text_column
from pocketclip.benchmark.statistics import formatting
from pocketclip.benchmark.statistics.summaries import delegates

MOST_OPS = 8


def profile_table(record: BenchmarkRecord) -> Table | None:
    """The ops that took most, the rest summed; None where there is no profile."""
    profile = record.profile
    if profile is None:
        return None
    inferences = len(profile.inference_ns)
    rows = [
        make_row(
            Cell(_op_name(op), style="soft" if op.op is None else ""),
            op.delegate or "runtime",
            str(op.nodes),
            formatting.milliseconds(op.total_ns / inferences),
            Cell(formatting.percent(op.share), bar=op.share, style="outside" if op.delegate is None else "inside"),
            target=record.artifact.target,
        )
        for op in top_ops(profile, MOST_OPS)
    ]
    return Table(
        "ops",
        artifact_name(record) + (", invalid" if record.invalid else ""),
        summary(record),
        (
            text_column("Op"),
            text_column("Run by"),
            Column("Nodes"),
            Column("Per inference"),
            Column("Share of time", "share"),
        ),
        tuple(rows),
        "From a separate pass, because profiling slows inference: shares are reliable, but times are not latencies. "
        "Nodes of one kind are summed. Full colour: outside the delegate, in the runtime's own kernels. Pale: inside.",
        kind_title="Time by op",
    )


def summary(record: BenchmarkRecord) -> str:
    """What the profile comes to, in a sentence; empty without one."""
    profile = record.profile
    if profile is None:
        return ""
    outside = share_outside_delegates(profile)
    if outside is None:
        where = "no delegate: the runtime's own kernels ran all ops"
    else:
        where = f"{formatting.percent(outside)} of the time outside {' and '.join(delegates(profile))}"
    between = share_between_ops(profile)
    rest = f"; {formatting.percent(between)} of an inference between ops" if between is not None else ""
    count = len(profile.inference_ns)
    return f"{where}{rest}; {count} {'inference' if count == 1 else 'inferences'} by {profile.source}"


def _op_name(op: OpShare) -> str:
    return op.op if op.op is not None else "all others"
