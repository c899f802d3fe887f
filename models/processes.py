"""Processes that end with the one that started them, however that ends: SIGKILL and a lack of memory included."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

_INTERVAL_S = 0.5


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
