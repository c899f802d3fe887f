"""The parity ladder of `pocketclip verify`, where its results are given beside the records: rung by rung."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pocketclip.benchmark.errors import ReportError
from pocketclip.benchmark.records.benchmark import age_key
from pocketclip.benchmark.report.names import TARGET_NAMES, precision_name
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column
from pocketclip.benchmark.statistics import formatting
from pocketclip.export.ladder.report import LadderReport, Rung, RungName, Status, Verification
from pocketclip.models import documents

# What a device gave stands in each device's own table.
_RUNGS = tuple(name for name in RungName if name is not RungName.DEVICE)


def read_ladders(path: Path) -> tuple[LadderReport, ...]:
    """The ladders in a file that `verify --json` wrote.

    Raises:
        ReportError: it cannot be read, or is something else.
    """
    return documents.read(Verification, path, error=ReportError).ladders


def ladder_table(selection: ModelSelection, ladders: Sequence[LadderReport]) -> Table | None:
    """A row for each artefact that the page shows and whose ladder is given; the latest where there are several."""
    latest = {each.artifact_sha256: each for each in sorted(ladders, key=lambda ladder: age_key(ladder.created_at))}
    artifacts = {record.artifact.sha256: record.artifact for record in selection.benchmarks}
    rows: list[Row] = []
    for sha256, artifact in artifacts.items():
        ladder = latest.get(sha256)
        if ladder is None:
            continue
        rungs = {rung.name: rung for rung in ladder.rungs}
        name = f"{TARGET_NAMES[artifact.target]} {precision_name(artifact)} {artifact.tower}"
        failure = ladder.first_failure
        missed = "" if failure is None else f"{failure.name}: {failure.divergence or '; '.join(failure.failures)}"
        gates = ladder.gates
        if gates is None:
            gate = Cell("not reached", style="soft")
        elif gates.failures:
            gate = Cell("missed", "; ".join(gates.failures), "bad")
        else:
            gate = Cell(
                "met" if gates.unjudged is None else "not judged", style="good" if gates.unjudged is None else "soft"
            )
        cells = [_rung_cell(rungs.get(rung)) for rung in _RUNGS]
        alarm = failure is not None or bool(gates and gates.failures)
        rows.append(make_row(Cell(name, missed), *cells, gate, target=artifact.target, alarm=alarm))
    if not rows:
        return None
    return Table(
        "ladder",
        "Parity ladder",
        f"{selection.model}: the lowest cosine to eager PyTorch on each rung",
        (text_column("Artefact"), *(Column(rung[:1].upper() + rung[1:]) for rung in _RUNGS), text_column("CLIP gates")),
        tuple(rows),
        "Each rung is a form of the tower, made from the previous one. The ladder stops at the first failing rung. A "
        "dash is a rung that this artefact does not have. From the verify command.",
    )


def _rung_cell(rung: Rung | None) -> Cell:
    if rung is None:
        return Cell(formatting.UNKNOWN, style="soft")
    if rung.status is Status.NOT_REACHED:
        return Cell("not reached", style="soft")
    agreement = rung.against_eager
    words = "passed" if agreement is None else formatting.cosine(agreement.cosine_min)
    if rung.status is Status.FAILED:
        return Cell("failed" if agreement is None else words, style="bad")
    return Cell(words)
