"""What the page says: records turned into worded cells, so that the template holds layout alone."""

from __future__ import annotations

from benchmark.report.accuracy_table import accuracy_tables, retrieval_tables
from benchmark.report.device_content import device_section
from benchmark.report.environment import environments
from benchmark.report.headline import alarms, tiles
from benchmark.report.ladder_table import ladder_table
from benchmark.report.material import Material, newest
from benchmark.report.page import ModelSection, Report
from benchmark.report.selection import ModelSelection


def build_report(material: Material) -> Report:
    """Words the latest records.

    Raises:
        ReportError: there are no records, or none with the baseline's tag.
    """
    selections = material.select()
    return Report(
        models=tuple(_model_section(selection, material) for selection in selections),
        environments=environments(
            [record for selection in selections for record in selection.benchmarks], selections[0].labels
        ),
        devices=tuple(dict.fromkeys(device for selection in selections for device in selection.devices)),
        newest=newest(selections)[:16].replace("T", " ") + " UTC",
    )


def _model_section(selection: ModelSelection, material: Material) -> ModelSection:
    return ModelSection(
        name=selection.model,
        anchor="".join(letter if letter.isalnum() else "-" for letter in selection.model),
        tiles=tiles(selection),
        alarms=alarms(selection),
        devices=tuple(device_section(selection, device, material) for device in selection.devices),
        accuracy_tables=accuracy_tables(selection),
        retrieval_tables=retrieval_tables(selection),
        ladder=ladder_table(selection, material.ladders),
        older_weights=selection.older_weights,
    )
