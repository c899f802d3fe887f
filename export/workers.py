"""Runs export jobs in worker processes: converters are noisy, hungry and may crash; their neighbours live on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from export.errors import ConversionError
from export.job import ExportJob, ExportResult
from export.pipeline import export_artifact
from models.errors import PocketClipError

LOG_NAME = "export.log"

Outcome = tuple[ExportJob, ExportResult | PocketClipError]


def run_jobs(jobs: Sequence[ExportJob], *, workers: int, log: Path) -> Iterator[Outcome]:
    """Yields each job with its result or error as it ends; what the converters print goes to `log`.

    A worker that dies takes the pool with it: the jobs then unfinished run again, each in a process of its own,
    so that one crash costs one artefact. Closing the iterator, or Ctrl-C, ends the workers.
    """
    unfinished = dict.fromkeys(jobs)
    try:
        try:
            for outcome in _run_pool(list(unfinished), workers, log):
                del unfinished[outcome[0]]
                yield outcome
        except BrokenProcessPool:
            for job in list(unfinished):
                try:
                    yield from _run_pool([job], 1, log)
                except BrokenProcessPool:
                    yield (
                        job,
                        ConversionError(
                            f"the process that exported {job.label} died, most likely for lack of memory; "
                            f"see {log}, close other programs or use --jobs 1"
                        ),
                    )
    finally:
        for child in multiprocessing.active_children():
            child.terminate()


def _run_pool(jobs: Sequence[ExportJob], workers: int, log: Path) -> Iterator[Outcome]:
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)),
        # Forking a process that holds threads of torch or a progress display may deadlock.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(log, threads),
    )
    with pool:
        futures = {pool.submit(export_artifact, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], _outcome(future)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _outcome(future: Future[ExportResult]) -> ExportResult | PocketClipError:
    try:
        return future.result()
    except PocketClipError as error:
        return error


def _start_worker(log: Path, threads: int) -> None:
    # Ctrl-C reaches the whole process group: the parent decides, and ends workers with SIGTERM, which must
    # unwind the stack so that half-written folders are removed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)

    import torch

    torch.set_num_threads(threads)


def _leave(signum: int, frame: object) -> None:
    sys.exit(128 + signum)
