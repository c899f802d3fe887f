"""What the machine does besides: clocks, temperature, battery, other programs, energy. What it does not tell is None.

Everything is read from Linux's /proc and /sys, as Android and boards have them too.
"""

from __future__ import annotations

import contextlib
import datetime
import glob
import os
import sys
import time
from typing import Optional

_CPUS = "/sys/devices/system/cpu"
_THERMAL = "/sys/class/thermal/thermal_zone*"
_SUPPLIES = "/sys/class/power_supply/*"
_PACKAGES = "/sys/class/powercap/intel-rapl:[0-9]*"
# Sensors of processors, by what their names hold; others are those of batteries, charging or the skin.
_PROCESSOR_SENSORS = ("cpu", "soc", "x86_pkg", "core", "big", "mid", "little")
_SKIN = ("battery", "skin", "gpu", "modem", "wlan", "charger")


def state() -> dict:
    """A `MachineState` of the harness."""
    clocks, limits = _clocks("scaling_cur_freq"), _clocks("cpuinfo_max_freq")
    percent, charging = _battery()
    return {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        "load_average": load_average(),
        "clock_khz": sorted(clocks, reverse=True),
        "clock_limit_khz": max(limits) if limits else None,
        "temperature_celsius": _temperature(),
        "battery_percent": percent,
        "charging": charging,
    }


def others_busy_cores(seconds: float = 0.25) -> Optional[float]:
    """What other programs take of the processors' time, in that of one core; looks for that long."""
    watch = Disturbance()
    time.sleep(seconds)
    return watch.finish()["others_busy_cores"]


class Disturbance:
    """Watches, between its start and `finish`, what else the processors do and the energy they take."""

    def __init__(self) -> None:
        self._times = _processor_times()
        self._own = sum(os.times()[:2])
        self._energy = _energy_microjoules()
        self._started = time.perf_counter()

    def finish(self) -> dict:
        """`others_busy_cores`, `stolen_share` and `energy_joules` of a `Launch` of the harness."""
        seconds = time.perf_counter() - self._started
        own = sum(os.times()[:2]) - self._own
        result: dict = {"others_busy_cores": None, "stolen_share": None, "energy_joules": None}
        times = _processor_times()
        if self._times is not None and times is not None and seconds > 0:
            busy, stolen, total = (after - before for before, after in zip(self._times, times))
            cores = os.cpu_count() or 1
            # Each core's time is counted in ticks: of that which may be rounding, nobody is accused.
            others = max(0.0, busy - own - cores / os.sysconf("SC_CLK_TCK"))
            result["others_busy_cores"] = round(min(others / seconds, cores), 4)
            result["stolen_share"] = round(min(1.0, max(0.0, stolen / total)), 5) if total > 0 else None
        energy = _energy_microjoules()
        if self._energy and set(energy) == set(self._energy):
            spent = [_spent(self._energy[name], energy[name]) for name in energy]
            result["energy_joules"] = round(sum(spent) / 1e6, 6)
        return result


def load_average() -> Optional[float]:
    """Processes running or waiting, averaged over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def drop_file_cache(path: str) -> bool:
    """Lets go of the pages that hold a file or a folder's files; whether none of them is in memory afterwards."""
    files = [path]
    if os.path.isdir(path):
        files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    dropped = [_drop(file) for file in files]
    return bool(files) and all(dropped)


def keep_to_cores(cores: list) -> None:
    """Lets this process run on these cores alone; an `OSError` where the system does not."""
    if not hasattr(os, "sched_setaffinity"):
        raise OSError(f"{sys.platform} cannot bind processes to cores")
    os.sched_setaffinity(0, cores)


def _drop(file: str) -> bool:
    try:
        with open(file, "rb") as stream:
            # What is not yet on disk cannot be dropped.
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return not _any_page_in_memory(stream.fileno(), os.fstat(stream.fileno()).st_size)
    except (OSError, AttributeError):
        return False


def _any_page_in_memory(descriptor: int, size: int) -> bool:
    """Asks the kernel, for a file system may ignore the advice. True where it cannot be asked."""
    if size == 0:
        return False
    import ctypes
    import mmap

    try:
        library = ctypes.CDLL(None, use_errno=True)
        pages = -(-size // mmap.PAGESIZE)
        found = (ctypes.c_ubyte * pages)()
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as mapped:
            address = ctypes.c_char.from_buffer(mapped)
            try:
                place = ctypes.c_void_p(ctypes.addressof(address))
                if library.mincore(place, ctypes.c_size_t(size), found) != 0:
                    return True
            finally:
                del address
    except (OSError, ValueError, AttributeError):
        return True
    return any(page & 1 for page in found)


def _processor_times() -> Optional[tuple]:
    """Seconds of all cores since the start: busy, stolen, and all there were."""
    try:
        with open("/proc/stat") as stream:
            fields = stream.readline().split()
        ticks = os.sysconf("SC_CLK_TCK")
        user, nice, system, idle, waiting, interrupts, soft, stolen = (int(value) / ticks for value in fields[1:9])
    except (OSError, ValueError):
        return None
    busy = user + nice + system + interrupts + soft
    return busy, stolen, busy + stolen + idle + waiting


def _clocks(name: str) -> list:
    """Of each core that this process may use, in kHz: a slow core never reaches the limit of a fast one beside it."""
    cores = _numbers_of_cores()
    return [clock for clock in (_number(f"{_CPUS}/cpu{core}/cpufreq/{name}") for core in cores) if clock]


def _numbers_of_cores() -> list:
    if hasattr(os, "sched_getaffinity"):
        with contextlib.suppress(OSError):
            return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _temperature() -> Optional[float]:
    """Of the hottest sensor that is a processor's, in degrees Celsius."""
    found = []
    for zone in glob.glob(_THERMAL):
        name = (_text(f"{zone}/type") or "").lower()
        if any(part in name for part in _PROCESSOR_SENSORS) and not any(part in name for part in _SKIN):
            value = _number(f"{zone}/temp")
            if value is None:
                continue
            # Some kernels count in degrees, most in thousandths.
            degrees = value / 1000 if value > 1000 else float(value)
            # A sensor that is not connected often gives a number that no processor survives.
            if 0 < degrees < 200:
                found.append(degrees)
    return max(found) if found else None


def _battery() -> tuple:
    for supply in sorted(glob.glob(_SUPPLIES)):
        if _text(f"{supply}/type") == "Battery" and _text(f"{supply}/scope") != "Device":
            percent, status = _number(f"{supply}/capacity"), _text(f"{supply}/status")
            # Some fuel gauges go beyond 100, which no record may hold.
            if percent is not None and not 0 <= percent <= 100:
                percent = None
            return percent, None if status is None else status in ("Charging", "Full", "Not charging")
    return None, None


def _energy_microjoules() -> dict:
    """The counters of the processor's packages, each with the value at which it starts again."""
    counters = {}
    for package in glob.glob(_PACKAGES):
        # Below a package there are its parts, which it contains.
        if package.count(":") == 1:
            value, limit = _number(f"{package}/energy_uj"), _number(f"{package}/max_energy_range_uj")
            if value is not None:
                counters[package] = (value, limit or 0)
    return counters


def _spent(before: tuple, after: tuple) -> int:
    difference = after[0] - before[0]
    return difference if difference >= 0 else difference + after[1]


def _number(path: str) -> Optional[int]:
    text = _text(path)
    with contextlib.suppress(ValueError, TypeError):
        return int(text)  # type: ignore[arg-type]
    return None


def _text(path: str) -> Optional[str]:
    try:
        with open(path) as stream:
            return stream.read().strip()
    except (OSError, ValueError):
        return None
