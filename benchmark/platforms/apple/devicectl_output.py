"""What `xcrun devicectl ... --json-output FILE` writes (Xcode 15 to 26, `jsonVersion` 2 to 5).

Every file has `info` (`outcome`, `commandType`, `jsonVersion`) and, with outcome `success`, `result`; else `error`, an
NSError with its causes below `userInfo`. Fields that are missing are unknown: Apple adds and drops some.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pocketclip.benchmark.errors import TransportError
from pocketclip.benchmark.platforms.apple.phone import InstalledApp, ListedPhone, PhoneState
from pocketclip.models.untrusted import json_text


def parse_result(content: str) -> dict[str, Any]:
    """The `result` of a command that succeeded.

    Raises:
        TransportError: it is not JSON, or of a command that failed.
    """
    answer = _answer(content)
    result = answer.get("result")
    if not isinstance(result, dict):
        raise TransportError(f"devicectl wrote no result: {error_text(content) or content[:200]!r}", fix="update Xcode")
    return result


def error_text(content: str) -> str:
    """All that a failed command says of its error and the causes, a line for each; empty where there is none."""
    try:
        error = _answer(content).get("error")
    except TransportError:
        return ""
    return "\n".join(_error_lines(error)) if isinstance(error, dict) else ""


def parse_devices(content: str) -> list[ListedPhone]:
    """The phones of `devicectl list devices`; computers, watches and simulated devices are left out."""
    devices = parse_result(content).get("devices")
    found = (_listed(each) for each in devices if isinstance(each, dict)) if isinstance(devices, list) else ()
    return [phone for phone in found if phone is not None]


def parse_state(details: str, lock: str | None) -> PhoneState:
    """What `device info details` and `device info lockState` (None where that failed) tell."""
    result = parse_result(details)
    connection, properties = _part(result, "connectionProperties"), _part(result, "deviceProperties")
    pairing = connection.get("pairingState")
    mode = properties.get("developerModeStatus")
    mounted = properties.get("ddiServicesAvailable")
    locked = parse_result(lock).get("passcodeRequired") if lock is not None else None
    return PhoneState(
        paired=pairing == "paired" if isinstance(pairing, str) else None,
        locked=locked if isinstance(locked, bool) else None,
        developer_mode=mode == "enabled" if isinstance(mode, str) else None,
        image_mounted=mounted if isinstance(mounted, bool) else None,
    )


def parse_apps(content: str, bundle: str) -> InstalledApp | None:
    """The app of that bundle identifier in `device info apps`."""
    apps = parse_result(content).get("apps")
    for each in apps if isinstance(apps, list) else ():
        if isinstance(each, dict) and each.get("bundleIdentifier") == bundle:
            version = each.get("bundleVersion") or each.get("version")
            return InstalledApp(str(version) if version else None, str(each.get("url", "")))
    return None


def parse_processes(content: str, app_name: str) -> list[int]:
    """Numbers of the processes that run from an app's folder, in `device info processes`."""
    processes = parse_result(content).get("runningProcesses")
    found: list[int] = []
    for each in processes if isinstance(processes, list) else ():
        number = each.get("processIdentifier") if isinstance(each, dict) else None
        if isinstance(number, int) and f"/{app_name}/" in str(each.get("executable", "")):
            found.append(number)
    return found


def _answer(content: str) -> dict[str, Any]:
    try:
        answer = json_text.loads(content)
    except json_text.JsonFault as error:
        raise TransportError(f"devicectl wrote an answer that {error}", fix="update Xcode") from error
    if not isinstance(answer, dict):
        raise TransportError("devicectl wrote JSON that is not an object", fix="update Xcode")
    return answer


def _listed(device: dict[str, Any]) -> ListedPhone | None:
    hardware, properties = _part(device, "hardwareProperties"), _part(device, "deviceProperties")
    connection = _part(device, "connectionProperties")
    udid, identifier = hardware.get("udid"), device.get("identifier")
    if not isinstance(udid, str) or hardware.get("platform") != "iOS" or hardware.get("reality") == "simulated":
        return None
    version, build = properties.get("osVersionNumber"), properties.get("osBuildUpdate")
    pairing, tunnel = connection.get("pairingState"), connection.get("tunnelState")
    return ListedPhone(
        udid=udid,
        identifier=identifier if isinstance(identifier, str) else udid,
        product=_text(hardware.get("productType")),
        name=_text(properties.get("name")),
        os=(f"iOS {version}" + (f" ({build})" if build else "")) if version else None,
        paired=pairing == "paired" if isinstance(pairing, str) else None,
        # A phone that was here once stays in the list; `disconnected` is one whose tunnel waits for a command.
        connected=tunnel != "unavailable",
    )


def _error_lines(error: dict[str, Any], depth: int = 0) -> Iterator[str]:
    user = _part(error, "userInfo")
    said = _string(user.get("NSLocalizedDescription"))
    yield f"{said or 'error'} ({error.get('domain')} error {error.get('code')})"
    for key, value in sorted(user.items()):
        if key in ("NSLocalizedFailureReason", "NSLocalizedRecoverySuggestion", "BSErrorCodeDescription"):
            yield f"{key} = {_string(value)}"
    below = user.get("NSUnderlyingError")
    if isinstance(below, dict) and depth < 8:
        inner = below.get("error", below)
        if isinstance(inner, dict):
            yield from _error_lines(inner, depth + 1)


def _string(value: object) -> str | None:
    # Values are wrapped by their kind: {"string": "..."}.
    if isinstance(value, dict):
        value = value.get("string")
    return value if isinstance(value, str) else None


def _part(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
