"""What a device with a shell says of itself: one line of shell, parsed. What it does not tell is None."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pocketclip.benchmark.devices.table import DeviceEntry, TransportName
from pocketclip.benchmark.errors import TransportError
from pocketclip.benchmark.platforms.android.power import parse_battery, parse_power_saver
from pocketclip.benchmark.platforms.android.properties import android_facts, parse_properties
from pocketclip.benchmark.platforms.android.thermal import parse_thermal
from pocketclip.benchmark.platforms.host import instance_id, parse_cpu_name, parse_isa
from pocketclip.benchmark.records.benchmark import DeviceFacts, DeviceKind
from pocketclip.benchmark.records.fields import LONGEST_NAME
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.models.untrusted.numbers import parse_finite, parse_whole
from pocketclip.models.untrusted.printable import printable_line

_SECTION = "#POCKETCLIP "

# Sections by name; a device without a program answers an empty one. Android's own names come first.
_PROBES: dict[str, str] = {
    "properties": "getprop",
    "release": ". /etc/os-release && echo $PRETTY_NAME",
    "machine-id": "cat /etc/machine-id",
    "board": "tr -d '\\000' < /proc/device-tree/model",
    "system": "uname -s",
    "kernel": "uname -r",
    "machine": "uname -m",
    # `nproc` alone heeds OMP_NUM_THREADS.
    "cores": "nproc --all || nproc",
    "cpuinfo": "cat /proc/cpuinfo",
    "memory": "grep MemTotal /proc/meminfo",
    "load": "cat /proc/loadavg",
}
_STATE_PROBES: dict[str, str] = {
    "load": _PROBES["load"],
    "battery": "dumpsys battery",
    "thermal": "dumpsys thermalservice",
    "power-saver": "settings get global low_power",
    "clocks": "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq",
    "clock-limits": "cat /sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq",
    "zones": "cat /sys/class/thermal/thermal_zone*/temp",
}


def device_facts(transport: ShellTransport, entry: DeviceEntry) -> DeviceFacts:
    """What the device is.

    Raises:
        TransportError: it does not answer.
    """
    kind = DeviceKind.PHONE if entry.transport is TransportName.ADB else DeviceKind.BOARD
    return _facts(_ask(transport, _PROBES), entry, kind)


def facts_line() -> str:
    """The line of shell whose output `told_facts` reads."""
    return _line(_PROBES)


def told_facts(output: str, name: str, kind: DeviceKind) -> DeviceFacts:
    """What a device is by the output of `facts_line`, wherever that was carried out."""
    return _facts(_sections(output, _PROBES), DeviceEntry(name, name, TransportName.ADB), kind)


def _facts(told: dict[str, str], entry: DeviceEntry, kind: DeviceKind) -> DeviceFacts:
    cpuinfo = told["cpuinfo"]
    android = android_facts(parse_properties(told["properties"]))
    system = f"Android {android.release}" if android.release else told["release"] or told["system"] or "unknown"
    kernel = " ".join(filter(None, (told["system"], told["kernel"])))
    if android.emulated:
        kind = DeviceKind.EMULATED
    clusters = " + ".join(f"{each.count}x {each.core}" for each in entry.cores)
    identity = android.serial or told["machine-id"]
    return DeviceFacts(
        name=entry.name,
        kind=kind,
        os=_short(f"{system}, {kernel}" if kernel and kernel not in system else system),
        machine=_short(told["machine"] or "unknown"),
        cpu=_short(clusters or parse_cpu_name(cpuinfo) or told["board"] or told["machine"] or "unknown"),
        isa=parse_isa(cpuinfo),
        logical_cores=parse_whole(told["cores"]) or 1,
        memory_bytes=_kilobytes(told["memory"]),
        soc=_short(entry.soc or android.soc or "") or None,
        instance=instance_id(identity) if identity else None,
    )


def machine_state(transport: ShellTransport) -> MachineState:
    """What may disturb a measurement there right now."""
    told = _ask(transport, _STATE_PROBES)
    battery = parse_battery(told["battery"])
    clocks = _whole_numbers(told["clocks"])
    zones = [value / 1000 for value in _whole_numbers(told["zones"]) if 0 < value < 200_000]
    thermal = parse_thermal(told["thermal"])
    return MachineState(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        load_average=_first_number(told["load"]),
        clock_khz=tuple(sorted(clocks, reverse=True)),
        clock_limit_khz=max(_whole_numbers(told["clock-limits"]), default=None),
        # What Android calls the processor's sensors; zones of a bare /sys may be a battery's or a charger's.
        temperature_celsius=thermal.processor_celsius or max(zones, default=None),
        thermal_status=thermal.status,
        battery_percent=battery.percent,
        charging=battery.charging,
        power_saver=parse_power_saver(told["power-saver"]) if told["power-saver"] else None,
    )


def _ask(transport: ShellTransport, probes: dict[str, str]) -> dict[str, str]:
    execution = transport.shell(_line(probes))
    if execution.exit_code != 0:
        raise TransportError(f"{transport.label} does not identify itself: {execution.describe()}")
    return _sections(execution.stdout, probes)


def _line(probes: dict[str, str]) -> str:
    # Each in a shell of its own: a dot before a file that is missing ends the shell.
    lines = [f"echo '{_SECTION}{name}'; ( {probe} ) 2>/dev/null" for name, probe in probes.items()]
    return "\n".join([*lines, "true"])


def _sections(output: str, probes: dict[str, str]) -> dict[str, str]:
    told = dict.fromkeys(probes, "")
    for part in f"\n{output}".split(f"\n{_SECTION}")[1:]:
        name, _, content = part.partition("\n")
        if name in told:
            told[name] = content.strip()
    return told


def _kilobytes(line: str) -> int | None:
    found = re.search(r"([0-9]{1,12}) kB", line)
    return int(found[1]) * 1024 if found else None


def _first_number(text: str) -> float | None:
    return parse_finite((text.split() or [""])[0])


def _whole_numbers(text: str) -> list[int]:
    return [number for word in text.split() if (number := parse_whole(word)) is not None]


def _short(text: str) -> str:
    """What a device says of itself, as a record may hold it and a terminal show it."""
    return printable_line(text)[:LONGEST_NAME]
