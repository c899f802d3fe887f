"""`getprop`: what the phone is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pocketclip.models.untrusted.numbers import parse_whole

_LINE = re.compile(r"^\[([^\]]+)\]: \[(.*)\]$", re.MULTILINE)
_MOST_API = 10_000


@dataclass(frozen=True)
class AndroidFacts:
    """A phone's identity; None is what it does not tell. `abis` are its instruction sets, the preferred one first."""

    release: str | None
    api_level: int | None
    abis: tuple[str, ...]
    model: str | None
    soc: str | None
    serial: str | None
    emulated: bool

    @property
    def platform(self) -> str:
        """In words, e.g. `Android 15 (API 35)`."""
        return f"Android {self.release or '?'} (API {self.api_level if self.api_level is not None else '?'})"


def parse_properties(text: str) -> dict[str, str]:
    """All properties by name, from `getprop` without a name: lines `[ro.product.model]: [Pixel 7]`."""
    return {match[1]: match[2] for match in _LINE.finditer(text.replace("\r\n", "\n"))}


def android_facts(properties: Mapping[str, str]) -> AndroidFacts:
    """What the properties say of the phone."""
    level = parse_whole(properties.get("ro.build.version.sdk", ""))
    # Before Android 12 there is no ro.soc.model; the board's platform is the nearest to it.
    soc = properties.get("ro.soc.model") or properties.get("ro.board.platform")
    listed = properties.get("ro.product.cpu.abilist") or properties.get("ro.product.cpu.abi", "")
    return AndroidFacts(
        release=properties.get("ro.build.version.release") or None,
        api_level=level if level is not None and level < _MOST_API else None,
        abis=tuple(name.strip() for name in listed.split(",") if name.strip()),
        model=properties.get("ro.product.model") or None,
        soc=soc or None,
        serial=properties.get("ro.serialno") or properties.get("ro.boot.serialno") or None,
        emulated="1" in (properties.get("ro.boot.qemu"), properties.get("ro.kernel.qemu")),
    )
