"""The table of what hosted farms measured by methods of their own: apart from ours, and compared with nothing."""

from __future__ import annotations

from pocketclip.benchmark.records.farm import FarmRecord, FarmStatus
from pocketclip.benchmark.report.names import TARGET_NAMES, scheme, worded_scheme
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.report.table import Cell, Column, Row, Table, make_row, text_column, without_empty_columns
from pocketclip.benchmark.statistics import formatting
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.benchmark.statistics.summaries import farm_median_ns


def farm_table(selection: ModelSelection) -> Table | None:
    """One row per artefact and device of a farm; None where no farm measured."""
    if not selection.farms:
        return None
    table = Table(
        "farm",
        "By hosted farms",
        "What hosted farms measured by their own methods",
        (
            text_column("Artefact"),
            text_column("Tower"),
            text_column("Device"),
            text_column("Asked for", short="asked for"),
            Column("Inference"),
            Column("First load", "first load"),
            Column("Later load", "later load"),
            Column("Peak memory", "peak memory"),
            text_column("Layers on", short="layers on"),
            Column("Cosine min", "cosine min"),
            text_column("State", short="state", wide=True),
        ),
        tuple(_row(record) for record in selection.farms),
        "A farm times, loads and warms up in its own way, on a unit that nobody here saw. Its figures are no rank: no "
        "comparison, picture or headline has them. Inference: the median of those that the farm lists, else its own "
        "estimate. Cosine: of the outputs that the device computed for the golden inputs, against PyTorch.",
    )
    return without_empty_columns(table)


def _row(record: FarmRecord) -> Row:
    artifact, times, check = record.artifact, record.times, record.golden_check
    failed = record.status is FarmStatus.FAILED
    return make_row(
        Cell(f"{TARGET_NAMES[artifact.target]} {worded_scheme(scheme(artifact), artifact.target, artifact.precision)}"),
        artifact.tower,
        Cell(record.place, record.device.os),
        record.accelerator or "its own choice",
        formatting.milliseconds(farm_median_ns(record)),
        formatting.milliseconds(None if times is None else times.first_load_ns),
        formatting.milliseconds(None if times is None else times.warm_load_ns),
        formatting.megabytes(None if record.memory is None else record.memory.peak_high_bytes),
        ", ".join(f"{unit} {count:,}" for unit, count in sorted(record.layers.items())) or UNKNOWN,
        UNKNOWN if check is None else formatting.cosine(check.cosine_min),
        Cell(f"failed: {record.reason}" if failed else "measured", style="bad" if failed else "soft"),
        target=artifact.target,
        alarm=failed,
    )
