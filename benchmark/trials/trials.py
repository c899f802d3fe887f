"""The trials: two sides in launches that take turns, as `bench` measures artefacts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from pocketclip.benchmark.devices import HostDevice
from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.measuring.measurement import Measurement
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, RunSettings
from pocketclip.benchmark.runners.agent_archive import build_agent, build_slowed_agent
from pocketclip.benchmark.runners.agent_runner import Runner
from pocketclip.benchmark.runners.worker_call import call_worker
from pocketclip.benchmark.statistics.summaries import launch_interval
from pocketclip.benchmark.statistics.verdicts import Comparison, compare_records
from pocketclip.export import targets
from pocketclip.export.artifact.reading import Artifact


@dataclass(frozen=True)
class TrialSettings:
    """How each side is measured."""

    launches: int = 8
    iterations: int = 100
    timeout_seconds: float = 300.0


@dataclass(frozen=True)
class PlantedTrial:
    """A comparison with a side that was slowed on purpose, and how long it took."""

    comparison: Comparison
    seconds: float


@dataclass(frozen=True)
class Spread:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float


def same_trials(artifact: Artifact, settings: TrialSettings, comparisons: int) -> Iterator[Comparison]:
    """Compares an artefact with itself, so that every verdict but `cannot tell` is false."""
    device = HostDevice()
    for _ in range(comparisons):
        yield _judge(*_measure(artifact, settings, (device, device)))


def planted_trial(artifact: Artifact, settings: TrialSettings, slowdown: float) -> PlantedTrial:
    """Compares an artefact with itself under an agent whose inferences take `slowdown` longer, as a share."""
    started = time.monotonic()
    sides = _measure(artifact, settings, (HostDevice(), HostDevice(agent=build_slowed_agent(slowdown))))
    return PlantedTrial(_judge(*sides), time.monotonic() - started)


def compare_with_bare_loop(artifact: Artifact, settings: TrialSettings, pairs: int) -> Spread:
    """The agent's median latency over that of a bare loop around the same runtime, in processes that take turns.

    Raises:
        MeasurementError: the loop fails.
    """
    ratios: list[float] = []
    measurement = _measurement(artifact, settings)
    with HostDevice(agent=build_agent()).open_runner() as runner:
        for turn in range(pairs):
            bare_first = turn % 2 == 0
            bare = _bare_loop(artifact, settings) if bare_first else 0.0
            measurement.launch(runner)
            if measurement.failed is not None:
                raise MeasurementError(measurement.failed)
            if not bare_first:
                bare = _bare_loop(artifact, settings)
            ratios.append(statistics.median(measurement.launches[-1].steady_ns) / bare)
    low, high = launch_interval(ratios) or (min(ratios), max(ratios))
    return Spread(statistics.median(ratios), low, high)


def _measure(
    artifact: Artifact, settings: TrialSettings, devices: tuple[HostDevice, HostDevice]
) -> tuple[BenchmarkRecord, BenchmarkRecord]:
    with ExitStack() as stack:
        runners: list[Runner] = [stack.enter_context(device.open_runner()) for device in devices]
        sides = [_measurement(artifact, settings) for _ in devices]
        for turn in range(settings.launches):
            for place in (0, 1) if turn % 2 == 0 else (1, 0):
                sides[place].launch(runners[place])
        first, second = (side.record(runner) for side, runner in zip(sides, runners, strict=True))
    return first, second


def _measurement(artifact: Artifact, settings: TrialSettings) -> Measurement:
    run = RunSettings(iterations=settings.iterations, launches=settings.launches)
    return Measurement(artifact, HostDevice().facts(), run, settings.timeout_seconds, tag="trial")


def _judge(baseline: BenchmarkRecord, candidate: BenchmarkRecord) -> Comparison:
    # A trial is about noise: what the gates would leave out belongs to it. The records still say that they are unfit.
    return compare_records(baseline, candidate, allow_invalid=True)


def _bare_loop(artifact: Artifact, settings: TrialSettings) -> float:
    """The median of a loop that does nothing but call the runtime, in a process of its own."""
    manifest = artifact.manifest
    golden = manifest.golden.inputs
    job = {
        "runtime": targets.runtime_name(manifest.target),
        "model": str(artifact.folder / manifest.entry_point),
        "inputs": str(artifact.folder / golden.file),
        "dtype": golden.dtype,
        "shape": golden.shape,
        "iterations": settings.iterations,
    }
    median = call_worker(
        "pocketclip.benchmark.trials.bare_loop",
        job,
        what="the bare loop",
        error=MeasurementError,
        timeout_seconds=settings.timeout_seconds,
        hint="try fewer --iterations",
    )
    return float(median)
