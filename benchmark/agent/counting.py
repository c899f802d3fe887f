"""`python counting.pyz JOB RESULT`: infers a stated number of times, with a mark around each, under a counter.

The counter (see `benchmark/arm64/count.c`) notes the instructions up to each mark, so that what Python, the
runtime's import and the load take plays no part, nor what checks the outputs.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys

import numpy as np

from pocketclip.benchmark.agent.__main__ import main
from pocketclip.benchmark.agent.measurement import (
    JobFailure,
    check_job,
    import_runtime,
    load,
    read_samples,
    runtime_version,
    worded,
    write_outputs,
)
from pocketclip.export import runtimes

# A file descriptor that no program has open: closing it does nothing, and the counter sees it.
MARK = 0x504B4350

_FIELDS = ("runtime", "model_path", "inputs", "rows", "threads", "inferences", "every_sample", "outputs_path")


def count(job: dict) -> dict:
    """Runs a job and returns the result's fields; the samples are taken in turn.

    Raises:
        JobFailure: as `benchmark.agent.measurement.measure`.
    """
    check_job(job, _FIELDS)
    samples = read_samples(job["inputs"], job["rows"])
    import_runtime(job["runtime"])
    session = load(job["runtime"], job["model_path"], job["threads"])
    outputs = []
    gc.collect()
    # A collection inside an inference would count as the model's.
    gc.disable()
    for inference in range(job["inferences"]):
        index = inference % len(samples)
        results = _finite(_marked(session, samples[index]), index)
        if len(outputs) < len(samples):
            outputs.append(np.asarray(results[0]))
    gc.enable()
    if job["every_sample"]:
        for index in range(len(outputs), len(samples)):
            outputs.append(np.asarray(_finite(_run(session, samples[index]), index)[0]))
    return {
        "runtime_version": runtime_version(job["runtime"]),
        "outputs": write_outputs(job["outputs_path"], outputs),
    }


def _marked(session: runtimes.Session, sample: list) -> list:
    # Between the marks is the inference alone: no call of ours besides.
    run = session.run
    try:
        _mark()
        results = run(sample)
        _mark()
    except Exception as error:
        raise JobFailure("inference-failed", worded(error)) from error
    return results


def _run(session: runtimes.Session, sample: list) -> list:
    try:
        return session.run(sample)
    except Exception as error:
        raise JobFailure("inference-failed", worded(error)) from error


def _finite(results: list, index: int) -> list:
    for position, result in enumerate(results):
        if not np.isfinite(result).all():
            raise JobFailure("non-finite-output", f"output {position} holds NaN or infinity for sample {index}")
    return results


def _mark() -> None:
    with contextlib.suppress(OSError):
        os.close(MARK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], count))
