"""One device of a model: its format table, and the other tables and pictures that its records allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmark import formatting
from benchmark.records import BenchmarkRecord, DeviceKind, Status
from benchmark.report import device_tables
from benchmark.report.comparison import compare_device
from benchmark.report.derived import summarize_minutes
from benchmark.report.distributions import draw_distributions
from benchmark.report.headline import pytorch
from benchmark.report.material import Material
from benchmark.report.names import TARGET_NAMES, artifact_name, scheme_name, threads_name
from benchmark.report.page import ArtifactRow, DeviceSection, TargetGroup
from benchmark.report.pairs import rank
from benchmark.report.profile_tables import profile_table
from benchmark.report.scatter import describe_point, draw_scatter
from benchmark.report.selection import ModelSelection, is_invalid
from benchmark.report.sustained import describe_minute, draw_sustained, sustained_minutes, trend
from benchmark.report.table import Figure, Table
from benchmark.statistics import summarize_counts
from export.precision import TargetName

WIDE, NARROW = 960, 342


def device_section(selection: ModelSelection, device: str, material: Material) -> DeviceSection:
    """Words what the records of one device tell."""
    records = selection.on_device(device)
    facts = records[-1].device
    caption = f"{selection.model} on {device}"
    standings = rank(selection.pairs(device))
    comparison, uncompared = _comparison(selection, device, material, caption)
    profiled = selection.latest_with(device, lambda record: record.profile)
    return DeviceSection(
        device=device,
        facts=facts,
        caption=f"{caption} ({facts.cpu}, {_threads(records)})",
        groups=tuple(
            group
            for target in TargetName
            if (
                group := _target_group(
                    target, [r for r in records if r.artifact.target is target], material.unavailable
                )
            )
        ),
        cautions=_cautions(records),
        comparison=comparison,
        uncompared=uncompared,
        pairs=device_tables.pairs_table(standings, caption),
        scatter=_scatter(selection, device, caption),
        distributions=_distributions(records, caption),
        sustained=tuple(_sustained(each, caption) for each in selection.latest_with(device, sustained_minutes)),
        profiles=tuple(table for record in profiled if (table := profile_table(record))),
        parity=device_tables.parity_table(records, caption),
        counts=device_tables.counts_table(records, caption),
        preparation=device_tables.preparation_table(
            selection.latest_with(device, lambda record: record.preparation), caption
        ),
        invalid=device_tables.invalid_table(selection.invalid_on(device), caption),
    )


def _target_group(
    target: TargetName, records: Sequence[BenchmarkRecord], unavailable: Mapping[TargetName, str]
) -> TargetGroup | None:
    if not records and target not in unavailable:
        return None
    runtimes = dict.fromkeys(record.runtime.version or record.runtime.name for record in records)
    # A failed launch may not have come as far as its runtime's version.
    known = [record.runtime.version for record in records if record.runtime.version]
    return TargetGroup(
        target=target,
        name=TARGET_NAMES[target],
        runtime=", ".join(dict.fromkeys(known) if known else runtimes),
        rows=tuple(_artifact_row(record) for record in records),
        unavailable="" if records else unavailable[target],
    )


def _artifact_row(record: BenchmarkRecord) -> ArtifactRow:
    parity = record.parity
    return ArtifactRow(
        precision=scheme_name(record),
        tower=record.artifact.tower,
        size=formatting.megabytes(record.artifact.model_size_bytes),
        cosine_mean=formatting.cosine(parity.cosine_mean) if parity else formatting.UNKNOWN,
        cosine_min=formatting.cosine(parity.cosine_min) if parity else formatting.UNKNOWN,
        verdict="not checked" if parity is None else "pass" if parity.passed else "fail",
        passed=parity is not None and parity.passed,
        misses=_shortened(parity.failures) if parity else "",
        timings=formatting.timings(record) if record.rankable else None,
        instead=_instead(record),
        failed=record.status is Status.FAILED,
    )


def _instead(record: BenchmarkRecord) -> str:
    """What stands in the place of times."""
    if record.status is Status.FAILED:
        return f"failed: {record.reason}"
    if record.invalid:
        codes = ", ".join(dict.fromkeys(str(each.code) for each in record.invalid))
        return f"invalid run ({codes}): not ranked, see below"
    if record.instructions is not None:
        count = summarize_counts(record.instructions.per_inference).per_inference
        return f"{device_tables.millions(count)} million instructions per inference, on an emulated core"
    if record.device.kind == DeviceKind.EMULATED:
        return "emulated: its time means nothing"
    return f"not timed ({record.reason})"


def _shortened(failures: Sequence[str]) -> str:
    """The first failure; the list above the table has them all."""
    if len(failures) < 2:
        return "".join(failures)
    return f"{failures[0]}, and {len(failures) - 1} more"


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
            f"The device was busy when {len(busy)} of {len(launches)} launches began "
            f"(load up to {max(busy):.1f}): latencies may be too high."
        )
    restless = sum(not launch.warmup_stationary for _, launch in launches)
    if restless:
        cautions.append(f"{restless} of {len(launches)} launches had not settled when their warm-up reached its limit.")
    if records and records[0].device.kind == DeviceKind.EMULATED:
        cautions.append("This device is emulated: its latencies say nothing about a real one.")
    return tuple(cautions)


def _comparison(selection: ModelSelection, device: str, material: Material, caption: str) -> tuple[Table | None, str]:
    """The table against the baseline, and a sentence where one was asked for and there is nothing to compare."""
    baseline = material.baseline
    if baseline is None:
        return None, ""
    compared = compare_device(baseline, selection, device, material.benchmarks)
    found = device_tables.comparison_table(compared, caption)
    missing = (
        f"Nothing to compare with {baseline.tag} on {device}: no artefact has valid records with and without the tag."
    )
    return found, "" if found else missing


def _scatter(selection: ModelSelection, device: str, caption: str) -> Figure | None:
    pairs = selection.pairs(device)
    judged = [each for each in rank(pairs) if each.pair.accuracy is not None and not each.pair.failed]
    pictures = _both_widths(lambda width: draw_scatter(pairs, pytorch(selection), width))
    if not pictures:
        return None
    return Figure(
        "Accuracy against latency",
        pictures,
        f"{caption}. Up and to the left is better; the accuracy axis does not start at zero. A ring: on the Pareto "
        "front of accuracy, latency and size. Shape and colour: target (circle ONNX, square Core ML, triangle "
        "ExecuTorch, diamond TFLite); hollow: floating point, filled: integers. Bars: 95 % intervals.",
        "The points in words",
        tuple(describe_point(standing) for standing in judged),
    )


def _distributions(records: Sequence[BenchmarkRecord], caption: str) -> Figure | None:
    pictures = _both_widths(lambda width: draw_distributions(records, width))
    if not pictures:
        return None
    return Figure(
        "How much latency varies",
        pictures,
        f"{caption}. One box per process launch: middle half of the inferences, tick at the median, whiskers from the "
        "5th to the 95th percentile. Boxes of one artefact that do not line up differ between launches, which averages "
        "hide.",
    )


def _sustained(record: BenchmarkRecord, caption: str) -> Figure:
    launch = record.sustained
    assert launch is not None
    minutes = summarize_minutes(launch)
    remarks = " Clock and temperature are those at the end of each minute."
    untold = [
        name
        for name, told in (
            ("clock", any(minute.clock_khz is not None for minute in minutes)),
            ("temperature", any(minute.temperature_celsius is not None for minute in minutes)),
        )
        if not told
    ]
    if untold:
        remarks = f" The device does not tell its {' or '.join(untold)}."
    if record.invalid:
        remarks += " This run is invalid: see the reasons below."
    return Figure(
        f"Sustained: {artifact_name(record)}",
        _both_widths(lambda width: draw_sustained(launch, record.artifact.target, width)),
        f"{caption}: {trend(minutes)}.{remarks}",
        "The minutes in words",
        tuple(describe_minute(minute) for minute in minutes),
    )


def _both_widths(draw: Callable[[int], str | None]) -> tuple[str, ...]:
    return tuple(drawn for width in (WIDE, NARROW) if (drawn := draw(width)))


def _threads(records: Sequence[BenchmarkRecord]) -> str:
    counts = sorted({record.settings.threads for record in records})
    if len(counts) == 1:
        return threads_name(records[0].settings)
    return f"{' or '.join(str(count) for count in counts)} threads"
