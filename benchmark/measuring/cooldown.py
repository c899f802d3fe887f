"""Waits until a device is fit to be measured, within a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

from pocketclip.benchmark.devices import Device
from pocketclip.benchmark.errors import BenchmarkError
from pocketclip.benchmark.records.benchmark import utc_now
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.validity import GATES, Gates, Invalidity, InvalidityCode, gates_for, judge_state

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


class Patience:
    """Waits before each launch until a device is fit; what did not become fit once is not waited for again."""

    def __init__(self, device: Device, limit_seconds: float, note: Callable[[str], object]) -> None:
        """`note` is told once, in words, of each reason to wait."""
        self._device = device
        self._limit_seconds = limit_seconds
        self._note = note
        self._gates = gates_for(device.facts().logical_cores)
        self._left_seconds = limit_seconds
        self._told: set[InvalidityCode] = set()

    def wait(self) -> None:
        """Returns once the device is fit, or the limit is over."""
        # Looking takes a moment of its own, in vain where nothing is waited for.
        if self._limit_seconds:
            unfit = wait_until_fit(self._state, self._left_seconds, gates=self._gates, on_wait=self._tell)
            self._left_seconds = 0.0 if unfit else self._limit_seconds

    def _tell(self, found: Invalidity) -> None:
        if found.code not in self._told:
            self._told.add(found.code)
            limit = f"{self._limit_seconds:g} s"
            self._note(f"waiting for the device, up to {limit}: {found.reason}; {found.fix}")

    def _state(self) -> MachineState:
        try:
            return self._device.state()
        except BenchmarkError:
            # A device that went away is the launch's business, which waits for it and says what became of it.
            return MachineState(utc_now())
