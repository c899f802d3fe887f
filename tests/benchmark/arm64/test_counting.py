"""Counts of a real agent on this machine under a counter that is made up, and what tables make of counts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pocketclip.benchmark.arm64.count_records import CountRecord, CountReport, ratio
from pocketclip.benchmark.arm64.counting import (
    CountSettings,
    count_all,
    count_candidate,
    instructions,
    make_report,
    misses,
)
from pocketclip.benchmark.arm64.emulator import Counts, Emulator, parse_counts
from pocketclip.benchmark.arm64.pins import PINS
from pocketclip.benchmark.arm64.table import count_table, faults, shortfalls
from pocketclip.benchmark.errors import CountingError
from pocketclip.benchmark.perf.candidates import candidate_of, plain_candidate
from pocketclip.benchmark.statistics.formatting import UNKNOWN
from pocketclip.benchmark.transport import Execution, LocalTransport
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import TargetUnavailableError
from pocketclip.export.parity.budgets import BUDGETS
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models import documents

PER_INFERENCE = 5000


class HostEmulator(Emulator):
    """This machine in the place of the phone, below a folder: agents run, and each mark is 5,000 instructions on."""

    def __init__(self, folder: Path, drift: Callable[[int], int] = lambda process: 0) -> None:
        (folder / "tmp").mkdir(parents=True)
        super().__init__(folder, folder / "count.so", "none")
        self._drift = drift
        self._processes = 0

    def count(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> tuple[Execution, Counts | None]:
        here = [f"{self.root}{word}" for word in command[1:]]
        job_path = Path(here[1])
        # Paths in a job are those of the phone.
        job = json.loads(job_path.read_text().replace('"/tmp/', f'"{self.root}/tmp/'))
        job_path.write_text(json.dumps(job))
        execution = LocalTransport().execute([sys.executable, *here], folder="/", timeout_seconds=timeout_seconds)
        step = PER_INFERENCE + self._drift(self._processes)
        self._processes += 1
        marks = [mark for start in range(job["inferences"]) for mark in (100 * step * start, 100 * step * start + step)]
        return execution, Counts(tuple(marks), 1, 10**9)


@pytest.fixture
def host_emulator(tmp_path: Path) -> HostEmulator:
    return HostEmulator(tmp_path / "phone")


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)), min_size=1, max_size=20), st.data())
def test_the_mean_is_the_difference_of_two_counts(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """(count of n + k inferences - count of n) / k, of what lies between the marks."""
    marks, clock = [], 0
    for inference, rest in steps:
        marks += [clock, clock + inference]
        clock += inference + rest
    counts = instructions(Counts(tuple(marks), 1, clock), len(steps))
    n = data.draw(st.integers(0, len(steps) - 1))
    k = len(steps) - n
    first, all_of_them = sum(step for step, _ in steps[:n]), sum(step for step, _ in steps)
    record = record_of("fp32", counts[n:])
    assert record.instructions == pytest.approx((all_of_them - first) / k)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (Counts((1, 2, 3), 1, 9), "4 marks in order, the counter found 3"),
        (Counts((1, 2, 4, 3), 1, 9), "4 marks in order"),
        (Counts((1, 2, 3, 4), 1, 3), "4 marks in order"),
        (Counts((1, 2, 3, 4), 5, 9), "5 threads, and counts are exact only for one"),
    ],
)
def test_marks_that_are_not_those_of_the_inferences(counts: Counts, message: str) -> None:
    with pytest.raises(CountingError, match=message):
        instructions(counts, 2)


def test_counts_are_read_whole_or_not_at_all() -> None:
    text = "mark 10\nmark 25\nthreads 1\ntotal 40\n"
    assert parse_counts(text) == Counts((10, 25), 1, 40)
    for cut in ("", "mark 10\n", "mark 10\nmark 25\nthreads 1\n"):
        with pytest.raises(CountingError, match="is truncated; run it again"):
            parse_counts(cut)
    for wrong in ("mark -1\n", "mark\n", "marks 3\n", "total 0x10\n", "mark 1 2\n"):
        with pytest.raises(CountingError, match="the counting plugin wrote"):
            parse_counts(wrong)


def test_an_artefact_is_counted_and_checked(build_artifact: Callable[..., Artifact], host_emulator: Emulator) -> None:
    record = count_candidate(candidate_of(build_artifact()), host_emulator, CountSettings(warmup=1, counted=2))
    assert record.processes == ((PER_INFERENCE,) * 2,) * 2
    assert record.instructions == PER_INFERENCE
    assert record.spread == 0
    assert record.samples == 3
    assert record.misses == ()
    assert (record.subject, record.runtime, record.label) == ("tiny image", "onnxruntime", "fp32")
    assert (record.runtime_version or "").startswith("onnxruntime ")
    assert list((host_emulator.root / "tmp").iterdir()) == []


def test_more_inferences_than_samples(build_artifact: Callable[..., Artifact], host_emulator: Emulator) -> None:
    settings = CountSettings(warmup=2, counted=7, processes=1)
    record = count_candidate(candidate_of(build_artifact()), host_emulator, settings)
    assert (len(record.processes[0]), record.samples, record.spread) == (7, 4, None)


def test_what_fails_keeps_what_is_counted(build_artifact: Callable[..., Artifact], host_emulator: Emulator) -> None:
    candidates = [
        candidate_of(build_artifact("broken", model_bytes=b"no model")),
        candidate_of(build_artifact("infinite", nan_from=-1.0)),
        candidate_of(build_artifact("wrong", weights_scale=1.5)),
        candidate_of(build_artifact("whole")),
    ]
    broken, infinite, wrong, whole = count_all(candidates, host_emulator, CountSettings(processes=1))
    assert (broken.failure or "").startswith("load-failed: onnxruntime cannot load the model")
    assert (infinite.failure or "").startswith("non-finite-output")
    assert wrong.failure is None and "max abs error" in wrong.misses[0]
    assert whole.failure is None and whole.misses == ()
    worded = list(faults([broken, infinite, wrong, whole]))
    assert len(worded) == 3 and all(line.startswith("tiny image, onnxruntime, fp32: ") for line in worded)


def test_a_process_that_takes_too_long(build_artifact: Callable[..., Artifact], host_emulator: Emulator) -> None:
    (record,) = count_all(
        [candidate_of(build_artifact())], host_emulator, CountSettings(processes=1, timeout_seconds=0.01)
    )
    assert "took longer than 0.01 s; raise --timeout" in (record.failure or "")


def test_counts_that_do_not_repeat_are_a_fault(build_artifact: Callable[..., Artifact], tmp_path: Path) -> None:
    candidate = candidate_of(build_artifact())
    for drift, spread in ((5, 0.001), (6, 0.0012)):
        emulator = HostEmulator(tmp_path / f"phone{drift}", lambda process, drift=drift: drift * process)
        record = count_candidate(candidate, emulator, CountSettings())
        assert record.spread == pytest.approx(spread, rel=0.01)
        assert len(list(faults([record]))) == (drift == 6)
    assert "counts differ by 0.12 % between processes" in next(iter(faults([record])))


def test_a_plain_file_is_compared_with_its_artefact(
    build_artifact: Callable[..., Artifact], host_emulator: Emulator, tmp_path: Path
) -> None:
    artifact = build_artifact(precision=Precision.INT8_STATIC)
    file = tmp_path / "foreign.onnx"
    file.write_bytes(artifact.model_path.read_bytes())
    plain = plain_candidate(file, artifact)
    assert plain.budget == BUDGETS[TargetName.ONNX, Precision.FP32]
    record = count_candidate(plain, host_emulator, CountSettings(processes=1))
    assert (record.label, record.misses, record.name) == ("plain", (), "tiny image, onnxruntime, plain")
    with pytest.raises(CountingError, match="there is no model file"):
        plain_candidate(tmp_path / "none.onnx", artifact)


def test_core_ml_does_not_run_there(build_artifact: Callable[..., Artifact]) -> None:
    artifact = build_artifact()
    manifest = replace(artifact.manifest, target=TargetName.COREML)
    with pytest.raises(TargetUnavailableError, match="needs Core ML"):
        candidate_of(replace(artifact, manifest=manifest))


def test_outputs_that_are_no_numbers_miss_every_bound() -> None:
    budget = BUDGETS[TargetName.ONNX, Precision.FP32]
    assert misses(1.0, 0.0, budget) == ()
    assert len(misses(np.nan, np.nan, budget)) == 2
    assert misses(0.9, 0.0, budget) == ("cosine 0.900000, at least 0.999999 wanted",)


def record_of(label: str, *processes: Sequence[int], **changes: object) -> CountRecord:
    record = CountRecord("m image", "litert", label, 2_000_000, "litert 2", tuple(tuple(p) for p in processes))
    return replace(record, **changes)  # pyright: ignore[reportArgumentType]


def test_ratios_are_to_siblings_alone() -> None:
    records = [
        record_of("plain", [200, 200]),
        record_of("fp32", [190, 190], [150, 150], [180, 180]),
        record_of("int8-static", [90, 90]),
        record_of("fp32", [1000], runtime="onnxruntime"),
        record_of("plain", runtime="executorch", failure="load-failed"),
        record_of("fp32", [10], runtime="executorch"),
    ]
    plain, fp32, int8, elsewhere, failed, alone = records
    assert fp32.instructions == 180
    assert ratio(fp32, "plain", records) == 0.9
    assert ratio(int8, "fp32", records) == 0.5
    assert ratio(plain, "plain", records) is None
    assert ratio(elsewhere, "plain", records) is None
    assert ratio(alone, "plain", records) is None
    assert ratio(failed, "fp32", records) is None


def test_the_table_and_what_falls_short() -> None:
    records = [
        record_of("plain", [2_000_000]),
        record_of("fp32", [2_100_000], [2_100_000], max_abs=1.5e-7, cosine_min=0.9999999),
        record_of("int8-static", [1_300_000], max_abs=0.02, cosine_min=0.9, misses=("cosine",)),
        record_of("int8-weights", failure="AgentError: killed"),
    ]
    assert list(shortfalls(records)) == [
        "m image, litert, fp32: 1.050 of plain, the goal is 1.00 at most",
        "m image, litert, int8-static: 0.619 of fp32, the goal is 0.60 at most",
    ]
    assert list(shortfalls([records[0], record_of("fp32", [1_999_999])])) == []
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(count_table(records))
    rows = [line.split() for line in console.export_text().splitlines() if "litert" in line]
    assert rows[1] == ["m", "image", "litert", "fp32", "2.00", "2.10", "1.050", UNKNOWN, "0.0000", "1.5e-07", "0.99999"]
    assert rows[2][5:8] == ["1.30", "0.650", "0.619"]
    assert rows[3][3:] == ["int8-weights", "2.00", "failed"]


def test_a_report_is_read_back(tmp_path: Path) -> None:
    report = make_report([record_of("fp32", [3, 4], [3, 4])], CountSettings(warmup=1, counted=2))
    documents.write(report, tmp_path / "counts.json")
    assert documents.read(CountReport, tmp_path / "counts.json", error=CountingError) == report
    assert (report.cpu, report.root) == (PINS.cpu, PINS.key)
