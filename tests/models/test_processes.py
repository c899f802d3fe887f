"""Pools of processes: they end with the block that uses them, and say so in one line."""

from __future__ import annotations

import multiprocessing
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
def test_an_error_ends_what_runs_and_what_was_handed_out(tasks_per_process: int | None) -> None:
    before = set(multiprocessing.active_children())
    futures: list[Future[None]] = []
    with pytest.raises(ValueError, match="of the block"):
        _fail_beside(600.0, futures, tasks_per_process)
    assert all(each.done() for each in futures)
    assert set(multiprocessing.active_children()) <= before


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
    assert last.result() is None
