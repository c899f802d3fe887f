"""Starts the processes that time files in turn."""

from __future__ import annotations

import itertools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.perf.comparison_records import PerfRecord
from pocketclip.benchmark.runners.worker_call import call_worker
from pocketclip.export.runtimes import runtime_version


@dataclass(frozen=True)
class TimingSettings:
    """`processes` times the whole; in each, `warmup` rounds are thrown away and `rounds` kept.

    A file's turn begins with `untimed` inferences, so that its weights are in the processor's caches again.
    """

    processes: int = 7
    warmup: int = 3
    rounds: int = 16
    untimed: int = 0
    timeout_seconds: float = 600.0


@dataclass(frozen=True)
class TimedGroup:
    """Files of one runtime and tower, by label, and an input of each."""

    model: str
    tower: str
    runtime: str
    flops: int
    files: dict[str, Path]
    inputs: dict[str, np.ndarray]


def time_group(group: TimedGroup, settings: TimingSettings) -> PerfRecord:
    """Times a group in several processes.

    Raises:
        MeasurementError: a process died, hung or gave nothing.
    """
    samples: list[tuple[tuple[int, ...], ...]] = []
    rates: list[float] = []
    with tempfile.TemporaryDirectory(prefix="pocketclip-perf-") as scratch:
        inputs = [str(Path(scratch) / f"input-{place}.npy") for place in range(len(group.files))]
        for path, label in zip(inputs, group.files, strict=True):
            np.save(path, group.inputs[label])
        paths = [str(path) for path in group.files.values()]
        job = {
            "runtime": group.runtime,
            "warmup": settings.warmup,
            "rounds": settings.rounds,
            "untimed": settings.untimed,
        }
        # Each process has the files in another order: where one lies in memory, and which one runs before it (wide
        # integer products lower the clock), must not decide.
        for order in itertools.islice(itertools.cycle(itertools.permutations(range(len(paths)))), settings.processes):
            ordered = {"files": [paths[place] for place in order], "inputs": [inputs[place] for place in order]}
            result = _run_process({**job, **ordered}, group, settings.timeout_seconds)
            rows = dict(zip(order, result["samples_ns"], strict=True))
            samples.append(tuple(tuple(rows[place]) for place in range(len(paths))))
            rates.append(result["gemm_flops_per_second"])
    return PerfRecord(
        group.model,
        group.tower,
        group.runtime,
        runtime_version(group.runtime),
        group.flops,
        tuple(group.files),
        tuple(samples),
        tuple(rates),
    )


def _run_process(job: dict[str, object], group: TimedGroup, timeout: float) -> dict[str, Any]:
    what = f"timing {group.model} {group.tower} with {group.runtime}"
    line = call_worker(
        "pocketclip.benchmark.perf.timing_worker",
        job,
        what=what,
        error=MeasurementError,
        timeout_seconds=timeout,
        hint="try fewer --rounds",
    )
    return json.loads(line)
