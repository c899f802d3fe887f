"""`python -m pocketclip.benchmark.trials.bare_loop`: a loop that only calls the runtime; prints the median in ns.

What the measuring agent adds to an inference is found by comparing it with this.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from pocketclip.export import runtimes

_WARMUP = 40


def median_ns(job: dict[str, Any]) -> int:
    """The median of `iterations` inferences, after some to warm up, on one thread.

    `inputs` is a file of raw values of `dtype` and `shape`, first axis samples, taken in turn.
    """
    samples = np.fromfile(job["inputs"], job["dtype"]).reshape(job["shape"])
    session = runtimes.open_session(job["runtime"], job["model"], 1)
    times: list[int] = []
    for index in range(_WARMUP + job["iterations"]):
        sample = samples[index % len(samples)][None]
        started = time.perf_counter_ns()
        session.run([sample])
        times.append(time.perf_counter_ns() - started)
    return sorted(times[_WARMUP:])[job["iterations"] // 2]


if __name__ == "__main__":
    print(median_ns(json.load(sys.stdin)))
