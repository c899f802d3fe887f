"""What `pymobiledevice3` prints (version 11): JSON on stdout, its log on stderr."""

from __future__ import annotations

import re
from typing import Any

from pocketclip.benchmark.errors import TransportError
from pocketclip.benchmark.platforms.apple.phone import InstalledApp, ListedPhone
from pocketclip.models.untrusted import json_text

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def parse_json(text: str) -> Any:
    """The JSON that a command printed.

    Raises:
        TransportError: it is none.
    """
    try:
        return json_text.loads(text)
    except json_text.JsonFault as error:
        raise TransportError(
            f"pymobiledevice3 printed an answer that {error}", fix="update it with `pipx upgrade pymobiledevice3`"
        ) from error


def plain(text: str) -> str:
    """A log without colours."""
    return _COLOUR.sub("", text)


def parse_devices(text: str) -> list[ListedPhone]:
    """The iPhones of `usbmux list`; one that is there by cable and by network is one."""
    found: dict[str, ListedPhone] = {}
    listed = parse_json(text)
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("DeviceClass") not in (None, "iPhone"):
            continue
        udid = each.get("UniqueDeviceID") or each.get("Identifier")
        version, build = each.get("ProductVersion"), each.get("BuildVersion")
        if isinstance(udid, str):
            found[udid] = ListedPhone(
                udid=udid,
                identifier=udid,
                product=_text(each.get("ProductType")),
                name=_text(each.get("DeviceName")),
                os=(f"iOS {version}" + (f" ({build})" if build else "")) if version else None,
                paired=None,
                connected=True,
            )
    return list(found.values())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def parse_locked(text: str) -> bool | None:
    """Whether a passcode is asked for now, from `lockdown info`."""
    values = parse_json(text)
    found = values.get("PasswordProtected") if isinstance(values, dict) else None
    return found if isinstance(found, bool) else None


def parse_battery(text: str) -> tuple[int | None, bool | None]:
    """Charge in percent and whether it charges, from `diagnostics battery single`."""
    values = parse_json(text)
    if not isinstance(values, dict):
        return None, None
    percent, charging = values.get("CurrentCapacity"), values.get("IsCharging")
    whole = isinstance(percent, int) and not isinstance(percent, bool) and 0 <= percent <= 100
    return percent if whole else None, charging if isinstance(charging, bool) else None


def parse_app(text: str, bundle: str) -> InstalledApp | None:
    """The app of that bundle identifier in `apps query`."""
    values = parse_json(text)
    found = values.get(bundle) if isinstance(values, dict) else None
    if not isinstance(found, dict):
        return None
    version = found.get("CFBundleVersion")
    return InstalledApp(str(version) if version else None, str(found.get("Path", "")))


def last_error(log: str) -> str:
    """The lines of a log that are errors, without what comes before their words; the whole log where none is."""
    errors = [line.partition(" ERROR ")[2] for line in plain(log).splitlines() if " ERROR " in line]
    return "\n".join(errors) or plain(log)
