"""One measurement: import, cold load, first inference, warm-up, steady state, warm load, each timed apart.

Every inference gets a real input (the golden inputs, in turn) and every output is checked to be finite,
outside the timed section. No sample is dropped.
"""

from __future__ import annotations

import datetime
import gc
import hashlib
import os
import statistics
from importlib import metadata
from time import perf_counter_ns, time_ns
from typing import Any, Callable, Optional, Sequence

import numpy as np

from pocketclip.benchmark.agent import machine, memory
from pocketclip.export import runtimes

JOB_VERSION = 4
# What the runtimes' Python packages are opened with here.
ACCELERATOR, LOAD_MODE = "cpu", "file"
# Runtimes that may be told what to run on: the option of their session, and what it takes.
_CHOOSING = {"coreml": ("units", runtimes.COMPUTE_UNITS), "coreai": ("accelerator", runtimes.SPECIALIZATIONS)}
_MINUTE_NS = 60 * 10**9
_FIELDS = (
    "runtime",
    "model_path",
    "inputs",
    "threads",
    "warmup",
    "iterations",
    "minimum_seconds",
    "sustained_seconds",
    "cores",
    "accelerator",
    "load_mode",
    "outputs_path",
)


class JobFailure(Exception):
    """The job cannot be measured; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def measure(job: dict) -> dict:
    """Runs a job and returns the result's fields.

    Raises:
        JobFailure: `bad-job`, `accelerator-missing`, `runtime-missing`, `load-failed`, `inference-failed` or
            `non-finite-output`.
    """
    check_job(job, _FIELDS)
    _check_way(job)
    samples = read_samples(job["inputs"])
    runtime = job["runtime"]
    clocks = time_ns(), perf_counter_ns()
    # Before the runtime is imported: it asks once how many cores there are.
    _keep_to_cores(job["cores"])
    before = machine.state()
    launch: dict = {
        "started_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "load_average": before["load_average"],
        "before": before,
    }
    launch["import_ns"] = _timed(lambda: import_runtime(runtime))[1]

    gc.collect()
    # Imports raise the peak on their own: what the model costs is counted from here.
    launch["peak_reset"] = memory.reset_peak()
    launch["baseline_bytes"] = memory.resident_bytes()
    launch["peak_before_load_bytes"] = memory.peak_bytes()

    launch["file_cache_dropped"] = machine.drop_file_cache(job["model_path"])
    session, launch["load_ns"] = _timed(lambda: load(runtime, job["model_path"], job["threads"], job["accelerator"]))
    launch["loaded_bytes"] = memory.resident_bytes()

    infer = _Inference(session, samples)
    # A collection inside an inference would count as the model's time.
    gc.disable()
    launch["first_inference_ns"] = infer()
    print("loaded; warming up", flush=True)
    launch["warmup_ns"], launch["warmup_stationary"] = _warm_up(infer, job["warmup"])
    print("measuring", flush=True)
    disturbance = machine.Disturbance()
    launch["steady_ns"] = _steady(infer, job["iterations"], job["minimum_seconds"])
    launch.update(disturbance.finish())
    launch["after"] = machine.state()
    # Between blocks an app looks at its phone, which heats up; here the state before and after is enough.
    launch["during"] = []
    launch["minutes"] = _sustain(infer, job["sustained_seconds"])
    gc.enable()

    launch["peak_bytes"] = memory.peak_bytes()
    launch["end_bytes"] = memory.resident_bytes()
    launch["proportional_bytes"] = memory.proportional_bytes()
    launch["file_mapped_bytes"] = memory.file_mapped_bytes()
    infer.finish_round()
    outputs = write_outputs(job["outputs_path"], infer.outputs)
    accelerator = getattr(session, "accelerator", None)
    # Only now: a second copy of the model must not count as memory of the first.
    again, launch["reload_ns"] = _timed(lambda: load(runtime, job["model_path"], job["threads"], job["accelerator"]))
    again.close()
    launch["clock_jump_ns"] = (time_ns() - clocks[0]) - (perf_counter_ns() - clocks[1])
    return {
        "runtime_version": runtime_version(runtime),
        "accelerator_observed": accelerator,
        "launch": launch,
        "outputs": outputs,
    }


class _Inference:
    """Runs the samples in turn; calling it times one inference in nanoseconds."""

    def __init__(self, session: runtimes.Session, samples: list) -> None:
        self._session = session
        self._samples = samples
        self._next = 0
        self.outputs: list[Optional[np.ndarray]] = [None] * len(samples)

    def __call__(self) -> int:
        index = self._next
        sample = self._samples[index]
        run = self._session.run
        try:
            started = perf_counter_ns()
            results = run(sample)
            elapsed = perf_counter_ns() - started
        except Exception as error:
            raise JobFailure("inference-failed", f"sample {index}: {worded(error)}") from error
        for position, result in enumerate(results):
            if not np.isfinite(result).all():
                raise JobFailure("non-finite-output", f"output {position} holds NaN or infinity for sample {index}")
        self.outputs[index] = np.asarray(results[0])
        self._next = (index + 1) % len(self._samples)
        return elapsed

    def finish_round(self) -> None:
        """Runs, untimed, the samples that no inference has met yet."""
        for index, output in enumerate(self.outputs):
            if output is None:
                self._next = index
                self()


def _warm_up(infer: Callable[[], int], rule: dict) -> tuple:
    """Infers until the medians of successive windows agree; returns the samples and whether they did."""
    window, wanted = rule["window_iterations"], rule["stable_windows"]
    taken: list[int] = []
    medians: list[float] = []
    spent_ns = 0
    while len(taken) < rule["maximum_iterations"] and spent_ns < rule["maximum_seconds"] * 1e9:
        batch = [infer() for _ in range(window)]
        taken += batch
        spent_ns += sum(batch)
        medians.append(statistics.median(batch))
        latest = medians[-wanted:]
        if (
            len(taken) >= rule["minimum_iterations"]
            and len(latest) == wanted
            and max(latest) <= min(latest) * (1 + rule["tolerance"])
        ):
            return taken, True
    return taken, False


def _steady(infer: Callable[[], int], iterations: int, minimum_seconds: float) -> list:
    taken: list[int] = []
    spent_ns = 0
    while len(taken) < iterations or spent_ns < minimum_seconds * 1e9:
        taken.append(infer())
        spent_ns += taken[-1]
    return taken


def _sustain(infer: Callable[[], int], seconds: Optional[float]) -> list:
    """Infers for that long; returns the samples of each minute with the machine's state at its end."""
    minutes: list[dict] = []
    if not seconds:
        return minutes
    ends = perf_counter_ns() + int(seconds * 1e9)
    while perf_counter_ns() < ends:
        minute_ends = min(ends, perf_counter_ns() + _MINUTE_NS)
        taken: list[int] = []
        while not taken or perf_counter_ns() < minute_ends:
            taken.append(infer())
        minutes.append({"steady_ns": taken, "after": machine.state()})
        print(f"sustained: minute {len(minutes)}", flush=True)
    return minutes


def _keep_to_cores(cores: Optional[list]) -> None:
    if cores is None:
        return
    try:
        machine.keep_to_cores(cores)
    except (OSError, ValueError) as error:
        raise JobFailure("bad-job", f"cannot bind to the cores {cores}: {worded(error)}") from error


def check_job(job: dict, wanted: Sequence[str]) -> None:
    """Whether a job has the version of this agent, the fields wanted and a runtime that exists; else `JobFailure`."""
    version = job.get("job_version") if isinstance(job, dict) else None
    if version != JOB_VERSION:
        raise JobFailure("bad-job", f"this agent takes jobs of version {JOB_VERSION}, got {version!r}")
    missing = [key for key in wanted if key not in job]
    if missing:
        raise JobFailure("bad-job", f"the job lacks {', '.join(missing)}")
    if job["runtime"] not in runtimes.RUNTIMES:
        known = ", ".join(runtimes.RUNTIMES)
        raise JobFailure("bad-job", f"no runtime is called {job['runtime']!r}; choose from {known}")


def _check_way(job: dict) -> None:
    offered = tuple(_CHOOSING[job["runtime"]][1]) if job["runtime"] in _CHOOSING else (ACCELERATOR,)
    if job["accelerator"] not in offered:
        raise JobFailure(
            "accelerator-missing",
            f"this agent supports only {', '.join(offered)}, got {job['accelerator']!r}",
        )
    if job["load_mode"] != LOAD_MODE:
        raise JobFailure("bad-job", f"this agent supports only load mode {LOAD_MODE}, got {job['load_mode']!r}")


def read_samples(files: list, rows: int = 1) -> list:
    """Raw little-endian files to a list of samples, each a list of arrays of so many rows in model order."""
    arrays = []
    for entry in files:
        try:
            dtype = np.dtype(entry["dtype"]).newbyteorder("<")
            array = np.fromfile(entry["path"], dtype).reshape(entry["shape"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise JobFailure("bad-job", f"cannot read the input {entry!r}: {worded(error)}") from error
        arrays.append(array.astype(dtype.newbyteorder("="), copy=False))
    counts = {len(array) for array in arrays}
    if len(counts) != 1 or 0 in counts:
        raise JobFailure("bad-job", f"every input needs the same number of samples, at least 1; got {sorted(counts)}")
    (count,) = counts
    if rows < 1 or count % rows:
        raise JobFailure("bad-job", f"{count} rows cannot be divided into samples of {rows}")
    return [[np.ascontiguousarray(array[index : index + rows]) for array in arrays] for index in range(0, count, rows)]


def import_runtime(runtime: str) -> None:
    """Imports a runtime; a failure is a `JobFailure`."""
    # ONNX Runtime's telemetry has threads of its own, which would take turns with what is measured.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        runtimes.warm_imports(runtime)
    except Exception as error:
        raise JobFailure("runtime-missing", f"cannot import {runtime}: {worded(error)}") from error


def load(runtime: str, path: str, threads: int, accelerator: str = ACCELERATOR) -> runtimes.Session:
    """Loads a model file; a failure is a `JobFailure`."""
    try:
        options = {_CHOOSING[runtime][0]: accelerator} if runtime in _CHOOSING else {}
        return runtimes.open_session(runtime, path, threads, **options)
    except Exception as error:
        raise JobFailure("load-failed", f"{runtime} cannot load the model: {worded(error)}") from error


def write_outputs(path: str, outputs: list) -> dict:
    """Writes one output per sample as raw little-endian values, whole or not at all; returns its description."""
    stacked = np.concatenate([output.reshape((1, -1)) for output in outputs])
    content = stacked.astype(stacked.dtype.newbyteorder("<"), copy=False).tobytes()
    with open(path + ".partial", "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".partial", path)
    return {
        "path": path,
        "dtype": stacked.dtype.name,
        "shape": list(stacked.shape),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def runtime_version(runtime: str) -> Optional[str]:
    """Distribution and version, None where the runtime does not tell."""
    try:
        return runtimes.runtime_version(runtime)
    except metadata.PackageNotFoundError:
        return None


def _timed(action: Callable[[], Any]) -> tuple:
    started = perf_counter_ns()
    value = action()
    return value, perf_counter_ns() - started


def worded(error: BaseException) -> str:
    """An error's class and first line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}".rstrip(": ")
