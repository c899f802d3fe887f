"""One device of a model: the tables and pictures that its records allow."""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind
from pocketclip.benchmark.report import device_tables
from pocketclip.benchmark.report.comparison import BaselineComparison
from pocketclip.benchmark.report.derived import summarize_minutes
from pocketclip.benchmark.report.distributions import draw_distributions
from pocketclip.benchmark.report.history import history_figure
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.names import artifact_name, threads_name
from pocketclip.benchmark.report.npu_table import npu_table
from pocketclip.benchmark.report.page import DeviceSection
from pocketclip.benchmark.report.pairs import rank
from pocketclip.benchmark.report.profile_tables import profile_table
from pocketclip.benchmark.report.selection import ModelSelection, is_invalid
from pocketclip.benchmark.report.sustained import describe_minute, draw_sustained, sustained_minutes, trend
from pocketclip.benchmark.report.svg import both_widths
from pocketclip.benchmark.report.table import Figure
from pocketclip.export.precision import InstructionSet, Precision, host_instruction_set


def device_section(
    selection: ModelSelection, device: str, material: Material, comparison: BaselineComparison | None
) -> DeviceSection:
    """Words what the records of one device tell."""
    records = selection.on_device(device)
    facts = records[-1].device
    caption = f"{selection.model} on {device}"
    standings = rank(selection.pairs(device))
    profiled = selection.latest_with(device, lambda record: record.profile)
    return DeviceSection(
        device=device,
        facts=facts,
        caption=f"{caption} ({facts.cpu}, {_threads(records)})",
        machine=f"{facts.soc or facts.cpu}, {_threads(records)}",
        artifacts=device_tables.artifacts_table(records, caption),
        cautions=_cautions(records),
        comparison=None if comparison is None else device_tables.comparison_table(comparison, caption),
        pairs=device_tables.pairs_table(standings, caption),
        history=history_figure(selection, device, material.benchmarks),
        distributions=_distributions(records),
        sustained=tuple(_sustained(each) for each in selection.latest_with(device, sustained_minutes)),
        profiles=tuple(table for record in profiled if (table := profile_table(record))),
        parity=device_tables.parity_table(records, caption),
        counts=device_tables.counts_table(records, caption),
        npu=npu_table(selection, records, caption),
        preparation=device_tables.preparation_table(
            selection.latest_with(device, lambda record: record.preparation), caption
        ),
        invalid=device_tables.invalid_table(selection.invalid_on(device), caption),
    )


def _cautions(records: Sequence[BenchmarkRecord]) -> tuple[str, ...]:
    launches = [(record, launch) for record in records if not is_invalid(record) for launch in record.launches]
    cautions: list[str] = []
    busy = [
        launch.load_average
        for record, launch in launches
        if launch.load_average is not None
        # The launch before this one counts in the load as well.
        and launch.load_average - record.settings.threads > record.device.logical_cores / 4
    ]
    if busy:
        cautions.append(
            f"The device was busy at the start of {len(busy)} of {len(launches)} launches "
            f"(load up to {max(busy):.1f}): latencies may be too high."
        )
    restless = sum(not launch.warmup_stationary for _, launch in launches)
    if restless:
        cautions.append(f"{restless} of {len(launches)} launches were not steady when warm-up reached its limit.")
    if records and records[0].device.kind == DeviceKind.EMULATED:
        cautions.append("This device is emulated: its latencies do not apply to a real one.")
    if any(_is_half_on_x86(record) for record in records):
        cautions.append(
            "fp16 computes in float on x86: its latencies do not show what phones gain, whose processors compute "
            "half floats at twice the rate."
        )
    return tuple(cautions)


def _is_half_on_x86(record: BenchmarkRecord) -> bool:
    machine = host_instruction_set(record.device.machine)
    return record.artifact.precision is Precision.FP16 and machine is InstructionSet.X86_64


def _distributions(records: Sequence[BenchmarkRecord]) -> Figure | None:
    pictures = both_widths(lambda width: draw_distributions(records, width))
    if not pictures:
        return None
    return Figure(
        "distributions",
        "Latency distribution",
        pictures,
        "",
        "One box per launch: the middle half of the inferences, a tick at the median, whiskers from the 5th to the "
        "95th percentile. If an artefact's boxes do not line up, its launches differ, which averages hide.",
    )


def _sustained(record: BenchmarkRecord) -> Figure:
    launch = record.sustained
    assert launch is not None
    minutes = summarize_minutes(launch)
    remarks = ""
    untold = [
        name
        for name, told in (
            ("clock", any(minute.clock_khz is not None for minute in minutes)),
            ("temperature", any(minute.temperature_celsius is not None for minute in minutes)),
        )
        if not told
    ]
    if untold:
        remarks = f" The device does not report its {' or '.join(untold)}."
    if record.invalid:
        remarks += " This record is invalid: see the reasons below."
    worded = trend(minutes)
    return Figure(
        "sustained",
        f"Sustained: {artifact_name(record)}",
        both_widths(lambda width: draw_sustained(launch, record.artifact.target, width)),
        f"{worded}.{remarks}",
        "Continuous inference, minute by minute. Clock and temperature are taken at the end of each minute.",
        "Minutes in words",
        tuple(describe_minute(minute) for minute in minutes),
        kind_title="Sustained",
    )


def _threads(records: Sequence[BenchmarkRecord]) -> str:
    counts = sorted({record.settings.threads for record in records})
    if len(counts) == 1:
        return threads_name(records[0].settings)
    return f"{' or '.join(str(count) for count in counts)} threads"
