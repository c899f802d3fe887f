"""Runs a program of this machine and reads what it prints while it runs, until enough was read."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from pocketclip.benchmark.errors import OutputLimitError
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.client import MOST_PRINTED_BYTES, check_written
from pocketclip.benchmark.transport.orphans import guard_group, release_group

_DRAIN_SECONDS = 0.2
# How often a file that it writes is looked at.
_LOOK_SECONDS = 0.1
_CHUNK = 1 << 16


def run_watched(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    environment: Mapping[str, str],
    enough: Callable[[str], bool],
    writes: Path | None = None,
) -> Execution:
    """Runs a program until it ends, has printed a line that is `enough`, or the time limit.

    It has a session of its own, and does not outlive this call. Both of its outputs are looked at. A program that was
    ended after a line that is enough has exit code 0; one that ran into the limit has None. `writes` is a file that it
    writes, which is looked at too.

    Raises:
        OSError: it is not there.
        OutputLimitError: it printed or wrote more than is taken.
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
            return _read(process, timeout_seconds, enough, partial(_check, process, writes))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            release_group(process.pid)


def _check(process: subprocess.Popen[bytes], writes: Path | None) -> None:
    if writes is not None:
        check_written(process.args[0], writes)  # pyright: ignore


def _read(
    process: subprocess.Popen[bytes], timeout_seconds: float, enough: Callable[[str], bool], check: Callable[[], None]
) -> Execution:
    assert process.stdout is not None and process.stderr is not None  # both are pipes
    streams: tuple[IO[bytes], IO[bytes]] = (process.stdout, process.stderr)
    texts = [b"", b""]
    deadline = time.monotonic() + timeout_seconds
    satisfied = False
    with selectors.DefaultSelector() as selector:
        for index, stream in enumerate(streams):
            selector.register(stream, selectors.EVENT_READ, index)
        while selector.get_map():
            left = max(0.0, deadline - time.monotonic())
            ready = selector.select(min(left, _LOOK_SECONDS))
            check()
            if not ready and left <= _LOOK_SECONDS:
                break
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                # Only lines that are whole may be judged.
                fresh = texts[key.data].rpartition(b"\n")[2] + chunk
                texts[key.data] += chunk
                if len(texts[key.data]) > MOST_PRINTED_BYTES:
                    raise OutputLimitError(
                        f"{process.args[0]} printed more than {MOST_PRINTED_BYTES >> 20} MiB and was stopped; "  # pyright: ignore
                        "check what the app prints"
                    )
                if not satisfied and any(enough(_text(line)) for line in fresh.split(b"\n")[:-1]):
                    satisfied = True
                    # What a program that ends by itself still says belongs to it.
                    deadline = min(deadline, time.monotonic() + _DRAIN_SECONDS)
        ended = not selector.get_map()
    check()
    stdout, stderr = (_text(text) for text in texts)
    if not ended:
        return Execution(0 if satisfied else None, stdout, stderr)
    try:
        return Execution(process.wait(max(_DRAIN_SECONDS, deadline - time.monotonic())), stdout, stderr)
    except subprocess.TimeoutExpired:
        return Execution(0 if satisfied else None, stdout, stderr)


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
