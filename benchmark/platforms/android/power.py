"""`dumpsys battery`, and the settings of power: saving, staying awake, a performance that is fixed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pocketclip.models.untrusted.numbers import parse_whole

_LINE = re.compile(r"^\s*([A-Za-z][A-Za-z ]*?): ?(.*?)\s*$", re.MULTILINE)
_SOURCES = ("AC", "USB", "Wireless", "Dock")


@dataclass(frozen=True)
class Battery:
    """`percent` is 0 to 100; `charging` whether a source of power is plugged in. None is unknown."""

    percent: int | None
    charging: bool | None


def parse_battery(text: str) -> Battery:
    """The state of `dumpsys battery`: `AC powered: false`, `level: 85`, `scale: 100`."""
    told = dict(_LINE.findall(text))
    sources = [told[name] for each in _SOURCES if (name := f"{each} powered") in told]
    level, scale = parse_whole(told.get("level", "")), parse_whole(told.get("scale", "100"))
    percent = None if level is None or not scale else round(100 * level / scale)
    return Battery(percent if percent is not None and percent <= 100 else None, "true" in sources if sources else None)


def parse_power_saver(text: str) -> bool | None:
    """`settings get global low_power`: `1` on, `0` off; a phone that never saved power may say `null`."""
    return {"0": False, "1": True, "null": False}.get(text.strip())


def parse_stay_on(text: str) -> int | None:
    """`settings get global stay_on_while_plugged_in`: bits of power sources (1 AC, 2 USB, 4 wireless, 8 dock)."""
    word = text.strip()
    if word == "null":
        return 0
    return parse_whole(word)
