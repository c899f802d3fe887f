"""Calls a module of ours in a Python process of its own: a JSON job goes in on stdin, the last line comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from pocketclip.benchmark.errors import BenchmarkError


def call_worker(
    module: str,
    job: Mapping[str, object],
    *,
    what: str,
    error: type[BenchmarkError],
    timeout_seconds: float,
    hint: str = "",
) -> str:
    """The last line that the module prints.

    Args:
        module: started with `python -m`; it reads the job from stdin.
        job: whatever JSON can hold.
        what: what it does, for messages.
        error: what is raised where it fails or takes longer.
        timeout_seconds: how long it may take.
        hint: what to try where it takes longer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired as expired:
        advice = f"; {hint}" if hint else ""
        raise error(f"{what} took more than {timeout_seconds:.0f} s{advice}") from expired
    printed = done.stdout.strip().splitlines()
    if done.returncode != 0 or not printed:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise error(f"{what} ended with code {done.returncode}: {last}")
    return printed[-1]
