"""What the page says: records turned into worded cells, so that the template holds layout alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark import formatting
from benchmark.accuracy_records import AccuracyRecord, RetrievalRecord
from benchmark.records import BenchmarkRecord, Status
from benchmark.report.accuracy_table import accuracy_tables, retrieval_tables
from benchmark.report.distributions import draw_distributions
from benchmark.report.page import (
    TARGET_NAMES,
    ArtifactRow,
    DeviceSection,
    Environment,
    ModelSection,
    Report,
    TargetGroup,
    Tile,
)
from benchmark.report.scatter import describe_point, draw_scatter
from benchmark.report.selection import (
    ModelSelection,
    Pair,
    is_alarming,
    select,
)
from export.precision import TargetName

WIDE, NARROW = 960, 342


def build_report(
    benchmarks: Sequence[BenchmarkRecord],
    accuracies: Sequence[AccuracyRecord],
    unavailable: Mapping[TargetName, str],
    retrievals: Sequence[RetrievalRecord] = (),
) -> Report:
    """Words the latest records; `unavailable` maps targets that cannot be used here to reason and remedy.

    Raises:
        ReportError: there are no records.
    """
    selections = select(benchmarks, accuracies, retrievals)
    shown = [record for selection in selections for record in selection.benchmarks]
    judged = [record for each in selections for record in (*each.accuracies, *each.retrievals)]
    return Report(
        models=tuple(_model_section(selection, unavailable) for selection in selections),
        environments=_environments(shown),
        newest=max(record.created_at for record in (*shown, *judged))[:16].replace("T", " ") + " UTC",
    )


def _model_section(selection: ModelSelection, unavailable: Mapping[TargetName, str]) -> ModelSection:
    return ModelSection(
        name=selection.model,
        anchor="".join(letter if letter.isalnum() else "-" for letter in selection.model),
        tiles=_tiles(selection),
        alarms=_alarms(selection),
        devices=tuple(_device_section(selection, device, unavailable) for device in selection.devices),
        accuracy_tables=accuracy_tables(selection.accuracies),
        retrieval_tables=retrieval_tables(selection.retrievals),
        older_weights=selection.older_weights,
    )


def _tiles(selection: ModelSelection) -> tuple[Tile, ...]:
    tiles: list[Tile] = []
    baseline = _baseline(selection)
    exported = [record.accuracy for record in selection.headline if record.target is not None]
    if baseline is not None or exported:
        reach = f"exported {_range_of(exported)}" if exported else "no exported pair judged yet"
        if baseline is not None:
            detail = f"zero-shot on {baseline.dataset}, PyTorch; {reach}; chance {formatting.percent(baseline.chance)}"
            tiles.append(Tile("Accuracy", formatting.percent(baseline.accuracy), detail))
        else:
            tiles.append(Tile("Accuracy", formatting.percent(max(exported)), f"best exported pair; {reach}"))
    proofs = [record for record in selection.benchmarks if record.parity is not None]
    if proofs:
        kept = sum(record.parity is not None and record.parity.passed for record in proofs)
        tiles.append(
            Tile(
                "Parity",
                f"{kept} of {len(proofs)}",
                "artefacts agree with PyTorch within their budget",
                alarm=kept < len(proofs),
            )
        )
    sound = [pair for device in selection.devices for pair in selection.pairs(device) if pair.sound]
    timed = [(latency, pair) for pair in sound if (latency := pair.latency_ns) is not None]
    if timed:
        latency, fastest = min(timed, key=lambda item: item[0])
        where = fastest.image.device.name
        detail = f"{_pair_name(fastest)} on {where}: image + text, p50"
        tiles.append(Tile("Fastest sound pair", formatting.milliseconds(latency), detail))
    if sound:
        smallest = min(sound, key=lambda pair: pair.size_bytes)
        tiles.append(
            Tile(
                "Smallest sound pair",
                formatting.megabytes(smallest.size_bytes),
                f"{_pair_name(smallest)}: both model files",
            )
        )
    return tuple(tiles)


def _alarms(selection: ModelSelection) -> tuple[str, ...]:
    alarms = [
        f"{_artifact_name(record)} failed on {record.device.name}: {record.reason}"
        for record in selection.benchmarks
        if record.status is Status.FAILED
    ]
    alarms += [
        f"{_artifact_name(record)} misses its parity budget: {'; '.join(record.parity.failures)}"
        for record in selection.benchmarks
        if record.parity is not None and not record.parity.passed
    ]
    alarms += [
        f"{TARGET_NAMES[record.target]} {record.precision} loses {record.cost.drop_points:.2f} points of accuracy"
        f" on {record.dataset}"
        for record in selection.accuracies
        if record.target is not None and record.cost is not None and is_alarming(record)
    ]
    return tuple(dict.fromkeys(alarms))


def _device_section(selection: ModelSelection, device: str, unavailable: Mapping[TargetName, str]) -> DeviceSection:
    records = selection.on_device(device)
    facts = records[-1].device
    pairs = selection.pairs(device)
    judged = tuple(pair for pair in pairs if pair.accuracy is not None and not pair.failed)
    scatter = [draw_scatter(pairs, _baseline(selection), width) for width in (WIDE, NARROW)]
    distributions = [draw_distributions(records, width) for width in (WIDE, NARROW)]
    return DeviceSection(
        facts=facts,
        caption=f"{selection.model} on {device} ({facts.cpu}, {_threads(records)})",
        groups=tuple(
            group
            for target in TargetName
            if (group := _target_group(target, [r for r in records if r.artifact.target is target], unavailable))
        ),
        scatter=tuple(drawn for drawn in scatter if drawn),
        scatter_points=tuple(describe_point(pair) for pair in judged),
        distributions=tuple(drawn for drawn in distributions if drawn),
        cautions=_cautions(records),
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
    measured = record.status is Status.MEASURED
    failed = record.status is Status.FAILED
    threads = record.settings.threads
    return ArtifactRow(
        precision=record.artifact.precision + (f" ({threads} threads)" if threads > 1 else ""),
        tower=record.artifact.tower,
        size=formatting.megabytes(record.artifact.model_size_bytes),
        cosine_mean=formatting.cosine(parity.cosine_mean) if parity else formatting.UNKNOWN,
        cosine_min=formatting.cosine(parity.cosine_min) if parity else formatting.UNKNOWN,
        verdict="not checked" if parity is None else "pass" if parity.passed else "fail",
        passed=parity is not None and parity.passed,
        misses=_shortened(parity.failures) if parity else "",
        timings=formatting.timings(record) if measured else None,
        instead=f"failed: {record.reason}" if failed else f"not timed ({record.reason})",
        failed=failed,
    )


def _shortened(failures: Sequence[str]) -> str:
    """The first failure; the list above the table has them all."""
    if len(failures) < 2:
        return "".join(failures)
    return f"{failures[0]}, and {len(failures) - 1} more"


def _cautions(records: Sequence[BenchmarkRecord]) -> tuple[str, ...]:
    launches = [(record, launch) for record in records for launch in record.launches]
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
    if records and records[0].device.kind == "emulated":
        cautions.append("This device is emulated: its latencies say nothing about a real one.")
    return tuple(cautions)


def _environments(records: Sequence[BenchmarkRecord]) -> tuple[Environment, ...]:
    latest = {record.device.name: record for record in sorted(records, key=lambda item: item.created_at)}
    return tuple(_environment(record, [r for r in records if r.device.name == name]) for name, record in latest.items())


def _environment(latest: BenchmarkRecord, records: Sequence[BenchmarkRecord]) -> Environment:
    device, settings = latest.device, latest.settings
    memory = f"{device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes is not None else formatting.UNKNOWN
    runtimes = sorted({record.runtime.version for record in records if record.runtime.version})
    accelerators = sorted(
        {
            f"{record.runtime.accelerator_requested} requested, {record.runtime.accelerator_observed or 'not'} observed"
            for record in records
            if record.launches
        }
    )
    agents = sorted({record.agent_sha256[:12] for record in records if record.agent_sha256})
    command = (
        f"bench --device {device.name} --artifact artifacts --threads {settings.threads} "
        f"--iterations {settings.iterations} --launches {settings.launches}"
    )
    if settings.minimum_seconds:
        command += f" --min-seconds {settings.minimum_seconds:g}"
    facts = (
        ("Device", f"{device.name} ({device.kind})"),
        ("System", device.os),
        ("Processor", f"{device.cpu}, {device.machine}, {device.logical_cores} logical cores"),
        ("Instruction sets", ", ".join(device.isa) or formatting.UNKNOWN),
        ("Memory", memory),
        ("Runtimes", ", ".join(runtimes) or formatting.UNKNOWN),
        ("Accelerator", "; ".join(accelerators) or formatting.UNKNOWN),
        ("PocketCLIP", ", ".join(sorted({record.tool_version for record in records}))),
        ("Agent", ", ".join(agents) or formatting.UNKNOWN),
    )
    return Environment(facts, command)


def _baseline(selection: ModelSelection) -> AccuracyRecord | None:
    return next((record for record in selection.headline if record.target is None), None)


def _pair_name(pair: Pair) -> str:
    return f"{TARGET_NAMES[pair.target]} {pair.precision}"


def _artifact_name(record: BenchmarkRecord) -> str:
    artifact = record.artifact
    return f"{TARGET_NAMES[artifact.target]} {artifact.precision} {artifact.tower}"


def _threads(records: Sequence[BenchmarkRecord]) -> str:
    counts = sorted({record.settings.threads for record in records})
    return "1 thread" if counts == [1] else f"{' or '.join(str(count) for count in counts)} threads"


def _range_of(shares: Sequence[float]) -> str:
    low, high = 100 * min(shares), 100 * max(shares)
    return f"{high:.1f} %" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f} %"
