"""A stand-in for `pymobiledevice3`: the commands that we use, JSON on stdout, a log on stderr, as version 11 has them.

Written from its documentation and what it prints; nothing of it is in here.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

from phone_state import Phone, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Fault -> what is logged.
FAULTS: dict[str, str] = {
    "disconnected": "Connection was terminated abruptly.",
    "unpaired": "Waiting for the user to answer the Trust dialog on the device.",
    "locked": "Device is password protected. Please unlock and retry.",
    "developer-mode": "Developer Mode is not enabled on this device.",
    "image": "Unable to find the correct DeveloperDiskImage",
    "not-installed": "No app with bundle ID org.pocketclip.PocketCLIP is installed.",
    "developer-untrusted": "Unable to launch org.pocketclip.PocketCLIP because it has an invalid code signature, "
    "inadequate entitlements or its profile has not been explicitly trusted by the user",
    "signing": "ApplicationVerificationFailed: Failed to verify code signature of PocketCLIP.app : 0xe8008015 "
    "(A valid provisioning profile for this executable was not found.)",
    "space": "AFC operation failed (AFC status NO_SPACE_LEFT).",
    "refused": "Installing, upgrading or removing the app failed.",
    "no-such-file": "AFC operation failed (AFC status OBJECT_NOT_FOUND).",
}
UNKNOWN = "No device with the requested UDID was found."


def log(level: str, message: str) -> None:
    """A line as the program's log has it."""
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{now} test pymobiledevice3.__main__[77] {level} {message}", file=sys.stderr, flush=True)


def show(value: object) -> None:
    print(json.dumps(value, sort_keys=True, indent=4))


def short(state: dict[str, Any], udid: str) -> dict[str, Any]:
    """A device as `usbmux list` has it."""
    return {
        "BuildVersion": state["build"],
        "ConnectionType": "USB",
        "DeviceClass": "iPhone",
        "DeviceName": state["name"],
        "Identifier": udid,
        "ProductType": state["product"],
        "ProductVersion": state["os"],
        "UniqueDeviceID": udid,
    }


def listed(phone: Phone) -> list[dict[str, Any]]:
    """The devices that are attached."""
    state = phone.read()
    found = [short(state, state["udid"])] if phone.listed() else []
    return [*found, short(state, "00008130-000A11CE0F00BA13")] if state["second"] else found


def query(phone: Phone, bundle: str) -> dict[str, Any]:
    """`apps query`."""
    app = phone.app(bundle)
    if app is None:
        return {}
    return {bundle: {"CFBundleIdentifier": bundle, "CFBundleVersion": app["version"], "Path": app["place"]}}


def launch(phone: Phone, words: list[str], variables: list[str], stream: bool) -> None:
    """`developer dvt launch`: with `--stream` it goes on after the app's end."""
    ended = phone.start(
        words[0].split()[0],
        dict(each.split("=", 1) for each in variables),
        lambda line: log("INFO", str(line)) if stream else None,
    )
    print(f"Process launched with pid {phone.read()['pid']}", flush=True)
    code = 0 if ended is None else None
    log(
        "WARNING", f"Process with PID {phone.read()['pid']} terminated with exit code {code} or crashing signal {ended}"
    )
    while stream:
        signal.pause()


def run(phone: Phone, words: list[str], given: dict[str, list[str]]) -> None:
    documents = "--documents" in given
    match words:
        case ["usbmux", "list"]:
            show(listed(phone))
        case ["lockdown", "info"]:
            state = phone.require()
            show(short(state, state["udid"]) | {"PasswordProtected": state["locked"]})
        case ["amfi", "developer-mode-status"]:
            show(phone.require()["developer_mode"])
        case ["mounter", "list"]:
            mounted = phone.require()["image_mounted"]
            show([{"DiskImageType": "Personalized", "IsMounted": True}] if mounted else [])
        case ["mounter", "auto-mount"]:
            phone.mount()
        case ["diagnostics", "battery", "single"]:
            phone.require()
            show({"CurrentCapacity": 88, "IsCharging": True, "Temperature": 3010})
        case ["apps", "query", bundle]:
            show(query(phone, bundle))
        case ["apps", "install", package]:
            phone.install(Path(package))
        case ["apps", "push", bundle, local, remote] if documents:
            phone.push(bundle, Path(local), remote)
        case ["apps", "pull", bundle, remote, local] if documents:
            phone.pull(bundle, remote, Path(local))
        case ["apps", "rm", bundle, remote] if documents:
            phone.remove(bundle, remote)
        case ["developer", "dvt", "launch", *rest]:
            launch(phone, rest, given.get("--env", []), "--stream" in given)
        case ["developer", "dvt", "pkill", _]:
            phone.require(developer=True)
        case _:
            print(f"Usage: pymobiledevice3 [OPTIONS] COMMAND [ARGS]...\nNo such command {words}", file=sys.stderr)
            raise SystemExit(2)


def main(arguments: list[str]) -> int:
    phone = Phone.of_environment()
    phone.log(["pymobiledevice3", *arguments])
    words: list[str] = []
    given: dict[str, list[str]] = {}
    left = iter(arguments)
    for word in left:
        if word in ("--udid", "--env"):
            given.setdefault(word, []).append(next(left))
        elif word.startswith("--"):
            given.setdefault(word, [])
        else:
            words.append(word)
    state = phone.read()
    try:
        asked = given.get("--udid")
        if asked is not None and (asked != [state["udid"]] or not state["attached"]):
            log("ERROR", UNKNOWN)
            return 1
        run(phone, words, given)
    except Refused as refused:
        log("ERROR", FAULTS[refused.fault])
        log("INFO", "Run again with -v for the full traceback (include it when reporting an issue)")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
