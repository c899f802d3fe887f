"""What the page says: records turned into worded cells, so that the template holds layout alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pocketclip.benchmark.report.accuracy_table import accuracy_tables, retrieval_tables
from pocketclip.benchmark.report.comparison import BaselineComparison, compare_all
from pocketclip.benchmark.report.comparison_section import comparison_section
from pocketclip.benchmark.report.device_content import device_section
from pocketclip.benchmark.report.environment import environments
from pocketclip.benchmark.report.farm_table import farm_table
from pocketclip.benchmark.report.fleet_section import fleet_section
from pocketclip.benchmark.report.headline import alarms, tiles
from pocketclip.benchmark.report.ladder_table import ladder_table
from pocketclip.benchmark.report.material import Material, newest
from pocketclip.benchmark.report.names import TARGET_NAMES
from pocketclip.benchmark.report.page import ComparisonSection, FleetSection, ModelSection, Note, Report
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.report.table import Figure, Table
from pocketclip.benchmark.statistics.units import variation_of_units


def build_report(material: Material) -> Report:
    """Words the latest records.

    Raises:
        ReportError: there are no records, or none of the baseline.
    """
    selections = material.select()
    comparisons = compare_all(material.baseline, selections, material.benchmarks)
    comparison = comparison_section(material, selections, comparisons)
    models = tuple(_model_section(selection, material, comparisons) for selection in selections)
    fleet = fleet_section(material.fleet, variation_of_units(material.benchmarks))
    return Report(
        comparison=comparison,
        models=models,
        environments=environments(
            [record for selection in selections for record in selection.benchmarks], selections[0].labels
        ),
        unavailable=tuple(f"{TARGET_NAMES[target]}: {words}" for target, words in material.unavailable.items()),
        devices=tuple(dict.fromkeys(device for selection in selections for device in selection.devices)),
        notes=tuple(_notes(_parts(comparison, models, fleet))),
        newest=newest(selections)[:16].replace("T", " ") + " UTC",
        fleet=fleet,
    )


def _model_section(
    selection: ModelSelection, material: Material, comparisons: Mapping[tuple[str, str], BaselineComparison]
) -> ModelSection:
    return ModelSection(
        name=selection.model,
        anchor="".join(letter if letter.isalnum() else "-" for letter in selection.model),
        tiles=tiles(selection),
        alarms=alarms(selection),
        devices=tuple(
            device_section(selection, device, material, comparisons.get((selection.model, device)))
            for device in selection.devices
        ),
        accuracy_tables=accuracy_tables(selection),
        retrieval_tables=retrieval_tables(selection),
        ladder=ladder_table(selection, material.ladders),
        older_weights=selection.older_weights,
        farms=farm_table(selection),
    )


def _parts(
    comparison: ComparisonSection, models: Iterable[ModelSection], fleet: FleetSection | None
) -> Iterator[Table | Figure]:
    """Everything on the page that may have a note, in reading order."""
    yield from (comparison.table,) if comparison.table else ()
    yield from comparison.figures
    for model in models:
        yield from model.accuracy_tables
        yield from model.retrieval_tables
        yield from (model.ladder,) if model.ladder else ()
        yield from (model.farms,) if model.farms else ()
        for device in model.devices:
            yield from device.tables
            yield from device.figures
    yield from () if fleet is None else fleet.tables


def _notes(parts: Iterable[Table | Figure]) -> Iterator[Note]:
    """Each kind's note, once, however many models and devices have a table of the kind."""
    told: set[str] = set()
    for part in parts:
        if part.note and part.name not in told:
            told.add(part.name)
            yield Note(part.name, part.kind, part.note)
