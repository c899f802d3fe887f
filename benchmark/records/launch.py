"""What one process of a measurement leaves behind: every sample, and the state of the machine beside it.

Units are in the names; None is what the device does not tell.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import MinLen

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.fields import Celsius, ClockJump, Duration, Magnitude, Name, Percent
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count, Share


@document
class MachineState:
    """What may disturb a measurement, at one moment.

    `clock_khz` are the clocks of the cores that run now, the fastest first, of a measurement with `cores` by the agent
    only of these; `clock_limit_khz` is the highest that any of them may have. `temperature_celsius` is that of the
    hottest sensor of the processor. `thermal_status` is Android's (0 none, 1 light, 2 moderate, ... 6 shutdown) or
    Apple's (0 nominal to 3 critical); `thermal_headroom` is Android's forecast: at 1.0 the device throttles severely.
    `others_busy_cores` is what other programs take of the processors' time just then, in that of one core.
    """

    at: Name
    load_average: Magnitude | None = None
    clock_khz: tuple[Count, ...] = ()
    clock_limit_khz: Count | None = None
    temperature_celsius: Celsius | None = None
    thermal_status: Count | None = None
    thermal_headroom: Magnitude | None = None
    battery_percent: Percent | None = None
    charging: bool | None = None
    power_saver: bool | None = None
    others_busy_cores: Magnitude | None = None


@document
class Minute:
    """One minute of a sustained run: its samples, and the machine at its end."""

    steady_ns: Annotated[tuple[Duration, ...], MinLen(1)]
    after: MachineState


@document
class Launch:
    """One process: what it took, in the order in which it happened.

    Import, load (opening the model) and first inference are no part of `steady_ns`. `file_cache_dropped` says that the
    model's pages were out of memory when it was loaded (a cold load); `reload_ns` is a second load by the same process
    at the end, its file in memory (a warm one). `first_load` is true where `load_ns` is the first load since the model
    or the app was installed, in which the system may make the model ready (Apple's Neural Engine: some seconds); None
    where nobody knows. `baseline_bytes` is the resident memory after imports and before the
    load; `peak_bytes` starts at that point where `peak_reset` is true, else it also covers what came before
    (`peak_before_load_bytes`). `proportional_bytes` (PSS) counts pages shared with other processes in part,
    `file_mapped_bytes` those that the system may drop and read again; both after the steady inferences.

    While the steady inferences ran: `others_busy_cores` is the processor time that other programs took in that of one
    core, `stolen_share` what the hypervisor gave to other machines, `energy_joules` what the processor's package took.
    `during` are states between blocks of them, in order, each taken outside the timed sections; empty where none were
    taken. `clock_jump_ns` is how far the wall clock went beyond the monotonic one during the launch.

    Raises:
        RecordError: the median of `steady_ns` is 0.
    """

    started_at: Name
    load_average: Magnitude | None
    import_ns: Duration
    load_ns: Duration
    first_inference_ns: Duration
    warmup_ns: tuple[Duration, ...]
    warmup_stationary: bool
    steady_ns: Annotated[tuple[Duration, ...], MinLen(1)]
    baseline_bytes: Count | None
    loaded_bytes: Count | None
    peak_before_load_bytes: Count | None
    peak_bytes: Count | None
    end_bytes: Count | None
    peak_reset: bool
    file_cache_dropped: bool = False
    reload_ns: Duration | None = None
    proportional_bytes: Count | None = None
    file_mapped_bytes: Count | None = None
    before: MachineState | None = None
    after: MachineState | None = None
    others_busy_cores: Magnitude | None = None
    stolen_share: Share | None = None
    energy_joules: Magnitude | None = None
    clock_jump_ns: ClockJump | None = None
    minutes: tuple[Minute, ...] = ()
    during: tuple[MachineState, ...] = ()
    first_load: bool | None = None

    def __post_init__(self) -> None:
        # Times are compared by their ratios, which a median of 0 has not.
        if 2 * self.steady_ns.count(0) > len(self.steady_ns):
            raise RecordError(
                f"{self.steady_ns.count(0)} of {len(self.steady_ns)} values of steady_ns are 0: "
                "no inference takes no time"
            )

    @property
    def peak_over_baseline_bytes(self) -> int | None:
        """Memory the model cost at most, or None where the system cannot tell it from earlier peaks."""
        if self.baseline_bytes is None or self.peak_bytes is None:
            return None
        if not self.peak_reset and self.peak_bytes == self.peak_before_load_bytes:
            return None
        return max(0, self.peak_bytes - self.baseline_bytes)
