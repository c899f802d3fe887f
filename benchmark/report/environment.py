"""The environment of a report: each device, its software, and the command for measuring."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pocketclip.benchmark.records.benchmark import CPU, BenchmarkRecord, LoadMode, age_key
from pocketclip.benchmark.report.names import DeviceLabels
from pocketclip.benchmark.report.page import Environment
from pocketclip.benchmark.statistics.formatting import UNKNOWN


def environments(records: Sequence[BenchmarkRecord], labels: DeviceLabels) -> tuple[Environment, ...]:
    """One for each device, by its latest record."""
    aged = sorted(records, key=lambda item: age_key(item.created_at))
    latest = {labels.of(record.device): record for record in aged}
    return tuple(
        _environment(label, record, [each for each in records if labels.of(each.device) == label])
        for label, record in latest.items()
    )


def _environment(label: str, latest: BenchmarkRecord, records: Sequence[BenchmarkRecord]) -> Environment:
    device = latest.device
    memory = f"{device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes is not None else UNKNOWN
    runtimes = sorted({record.runtime.version for record in records if record.runtime.version})
    accelerators = sorted(
        {
            f"{record.runtime.accelerator_requested} requested, {record.runtime.accelerator_observed or 'not'} observed"
            for record in records
            if record.launches
        }
    )
    agents = sorted({record.agent_sha256[:12] for record in records if record.agent_sha256})
    chip = f"{device.soc}, " if device.soc else ""
    facts = (
        ("Device", f"{label} ({device.kind})"),
        ("System", device.os),
        ("Processor", f"{chip}{device.cpu}, {device.machine}, {device.logical_cores} logical cores"),
        ("Instruction sets", ", ".join(device.isa) or UNKNOWN),
        ("Memory", memory),
        ("Runtimes", ", ".join(runtimes) or UNKNOWN),
        ("Accelerator", "; ".join(accelerators) or UNKNOWN),
        ("PocketCLIP", ", ".join(sorted({record.tool_version for record in records}))),
        ("Agent", ", ".join(agents) or UNKNOWN),
    )
    return Environment(label, facts, _command(latest))


def _command(record: BenchmarkRecord) -> str:
    settings = record.settings
    command = (
        f"pocketclip bench --device {shlex.quote(record.device.name)} --artifact artifacts "
        f"--threads {settings.threads} --iterations {settings.iterations} --launches {settings.launches}"
    )
    if settings.minimum_seconds:
        command += f" --min-seconds {settings.minimum_seconds:g}"
    if settings.accelerator != CPU:
        command += f" --accelerator {settings.accelerator}"
    if settings.load_mode is not LoadMode.FILE:
        command += f" --load-mode {settings.load_mode}"
    if settings.cores is not None:
        command += f" --cores {','.join(map(str, settings.cores))}"
    if settings.until_share is not None:
        command += f" --until {settings.until_share!r}"
    if settings.budget_seconds is not None:
        command += f" --budget {_duration(settings.budget_seconds)}"
    if settings.sustained_seconds is not None:
        command += f" --sustained {_duration(settings.sustained_seconds)}"
    return command


def _duration(seconds: float) -> str:
    # In figures alone: the options take no exponents.
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
