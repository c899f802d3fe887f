"""Profiles one model in a process of its own: a job on stdin, the profile as JSON on the last line of stdout."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np

from pocketclip.benchmark.errors import BenchmarkError
from pocketclip.benchmark.records.profile import OpProfile
from pocketclip.models import documents

# runtime -> module with `profile(model, samples, *, threads, warmup)`
PROFILERS: dict[str, str] = {
    "onnxruntime": "pocketclip.benchmark.profiling.onnxruntime_profile",
    "executorch": "pocketclip.benchmark.profiling.executorch_profile",
    "litert": "pocketclip.benchmark.profiling.litert_profile",
}


def run(job: dict[str, Any]) -> OpProfile:
    """The profile of a job: `runtime`, `model`, `inputs` (a `.npy` file of samples), `threads`, `warmup`, `inferences`.

    Raises:
        ProfilingError: the runtime's profiler cannot be used.
    """
    stored = np.load(job["inputs"])
    total = job["warmup"] + job["inferences"]
    samples = [stored[index % len(stored)][None] for index in range(total)]
    profiler = importlib.import_module(PROFILERS[job["runtime"]])
    return profiler.profile(job["model"], samples, threads=job["threads"], warmup=job["warmup"])


def main() -> int:
    """Runs the job on stdin; returns 1 where it cannot be profiled, with the reason on the last line of stderr."""
    try:
        found = run(json.load(sys.stdin))
    except BenchmarkError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    # Runtimes print on stdout too: what counts is the last line.
    print("\n" + json.dumps(documents.to_builtin(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
