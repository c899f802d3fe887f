"""One worker process: takes export jobs from a pipe, one after the other, and answers with what came of each."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from pocketclip.export.errors import ExportError
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.targets import TARGETS
from pocketclip.models.errors import PocketClipError
from pocketclip.models.processes import end_with_parent

Answer = ExportResult | PocketClipError

# How long a worker may take to remove a half-written folder before it is ended for good.
_GRACE_S = 10.0
_OBJECTS_BEFORE_COLLECTION = 50_000


def converters(job: ExportJob) -> set[str]:
    """The distributions that a job imports."""
    return set(TARGETS[job.target].packages)


class Worker:
    """The parent's side of a worker process; `imported` are the converters that its jobs needed so far."""

    def __init__(self, log: Path, threads: int) -> None:
        # Forking a process that holds threads of torch or a progress display may deadlock.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, log, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.job: ExportJob | None = None
        self.peak_bytes = 0
        self.imported: set[str] = set()

    def start(self, job: ExportJob) -> None:
        """Hands the worker its next job; where the process has died meanwhile, `answer` is None."""
        self.job, self.peak_bytes = job, 0
        self.imported |= converters(job)
        # A dead process shows where its answer is read, however far it had come.
        with suppress(OSError):
            self.connection.send(job)

    def answer(self) -> Answer | None:
        """What came of the job, once it is there; None where the process died instead."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return None

    def memory_bytes(self) -> int:
        """Resident memory of the process and its children now; 0 where it has ended."""
        import psutil

        try:
            process = psutil.Process(self.process.pid)
            # A child that has just been forked shares all its pages with the worker: they count once.
            children = sum(child.memory_full_info().uss for child in process.children(recursive=True))
            used = process.memory_info().rss + children
        except psutil.Error:
            return 0
        self.peak_bytes = max(self.peak_bytes, used)
        return used

    def cause_of_death(self) -> str:
        """In words, after the process has ended."""
        self.process.join(_GRACE_S)
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def ask_to_stop(self) -> None:
        """Lets the process end by itself; it removes what it has half written."""
        self.process.terminate()

    def stop(self) -> None:
        """Ends the process, after it had time to end by itself."""
        self.ask_to_stop()
        self.process.join(_GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _serve(connection: Connection, log: Path, threads: int) -> None:
    # Ctrl-C reaches the whole process group: the parent decides, and ends workers with SIGTERM, which must
    # unwind the stack so that half-written folders are removed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    end_with_parent(grace_s=_GRACE_S)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)

    # On a busy machine, threads that spin while they wait for one another take most of the time there is.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from pocketclip.export.jobs.pipeline import export_artifact

    torch.set_num_threads(threads)
    # Graphs are many small objects that live: looking for garbage among them as often as by default finds none.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, 20, 20)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            # The parent is gone.
            return
        try:
            answer: Answer = export_artifact(job)
        except PocketClipError as error:
            if error.__cause__ is not None:
                # What the converter itself said; the log's line for the failure follows.
                traceback.print_exception(error.__cause__)
            answer = error
        except Exception as error:
            traceback.print_exc()
            answer = ExportError(f"{job.label} failed: {type(error).__name__}: {error}".splitlines()[0])
        connection.send(answer)


def _leave(signum: int, frame: object) -> None:
    # Asked a second time, it would leave in the middle of what it does while it leaves.
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)
