"""How `bench` measures: the options, checked when they are given, and the plan that they make on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.records.fields import MOST_SECONDS
from pocketclip.models.untrusted.numbers import MOST_COUNT

if TYPE_CHECKING:
    from pocketclip.benchmark.devices import Device
    from pocketclip.benchmark.measuring.plan import BenchmarkPlan
    from pocketclip.benchmark.records.benchmark import LoadMode, RunSettings
    from pocketclip.export.artifact import reading

_COUNTS = ("iterations", "launches")
# The least seconds of each.
_SECONDS = {"min_seconds": 0.0, "cooldown": 0.0, "timeout": 1.0, "wait": 0.0}


@dataclass(frozen=True)
class BenchOptions:
    """How artefacts are measured. Each field is the `pocketclip bench` option of the same name.

    `threads` takes a number, several, or the command line's words such as `1,2,all`; `cores` likewise, e.g. `4-7` or
    `range(4, 8)`. `until` is a share, e.g. `0.01` or `1%`. `budget` and `sustained` are durations: seconds, a
    `timedelta`, or words such as `10m`. `cooldown`, `timeout`, `wait` and `min_seconds` are seconds.

    Raises:
        OptionError: a value is outside its range; what depends on the device is checked by `bench`.
    """

    threads: str | int | Sequence[str | int] = "1"
    cores: str | int | Sequence[str | int] | None = None
    iterations: int = 100
    accelerator: str | None = None
    load_mode: LoadMode | str = "file"
    min_seconds: float = 0.0
    launches: int = 5
    until: str | float | None = None
    budget: str | float | timedelta = "10m"
    sustained: str | float | timedelta | None = None
    cooldown: float = 30.0
    profile: bool = False
    tag: str | None = None
    timeout: float = 300.0
    wait: float = 0.0
    app: str | Path | None = None
    devices: str | Path | None = None

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_COUNT:
                raise OptionError(f"{_option(name)} takes a whole number from 1 to 2**53 - 1, got {value!r}")
        for name, least in _SECONDS.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not least <= value <= MOST_SECONDS:
                raise OptionError(
                    f"{_option(name)} takes a number of seconds from {least:g} to {MOST_SECONDS:,.0f}, got {value!r}"
                )


def make_plan(artifacts: Sequence[reading.Artifact], device: Device, options: BenchOptions) -> BenchmarkPlan:
    """What to measure, in the terms of a device.

    Raises:
        OptionError: a value is not allowed, or the device has no such core.
    """
    from pocketclip.benchmark.measuring.plan import BenchmarkPlan

    return BenchmarkPlan(
        artifacts=tuple(artifacts),
        settings=tuple(device.settings(each) for each in run_settings(options, device.facts().logical_cores)),
        timeout_seconds=options.timeout,
        cooldown_seconds=options.cooldown,
        profile=options.profile,
        tag=options.tag,
    )


def run_settings(options: BenchOptions, logical_cores: int) -> tuple[RunSettings, ...]:
    """The settings of the options for each number of threads, on a machine with so many cores.

    Raises:
        OptionError: a value is not allowed, or there is no such core.
    """
    from pocketclip.benchmark.measuring.option_values import (
        parse_accelerator,
        parse_cores,
        parse_duration_s,
        parse_share,
        parse_threads,
    )
    from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, LoadMode, RunSettings
    from pocketclip.models.errors import choices

    if options.load_mode not in tuple(LoadMode):
        raise OptionError(f"--load-mode {options.load_mode!r} is unknown", fix=f"choose among: {choices(LoadMode)}")
    until = None if options.until is None else parse_share("--until", options.until)
    settings = RunSettings(
        iterations=options.iterations,
        minimum_seconds=options.min_seconds,
        launches=options.launches,
        cores=None if options.cores is None else parse_cores(options.cores, logical_cores),
        until_share=until,
        budget_seconds=None if until is None else parse_duration_s("--budget", options.budget),
        sustained_seconds=None if options.sustained is None else parse_duration_s("--sustained", options.sustained),
        accelerator=parse_accelerator(options.accelerator) if options.accelerator else DEVICE_DEFAULT,
        load_mode=LoadMode(options.load_mode),
    )
    return tuple(replace(settings, threads=each) for each in parse_threads(options.threads, logical_cores))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
