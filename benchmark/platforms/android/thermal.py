"""`dumpsys thermalservice`: Android 10 and later."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pocketclip.models.untrusted.numbers import parse_finite, parse_whole

# Android's numbers of sensors' types; others are the battery's, the skin's, the modem's.
_PROCESSOR_TYPES = (0, 1, 9)  # CPU, GPU, NPU
_STATUS = re.compile(r"^\s*Thermal Status: (\d+)\s*$", re.MULTILINE)
_SENSOR = re.compile(r"Temperature\{mValue=([^,]+), mType=(-?[0-9]{1,9}), mName=([^,]*), mStatus=([0-9]{1,9})\}")


@dataclass(frozen=True)
class Sensor:
    """One sensor: degrees Celsius, Android's number of its type and of its status."""

    celsius: float
    type: int
    name: str
    status: int


@dataclass(frozen=True)
class Thermal:
    """`status` is 0 none, 1 light, 2 moderate, ... 6 shutdown; None where the service does not tell."""

    status: int | None
    sensors: tuple[Sensor, ...]

    @property
    def processor_celsius(self) -> float | None:
        """The hottest of the processor's sensors."""
        return max((each.celsius for each in self.sensors if each.type in _PROCESSOR_TYPES), default=None)


def parse_thermal(text: str) -> Thermal:
    """The status and the sensors as they are now; those that the service only remembers are left out."""
    status = _STATUS.search(text)
    _, heading, current = text.partition("Current temperatures from HAL:")
    # What follows are cooling devices and thresholds.
    section = re.split(r"\n(?=\S)", current, maxsplit=1)[0] if heading else ""
    level = parse_whole(status[1]) if status else None
    return Thermal(
        level if level is not None and level <= 6 else None,
        tuple(
            Sensor(celsius, int(kind), name, int(at))
            for value, kind, name, at in _SENSOR.findall(section)
            if (celsius := parse_finite(value)) is not None
        ),
    )
