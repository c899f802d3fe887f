"""The table of artefacts for NPUs on one device: how much of a tower is on the NPU, its size, what it agrees with.

All of it is known on a computer without one; the time is not, and the table says why.
"""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.records.placement import NpuPlacement
from pocketclip.benchmark.report.names import artifact_name, scheme
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column, without_empty_columns
from pocketclip.benchmark.statistics import formatting
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.benchmark.statistics.summaries import p50_ns


def npu_table(selection: ModelSelection, records: Sequence[BenchmarkRecord], caption: str) -> Table | None:
    """One row per record of an artefact for NPUs; None where there is none."""
    rows = tuple(_row(selection, record, record.npu) for record in records if record.npu is not None)
    if not rows:
        return None
    table = Table(
        "npu",
        "On the NPU",
        caption,
        (
            text_column("Artefact"),
            text_column("Chip"),
            Column("Ops on the NPU", "ops on the NPU"),
            Column("Graphs"),
            Column("Size"),
            text_column("Parity"),
            Column("Cosine min", "cosine min"),
            Column("Top-1 agreement", "top-1"),
            Column("Accuracy"),
            Column("p50"),
            text_column("Time", short="time", wide=True),
        ),
        rows,
        "Ops on the NPU: of the ops of the tower's file, those that the prepared graph holds; the others would run on "
        "the CPU. Graphs: pieces on the NPU; with one, values never leave it. Size: of the graph for the chip, which a "
        "phone gets. Parity, cosine, top-1: against PyTorch, by the emulator at export. Accuracy: of the pair. A "
        "computer emulates the NPU's values, not its times.",
    )
    return without_empty_columns(table)


def coverage(placement: NpuPlacement) -> str:
    """In words: `214 of 214 (100 %)`; the share alone where ops were not counted."""
    share = formatting.percent(placement.coverage)
    if placement.ops is None:
        return share
    return f"{placement.ops - placement.on_cpu} of {placement.ops} ({share})"


def _row(selection: ModelSelection, record: BenchmarkRecord, placement: NpuPlacement) -> Row:
    parity = record.parity
    missed = parity is not None and not parity.passed
    failed = record.status is Status.FAILED
    return make_row(
        artifact_name(record),
        placement.soc,
        Cell(coverage(placement), style="bad" if placement.on_cpu else "main"),
        str(placement.graphs),
        formatting.megabytes(placement.size_bytes),
        Cell("not checked", style="soft")
        if parity is None
        else Cell("fail" if missed else "pass", style="bad" if missed else "good"),
        UNKNOWN if parity is None else formatting.cosine(parity.cosine_min),
        formatting.percent(None if parity is None else parity.top1_agreement),
        formatting.percent(_accuracy(selection, record)),
        formatting.milliseconds(p50_ns(record.launches)) if record.rankable else UNKNOWN,
        Cell("" if record.rankable else _untimed(record), style="bad" if failed else "soft"),
        target=record.artifact.target,
        alarm=missed or failed,
    )


def _untimed(record: BenchmarkRecord) -> str:
    if record.status is Status.FAILED:
        return f"failed: {record.reason}"
    return f"not timed: {record.reason or 'emulated or invalid'}"


def _accuracy(selection: ModelSelection, record: BenchmarkRecord) -> float | None:
    """Of the pair of this scheme; that of these very artefacts where it was judged."""
    same = [judged for judged in selection.headline if selection.scheme_of(judged) == scheme(record.artifact)]
    exact = [judged for judged in same if record.artifact.sha256 in (judged.image_sha256, judged.text_sha256)]
    found = next(iter(exact or same), None)
    return None if found is None else found.accuracy
