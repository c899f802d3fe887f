"""Worker processes: what dies costs its own job alone, and memory stays within its bound."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from pocketclip.export.errors import MemoryLimitError, WorkerDiedError
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs import memory
from pocketclip.export.jobs.workers import run_jobs
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import load_config


def _job(out: Path, precision: Precision = Precision.FP32, target: TargetName = TargetName.ONNX) -> ExportJob:
    return ExportJob(load_config("pocketclip_nano"), None, target, precision, Tower.TEXT, out)


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def _kill_workers() -> int:
    found = _workers()
    for worker in found:
        worker.kill()
    return len(found)


@pytest.mark.slow
def test_a_job_whose_process_keeps_dying_is_reported_and_the_rest_go_on(tmp_path: Path) -> None:
    doomed, sound = _job(tmp_path), _job(tmp_path, Precision.INT8_WEIGHTS)
    others_done, over = threading.Event(), threading.Event()

    def kill() -> None:
        while not _kill_workers():
            over.wait(0.05)
        others_done.wait(120)
        while not over.wait(0.05):
            _kill_workers()

    killer = threading.Thread(target=kill)
    killer.start()
    retried: list[str] = []
    results = {}
    try:
        for job, result in run_jobs([doomed, sound], workers=1, log=tmp_path / "log", on_retry=retried.append):
            results[job] = result
            others_done.set()
    finally:
        over.set()
        others_done.set()
        killer.join()
    assert isinstance(results[sound], ExportResult)
    error = results[doomed]
    assert isinstance(error, WorkerDiedError)
    assert "killed by SIGKILL" in str(error) and "\n" not in str(error)
    assert len(retried) == 1 and "running it again by itself" in retried[0]
    assert not doomed.folder.exists()


def test_a_job_that_uses_more_than_the_limit_is_ended(tmp_path: Path) -> None:
    limit = 60 * 10**6  # not even Python with torch
    ((_, error),) = run_jobs([_job(tmp_path)], workers=1, log=tmp_path / "log", limit=limit)
    assert isinstance(error, MemoryLimitError)
    assert "the limit is 60 MB" in str(error) and "--memory" in str(error)
    assert not _workers()


def test_a_job_that_is_known_to_need_more_is_not_started(tmp_path: Path) -> None:
    jobs = [_job(tmp_path), _job(tmp_path, Precision.FP16)]
    outcomes = list(
        run_jobs(jobs, workers=2, log=tmp_path / "log", limit=10**6, need=lambda job: memory.estimate(job, 8 * 10**6))
    )
    assert [job for job, _ in outcomes] == jobs
    assert all(isinstance(error, MemoryLimitError) and "needs about 1.5 GB" in str(error) for _, error in outcomes)
    assert not (tmp_path / "log").exists()


@pytest.mark.slow
def test_estimates_hold(nano_exports: dict[tuple[str, str, str], ExportResult]) -> None:
    """No export of nano may need more than it is expected to, or much less."""
    peaks: dict[TargetName, int] = {}
    for result in nano_exports.values():
        target = result.manifest.target
        peaks[target] = max(peaks.get(target, 0), result.peak_bytes)
    expected = {target: memory.estimate(_job(Path(), target=target), 8 * 10**6) for target in peaks}
    # A worker keeps the converters of the targets that it served before, whichever those were.
    highest = max(expected.values())
    for target, peak in peaks.items():
        assert 0.3 * expected[target] < peak < 1.5 * highest, (target, peak, expected)


@pytest.mark.parametrize(
    ("text", "size"), [("16GB", 16 * 10**9), ("900 MB", 900 * 10**6), ("8GiB", 8 * 2**30), ("1.5gb", 15 * 10**8)]
)
def test_sizes(text: str, size: int) -> None:
    assert memory.parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-3GB", "0", "5 apples"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(MemoryLimitError, match="write it as 16GB"):
        memory.parse_memory(text)
