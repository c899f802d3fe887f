"""Times several model files of one runtime in turn, in a process of its own: a job on stdin, a result on stdout."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from pocketclip.export import runtimes


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Samples of each file of a job, in nanoseconds, and the rate of the processor's matrix products.

    Args:
        job: `runtime`, `files`, `inputs` (a `.npy` file with one input for each of them), `warmup`,
            `rounds` and `untimed`. In every other round the files run in the opposite order.
    """
    inputs = [[np.load(path)] for path in job["inputs"]]
    sessions = [runtimes.open_session(job["runtime"], path, threads=1) for path in job["files"]]
    samples: list[list[int]] = [[] for _ in sessions]
    places = range(len(sessions))
    for current in range(job["warmup"] + job["rounds"]):
        for place in places if current % 2 == 0 else reversed(places):
            for _ in range(job["untimed"]):
                sessions[place].run(inputs[place])
            started = time.perf_counter_ns()
            sessions[place].run(inputs[place])
            elapsed = time.perf_counter_ns() - started
            if current >= job["warmup"]:
                samples[place].append(elapsed)
    return {"samples_ns": samples, "gemm_flops_per_second": gemm_rate()}


def gemm_rate(size: int = 1024, attempts: int = 8) -> float:
    """Floating-point operations per second of one thread in a large product of single precision: the best of some."""
    import torch

    torch.set_num_threads(1)
    left, right = torch.rand(size, size), torch.rand(size, size)
    best = float("inf")
    for _ in range(attempts):
        started = time.perf_counter_ns()
        torch.mm(left, right)
        best = min(best, time.perf_counter_ns() - started)
    return 2 * size**3 / (best / 1e9)


if __name__ == "__main__":
    outcome = measure(json.load(sys.stdin))
    # Runtimes print on stdout too: what counts is the last line.
    print("\n" + json.dumps(outcome))
