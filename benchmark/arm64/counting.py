"""Instructions per inference of model files, counted on the emulated phone and checked against PyTorch.

A process loads the model and infers `warmup + counted` times; each inference lies between two marks. What counts
is the mean of the last `counted`, which is (instructions of n + k inferences - those of n) / k. Two processes or
more show that it repeats.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pocketclip.benchmark.arm64.count_records import CountRecord, CountReport
from pocketclip.benchmark.arm64.emulator import PYTHON, Counter, Counts, Emulator
from pocketclip.benchmark.arm64.pins import PINS, Pins
from pocketclip.benchmark.errors import (
    AgentError,
    CountingError,
    DeviceDisconnectedError,
    DeviceOfflineError,
    MeasurementError,
    TransportError,
)
from pocketclip.benchmark.perf.candidates import Candidate
from pocketclip.benchmark.runners.agent_archive import build_counting_agent
from pocketclip.benchmark.runners.agent_runner import (
    ResultError,
    check_announced,
    check_identity,
    ending_code,
    parse_outputs,
)
from pocketclip.benchmark.runners.golden_check import cosines
from pocketclip.benchmark.runners.protocol import JOB_VERSION, Failure, InputFile, OutputFile
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.statistics.summaries import summarize_counts
from pocketclip.benchmark.transport import Execution
from pocketclip.benchmark.transport.device_paths import below
from pocketclip.export.parity.budgets import Budget
from pocketclip.models import documents
from pocketclip.models.documents import document


@dataclass(frozen=True)
class CountSettings:
    """How often to infer: `warmup` inferences are not counted; `processes` times the whole.

    With `every_sample`, samples that no counted inference has met are run at the end, uncounted.
    """

    warmup: int = 1
    counted: int = 2
    processes: int = 2
    timeout_seconds: float = 1800.0
    every_sample: bool = False


@dataclass(frozen=True)
class ProcessCount:
    """One process: instructions of each inference in order, the outputs, and what ran."""

    inferences: tuple[int, ...]
    outputs: npt.NDArray[np.generic]
    runtime_version: str | None


@document
class _CountJob:
    job_id: str
    runtime: str
    model_path: str
    inputs: tuple[InputFile, ...]
    rows: int
    threads: int
    inferences: int
    every_sample: bool
    outputs_path: str
    job_version: int = JOB_VERSION


@document
class _CountResult:
    result_version: int
    job_id: str | None
    platform: str
    failure: Failure | None
    app_version: str | None = None
    runtime_version: str | None = None
    outputs: OutputFile | None = None
    request_sha256: str | None = None


def count_all(candidates: Iterable[Candidate], emulator: Emulator, settings: CountSettings) -> Iterator[CountRecord]:
    """Counts candidates one by one; one that fails has a record that says why.

    Raises:
        EmulatorError: the emulator itself does not work here.
    """
    for candidate in candidates:
        try:
            yield count_candidate(candidate, emulator, settings)
        except (AgentError, CountingError, MeasurementError) as error:
            yield CountRecord(
                candidate.subject, candidate.runtime, candidate.label, _size(candidate), failure=str(error)
            )


def count_candidate(candidate: Candidate, emulator: Emulator, settings: CountSettings) -> CountRecord:
    """Counts one candidate in several processes; once more where they differ, as a first run may.

    Raises:
        AgentError, MeasurementError: the model does not load or run there, or its outputs did not arrive whole.
        CountingError: the counts are not those of the inferences asked for.
    """
    runs = _processes(candidate, emulator, settings)
    if summarize_counts([run.inferences[settings.warmup :] for run in runs]).repeatable is False:
        # What a runtime compiles or caches at its first run is no part of an inference.
        runs = _processes(candidate, emulator, settings)
    outputs = runs[0].outputs
    reference = candidate.reference.reshape(len(candidate.reference), -1)[: len(outputs)]
    cosine_min, max_abs = agreement(outputs, reference)
    return CountRecord(
        subject=candidate.subject,
        runtime=candidate.runtime,
        label=candidate.label,
        size_bytes=_size(candidate),
        runtime_version=runs[0].runtime_version,
        processes=tuple(run.inferences[settings.warmup :] for run in runs),
        samples=len(outputs),
        cosine_min=cosine_min,
        max_abs=max_abs,
        misses=misses(cosine_min, max_abs, candidate.budget),
    )


def _processes(candidate: Candidate, emulator: Emulator, settings: CountSettings) -> list[ProcessCount]:
    return [run_process(candidate, emulator, settings) for _ in range(settings.processes)]


def run_process(candidate: Candidate, counter: Counter, settings: CountSettings) -> ProcessCount:
    """One process of a phone; see `count_candidate`."""
    inferences = settings.warmup + settings.counted
    samples = np.ascontiguousarray(candidate.inputs[: None if settings.every_sample else inferences * candidate.batch])
    with counter.workspace() as folder, scratch_folder("pocketclip-count-") as scratch:
        here = _Parcels(counter, folder, Path(scratch))
        here.send("counting.pyz", build_counting_agent())
        here.send("inputs.bin", samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())
        for file in candidate.files:
            counter.push(file, below(f"{folder}/model", file.name))
        job = _CountJob(
            job_id=str(uuid.uuid4()),
            runtime=candidate.runtime,
            model_path=below(f"{folder}/model", candidate.files[0].name),
            inputs=(InputFile(f"{folder}/inputs.bin", samples.dtype.name, samples.shape),),
            rows=candidate.batch,
            threads=1,
            inferences=inferences,
            every_sample=settings.every_sample,
            outputs_path=f"{folder}/outputs.bin",
        )
        here.send("job.json", json.dumps(documents.to_builtin(job)).encode())
        command = [PYTHON, f"{folder}/counting.pyz", f"{folder}/job.json", f"{folder}/result.json"]
        execution, counts = counter.count(command, folder=folder, timeout_seconds=settings.timeout_seconds)
        if execution.exit_code is None:
            raise AgentError(
                f"{candidate.name} took longer than {settings.timeout_seconds:g} s",
                "agent-hung",
                fix="raise --timeout",
            )
        result = _result(here, execution, job.job_id)
        if result.failure is not None:
            raise MeasurementError(f"{result.failure.code}: {result.failure.message}")
        if result.outputs is None or counts is None:
            raise AgentError(f"the counting agent reports success without outputs or counts: {execution.describe()}")
        outputs = parse_outputs(here.fetch("outputs.bin", execution), result.outputs)
        # An inference gives the embeddings of all its samples, one after the other.
        outputs = outputs.reshape(len(outputs) * candidate.batch, -1)
    return ProcessCount(instructions(counts, inferences), outputs, result.runtime_version)


def instructions(counts: Counts, inferences: int) -> tuple[int, ...]:
    """Instructions of each inference, from a mark before and a mark after each.

    Raises:
        CountingError: the marks are not two for each inference, in order, or there was more than one thread.
    """
    marks = counts.marks
    if counts.threads != 1:
        raise CountingError(
            f"the process had {counts.threads} threads, and counts are exact only for one: "
            "find what starts them and turn it off in benchmark/arm64/emulator.py"
        )
    if len(marks) != 2 * inferences or list(marks) != sorted(marks) or (marks and marks[-1] > counts.total):
        raise CountingError(
            (
                f"{inferences} inferences need {2 * inferences} marks in order, the counter found {len(marks)}: "
                "another program or plugin was counted"
            ),
            fix="run it again",
        )
    return tuple(after - before for before, after in zip(marks[::2], marks[1::2], strict=True))


def agreement(outputs: npt.NDArray[np.generic], reference: npt.NDArray[np.generic]) -> tuple[float, float]:
    """The least cosine of a sample and the largest error of a component; both `(samples, values)`.

    Raises:
        MeasurementError: the shapes differ, or an output is not finite.
    """
    if outputs.shape != reference.shape:
        raise MeasurementError(f"output-shape: got (samples, values) {outputs.shape}, wanted {reference.shape}")
    actual, wanted = outputs.astype(np.float64), reference.astype(np.float64)
    if not np.isfinite(actual).all():
        raise MeasurementError("non-finite-output: outputs hold NaN or infinity")
    return float(cosines(actual, wanted).min()), float(np.abs(actual - wanted).max())


def misses(cosine_min: float, max_abs: float, budget: Budget) -> tuple[str, ...]:
    """The bounds of a budget that one output or more is outside of, in words; of those that few samples can show."""
    missed = []
    if not cosine_min >= budget.cosine_min:
        missed.append(f"cosine {cosine_min:.6f}, at least {budget.cosine_min:g} wanted")
    if not max_abs <= budget.max_abs:
        missed.append(f"max abs error {max_abs:.2g}, at most {budget.max_abs:g} wanted")
    return tuple(missed)


def make_report(records: Sequence[CountRecord], settings: CountSettings, pins: Pins = PINS) -> CountReport:
    """The records with what they were counted on."""
    return CountReport(
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        cpu=pins.cpu,
        root=pins.key,
        versions=pins.wheels,
        warmup=settings.warmup,
        counted=settings.counted,
        records=tuple(records),
    )


class _Parcels:
    """Small files to and from a folder of the phone."""

    def __init__(self, counter: Counter, folder: str, scratch: Path) -> None:
        self._counter = counter
        self._folder = folder
        self._scratch = scratch

    def send(self, name: str, content: bytes) -> None:
        (self._scratch / name).write_bytes(content)
        self._counter.push(self._scratch / name, f"{self._folder}/{name}")

    def fetch(self, name: str, execution: Execution) -> bytes:
        try:
            self._counter.pull(f"{self._folder}/{name}", self._scratch / name)
        except (DeviceDisconnectedError, DeviceOfflineError):
            raise
        except TransportError as error:
            raise AgentError(
                f"the counting agent left no {name}: {execution.describe()}", ending_code(execution)
            ) from error
        return (self._scratch / name).read_bytes()


def _result(parcels: _Parcels, execution: Execution, job_id: str) -> _CountResult:
    content = parcels.fetch("result.json", execution)
    check_announced(content, execution)
    result = documents.parse(_CountResult, content, source="the counting agent's result", error=ResultError)
    check_identity(result.result_version, result.job_id, job_id)
    return result


def _size(candidate: Candidate) -> int:
    return candidate.files[0].stat().st_size
