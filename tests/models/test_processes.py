"""Pools of processes: they end with the block that uses them, and say so in one line."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest

from pocketclip.models.errors import WorkerEndedError
from pocketclip.models.processes import worker_pool


@pytest.fixture(autouse=True)
def _no_thread_fails(monkeypatch: pytest.MonkeyPatch) -> Any:
    failed: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    yield
    for thread in threading.enumerate():
        if thread.name == "pool-shutdown":
            thread.join()
    assert not failed, failed


def _fail_beside(seconds: float, futures: list[Future[None]], tasks_per_process: int | None) -> None:
    """Raises while two of four tasks sleep."""
    with worker_pool(2, ended="x", fix="y", tasks_per_process=tasks_per_process) as pool:
        futures += [pool.submit(time.sleep, seconds) for _ in range(4)]
        while not futures[0].running():
            time.sleep(0.05)
        raise ValueError("of the block")


def _fail_in_a_task() -> None:
    with worker_pool(1, ended="x", fix="y", tasks_per_process=1) as pool:
        futures = [pool.submit(int, "x") for _ in range(4)]
        futures[0].result()


def _lose_a_process() -> None:
    with worker_pool(1, ended="it was ended", fix="run it again") as pool:
        process = pool.submit(os.getpid).result()
        waiting = pool.submit(time.sleep, 600)
        os.kill(process, signal.SIGKILL)
        waiting.result()


@pytest.mark.parametrize("tasks_per_process", [None, 1])
def test_an_error_is_told_at_once_and_drops_what_has_not_begun(tasks_per_process: int | None) -> None:
    futures: list[Future[None]] = []
    with pytest.raises(ValueError, match="of the block"):
        _fail_beside(5.0, futures, tasks_per_process)
    assert not futures[0].done()
    # `wait` of concurrent.futures would wait for dropped ones for ever.
    while not all(each.done() for each in futures):
        time.sleep(0.05)
    assert futures[0].result() is None
    assert futures[3].cancelled()


@pytest.mark.parametrize("repetition", range(3))
def test_an_error_of_a_task_while_its_process_makes_room(repetition: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        _fail_in_a_task()


def test_a_process_that_was_killed() -> None:
    with pytest.raises(WorkerEndedError, match="was ended") as caught:
        _lose_a_process()
    assert caught.value.fix == "run it again"


def test_what_has_begun_is_finished_where_nothing_fails() -> None:
    with worker_pool(1, ended="x", fix="y") as pool:
        last = pool.submit(time.sleep, 0.2)
    assert last.cancelled() or last.result() is None
