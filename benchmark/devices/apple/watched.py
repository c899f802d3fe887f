"""Runs a program of this machine and reads what it prints while it runs, until enough was read."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from benchmark.orphans import guard_group, release_group
from benchmark.transport.base import Execution

_DRAIN_SECONDS = 0.2
_CHUNK = 1 << 16


def run_watched(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    environment: Mapping[str, str],
    enough: Callable[[str], bool],
) -> Execution:
    """Runs a program until it ends, has printed a line that is `enough`, or the time limit.

    It has a session of its own, and does not outlive this call. Both of its outputs are looked at. A program that was
    ended after a line that is enough has exit code 0; one that ran into the limit has None.

    Raises:
        OSError: it is not there.
    """
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        guard_group(process.pid)
        try:
            return _read(process, timeout_seconds, enough)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            release_group(process.pid)


def _read(process: subprocess.Popen[bytes], timeout_seconds: float, enough: Callable[[str], bool]) -> Execution:
    assert process.stdout is not None and process.stderr is not None  # both are pipes
    streams: tuple[IO[bytes], IO[bytes]] = (process.stdout, process.stderr)
    texts = [b"", b""]
    deadline = time.monotonic() + timeout_seconds
    satisfied = False
    with selectors.DefaultSelector() as selector:
        for index, stream in enumerate(streams):
            selector.register(stream, selectors.EVENT_READ, index)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                # Only lines that are whole may be judged.
                fresh = texts[key.data].rpartition(b"\n")[2] + chunk
                texts[key.data] += chunk
                if not satisfied and any(enough(_text(line)) for line in fresh.split(b"\n")[:-1]):
                    satisfied = True
                    # What a program that ends by itself still says belongs to it.
                    deadline = min(deadline, time.monotonic() + _DRAIN_SECONDS)
        ended = not selector.get_map()
    stdout, stderr = (_text(text) for text in texts)
    if not ended:
        return Execution(0 if satisfied else None, stdout, stderr)
    try:
        return Execution(process.wait(max(_DRAIN_SECONDS, deadline - time.monotonic())), stdout, stderr)
    except subprocess.TimeoutExpired:
        return Execution(0 if satisfied else None, stdout, stderr)


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
