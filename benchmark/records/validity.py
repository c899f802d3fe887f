"""Conditions under which a time may not be ranked: each with a code, what was found, and what to do about it.

The codes follow those of androidx.benchmark. A measurement under such a condition is kept, marked and left out of
every ranking; what a device does not tell is not held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pocketclip.benchmark.records.fields import Text
from pocketclip.benchmark.records.launch import Launch, MachineState
from pocketclip.models.documents import document


class InvalidityCode(StrEnum):
    """Why a measurement does not count."""

    BUSY = "busy"
    STOLEN = "stolen"
    HOT = "hot"
    THROTTLED = "throttled"
    LOW_BATTERY = "low-battery"
    POWER_SAVER = "power-saver"
    NOT_STATIONARY = "not-stationary"
    CLOCK_JUMP = "clock-jump"


@document
class Invalidity:
    """One condition that was not met."""

    code: InvalidityCode
    reason: Text
    fix: Text


# What to do about each.
FIXES: dict[InvalidityCode, str] = {
    InvalidityCode.BUSY: "stop other programs on the device, or wait, and measure again",
    InvalidityCode.STOLEN: "use a machine whose processors are not shared, or measure when its neighbours are quiet",
    InvalidityCode.HOT: "let the device cool down, out of its case and off the charger, and measure again",
    InvalidityCode.THROTTLED: "let the device cool down, set the governor to performance, and measure again",
    InvalidityCode.LOW_BATTERY: "charge the device to 20 % or more and measure again",
    InvalidityCode.POWER_SAVER: "turn power saving off and measure again",
    InvalidityCode.NOT_STATIONARY: "measure again with more launches; a model that never settles needs --min-seconds",
    InvalidityCode.CLOCK_JUMP: "the device's clock was set during the launch: measure again",
}


@dataclass(frozen=True)
class Gates:
    """What a machine may be like while it measures.

    `others_busy_cores` is what other programs may take, in cores; `clock_share` the least clock of the fastest core, as
    a share of its limit, at the end of a launch.
    """

    others_busy_cores: float = 0.25
    stolen_share: float = 0.05
    temperature_celsius: float = 80.0
    thermal_status: int = 1
    clock_share: float = 0.75
    battery_percent: int = 20
    clock_jump_ns: int = 1_000_000_000


GATES = Gates()
# Of all cores, what other programs may keep busy: on two a quarter of one, on sixteen two.
_OTHERS_SHARE = 1 / 8


def gates_for(logical_cores: int) -> Gates:
    """The gates of a machine with so many cores."""
    return Gates(others_busy_cores=max(GATES.others_busy_cores, _OTHERS_SHARE * logical_cores))


def invalidity(code: InvalidityCode, reason: str) -> Invalidity:
    """An entry with the fix of its code."""
    return Invalidity(code, reason, FIXES[code])


def judge_state(state: MachineState, gates: Gates = GATES) -> list[Invalidity]:
    """What forbids to measure in this state."""
    found: list[Invalidity] = []
    temperature = state.temperature_celsius
    if temperature is not None and temperature > gates.temperature_celsius:
        found.append(
            invalidity(InvalidityCode.HOT, f"{temperature:.0f} °C, at most {gates.temperature_celsius:.0f} wanted")
        )
    elif state.thermal_status is not None and state.thermal_status > gates.thermal_status:
        found.append(
            invalidity(
                InvalidityCode.HOT, f"thermal status {state.thermal_status}, at most {gates.thermal_status} wanted"
            )
        )
    low = state.battery_percent is not None and state.battery_percent < gates.battery_percent
    if low and not state.charging:
        found.append(
            invalidity(
                InvalidityCode.LOW_BATTERY,
                f"battery at {state.battery_percent} %, at least {gates.battery_percent} wanted",
            )
        )
    if state.others_busy_cores is not None and state.others_busy_cores > gates.others_busy_cores:
        found.append(_busy(state.others_busy_cores, gates))
    if state.power_saver:
        found.append(invalidity(InvalidityCode.POWER_SAVER, "the device saves power"))
    return found


class Conditions(Protocol):
    """What every kind of launch tells of the machine that it ran on."""

    @property
    def before(self) -> MachineState | None: ...

    @property
    def after(self) -> MachineState | None: ...

    @property
    def others_busy_cores(self) -> float | None: ...

    @property
    def stolen_share(self) -> float | None: ...


def judge_conditions(launch: Conditions, gates: Gates = GATES) -> list[Invalidity]:
    """What of the machine forbids to rank a launch, whatever it measured."""
    found = [each for state in (launch.before, launch.after) if state for each in judge_state(state, gates)]
    if launch.others_busy_cores is not None and launch.others_busy_cores > gates.others_busy_cores:
        found.append(_busy(launch.others_busy_cores, gates))
    if launch.stolen_share is not None and launch.stolen_share > gates.stolen_share:
        found.append(
            invalidity(
                InvalidityCode.STOLEN,
                f"the hypervisor took {launch.stolen_share:.0%} of the time, at most {gates.stolen_share:.0%} wanted",
            )
        )
    after = launch.after
    if after is not None and after.clock_khz and after.clock_limit_khz:
        share = max(after.clock_khz) / after.clock_limit_khz
        if share < gates.clock_share:
            found.append(
                invalidity(
                    InvalidityCode.THROTTLED,
                    f"the clock was at {share:.0%} of its limit, at least {gates.clock_share:.0%} wanted",
                )
            )
    return found


def judge_launch(launch: Launch, gates: Gates = GATES) -> list[Invalidity]:
    """What forbids to rank a launch of single inferences."""
    found = judge_conditions(launch, gates)
    if not launch.warmup_stationary:
        found.append(invalidity(InvalidityCode.NOT_STATIONARY, "latency had not settled when the warm-up ended"))
    if launch.clock_jump_ns is not None and abs(launch.clock_jump_ns) > gates.clock_jump_ns:
        found.append(
            invalidity(
                InvalidityCode.CLOCK_JUMP, f"the wall clock moved by {launch.clock_jump_ns / 1e9:.1f} s of its own"
            )
        )
    return found


def _busy(cores: float, gates: Gates) -> Invalidity:
    reason = f"other programs took {cores:.2f} cores, at most {gates.others_busy_cores:.2f} wanted"
    return invalidity(InvalidityCode.BUSY, reason)


def judge_launches(launches: Sequence[Launch], gates: Gates = GATES) -> tuple[Invalidity, ...]:
    """What forbids to rank a record: what holds for half of its launches or more, once for each code.

    A median over launches bears a few that were disturbed.
    """
    return _in_half([judge_launch(launch, gates) for launch in launches])


def judge_throughput(launches: Sequence[Conditions], gates: Gates = GATES) -> tuple[Invalidity, ...]:
    """As `judge_launches`, of launches that encoded photographs."""
    return _in_half([judge_conditions(launch, gates) for launch in launches])


def _in_half(found: Sequence[list[Invalidity]]) -> tuple[Invalidity, ...]:
    by_code: dict[InvalidityCode, list[Invalidity]] = {}
    for launch in found:
        for each in {each.code: each for each in launch}.values():
            by_code.setdefault(each.code, []).append(each)
    return tuple(
        Invalidity(each[0].code, f"{each[0].reason} (in {len(each)} of {len(found)} launches)", each[0].fix)
        for each in by_code.values()
        if 2 * len(each) >= len(found)
    )
