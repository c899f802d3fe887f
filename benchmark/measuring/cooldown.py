"""Waits until a device is fit to be measured, within a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.validity import GATES, Gates, Invalidity, judge_state

_PAUSE_S = 2.0

State = Callable[[], MachineState]


def wait_until_fit(
    state: State,
    limit_seconds: float,
    *,
    gates: Gates = GATES,
    on_wait: Callable[[Invalidity], object] = lambda reason: None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> list[Invalidity]:
    """What still forbids to measure once the limit is over; nothing where the device is fit.

    Args:
        state: tells what the device is like now.
        limit_seconds: how long to wait; with 0, the device is looked at once.
        gates: what it may be like.
        on_wait: told the first reason, each time that is another one.
        now, sleep: the clock.
    """
    ends = now() + limit_seconds
    told = None
    while True:
        found = judge_state(state(), gates)
        if not found or now() >= ends:
            return found
        if found[0].code is not told:
            told = found[0].code
            on_wait(found[0])
        sleep(_PAUSE_S)
