"""Processes that end with the one that started them, however that ends: SIGKILL and a lack of memory included."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pocketclip.models.errors import WorkerEndedError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

_INTERVAL_S = 0.5
# So long a process may take to end when it is asked to.
_PATIENCE_S = 10.0


def end_with_parent(*_: object, grace_s: float = 0.0) -> None:
    """Ends this worker of multiprocessing soon after its parent; called before its work begins.

    A thread looks who the parent is: a worker that waits on a pipe sees no end of it, since its siblings hold it too,
    and the kernel's own signal is bound to the thread that forked.

    Args:
        _: what initialisers of workers are given; none of it is needed.
        grace_s: how long SIGTERM may take to have half-written files removed; by default the process ends at once.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        raise RuntimeError("end_with_parent is for worker processes of multiprocessing")
    watch_parent(parent.pid, grace_s)


@contextmanager
def worker_pool(
    workers: int,
    *,
    ended: str,
    fix: str,
    begin: Callable[[], object] = end_with_parent,
    tasks_per_process: int | None = None,
    context: BaseContext | None = None,
) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes end with this one; where the block ends by an error, so do they.

    Args:
        workers: how many processes work at the same time.
        ended: the error's message where a process was ended; `fix` is what the user then does.
        fix: see `ended`.
        begin: what each process does first.
        tasks_per_process: a process that has done so many makes room for a new one; None keeps it.
        context: how processes begin; None begins each anew, as a forked one would share locks of this one's threads.

    Raises:
        WorkerEndedError: a process was ended, e.g. for lack of memory.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = context or multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, context, begin, max_tasks_per_child=tasks_per_process)
    try:
        yield pool
    except BaseException as error:
        _end(pool, others)
        if isinstance(error, BrokenProcessPool):
            raise WorkerEndedError(ended, fix=fix) from error
        raise
    pool.shutdown()


def _end(pool: ProcessPoolExecutor, others: Collection[BaseProcess]) -> None:
    """Ends a pool with its processes, also those that it begins meanwhile: it has handed out more than it works on."""
    # Not without waiting: Python 3.11 leaves a traceback where a pool is let go of while one of its processes ends.
    waiting = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}, name="pool-shutdown", daemon=True)
    waiting.start()
    gives_up = time.monotonic() + _PATIENCE_S
    while waiting.is_alive():
        for child in multiprocessing.active_children():
            if child not in others:
                child.terminate() if time.monotonic() < gives_up else child.kill()
        waiting.join(0.1)


def watch_parent(parent: int, grace_s: float = 0.0) -> None:
    """Ends this process soon after its parent of that id, as `end_with_parent` does."""
    threading.Thread(target=_watch, args=(parent, grace_s), daemon=True, name="end-with-parent").start()


def _watch(parent: int, grace_s: float) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL_S)
    if grace_s:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
    os._exit(1)
