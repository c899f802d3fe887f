"""A stand-in for `xcrun devicectl` and `xcrun coremlcompiler`: the commands that we use, their output as Apple's is.

Forms are those of Xcode 16 (devicectl 397, `jsonVersion` 2), as public tools keep them in their tests.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from phone_state import Phone, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Code and domain of an error and its words; faults have a list of them, each the cause of the one before.
Cause = tuple[int, str, dict[str, str]]
CORE = "com.apple.dt.CoreDeviceError"
FAULTS: dict[str, list[Cause]] = {
    "disconnected": [
        (4000, CORE, {"NSLocalizedDescription": "A connection to this device could not be established."}),
        (1, "com.apple.dt.RemotePairingError", {"NSLocalizedDescription": "The device was disconnected."}),
    ],
    "unpaired": [(2, CORE, {"NSLocalizedDescription": "The device must be paired before it can be connected."})],
    "locked": [
        (10002, CORE, {"NSLocalizedDescription": "The application failed to launch."}),
        (
            1,
            "FBSOpenApplicationServiceErrorDomain",
            {
                "NSLocalizedFailureReason": "The request was denied by service delegate (SBMainWorkspace) for reason: "
                'Locked ("Unable to launch org.pocketclip.PocketCLIP because the device was not, or could not be, '
                'unlocked").',
                "BSErrorCodeDescription": "RequestDenied",
            },
        ),
        (7, "FBSOpenApplicationErrorDomain", {"BSErrorCodeDescription": "Locked"}),
    ],
    "developer-mode": [
        (10002, CORE, {"NSLocalizedDescription": "The application failed to launch."}),
        (9, CORE, {"NSLocalizedDescription": "Developer Mode is disabled on this device."}),
    ],
    "image": [
        (12040, CORE, {"NSLocalizedDescription": "The developer disk image could not be mounted on this device."})
    ],
    "not-installed": [
        (10002, CORE, {"NSLocalizedDescription": "The application failed to launch."}),
        (
            1,
            "FBSOpenApplicationServiceErrorDomain",
            {
                "NSLocalizedRecoverySuggestion": "Provide a valid bundle identifier.",
                "NSLocalizedFailureReason": "The requested application is not installed.",
            },
        ),
    ],
    "developer-untrusted": [
        (10002, CORE, {"NSLocalizedDescription": "The application failed to launch."}),
        (
            3,
            "FBSOpenApplicationErrorDomain",
            {
                "NSLocalizedDescription": "Unable to launch org.pocketclip.PocketCLIP because it has an invalid code "
                "signature, inadequate entitlements or its profile has not been explicitly trusted by the user.",
                "BSErrorCodeDescription": "Security",
            },
        ),
    ],
    "signing": [
        (3002, CORE, {"NSLocalizedDescription": "Failed to install the app on the device."}),
        (
            14,
            "IXUserPresentableErrorDomain",
            {
                "NSLocalizedDescription": "Unable to Install “PocketCLIP”",
                "NSLocalizedFailureReason": "This app cannot be installed because its integrity could not be verified.",
            },
        ),
    ],
    "space": [
        (3002, CORE, {"NSLocalizedDescription": "Failed to install the app on the device."}),
        (28, "NSPOSIXErrorDomain", {"NSLocalizedDescription": "No space left on device"}),
    ],
    "refused": [
        (3002, CORE, {"NSLocalizedDescription": "Failed to install the app on the device."}),
        (13, "MIInstallerErrorDomain", {"NSLocalizedDescription": "The system version is lower than the minimum."}),
    ],
    "no-such-file": [
        (7000, CORE, {"NSLocalizedDescription": "The specified file could not be transferred."}),
        (2, "NSPOSIXErrorDomain", {"NSLocalizedDescription": "No such file or directory"}),
    ],
}


def options(arguments: list[str], flags: tuple[str, ...] = ()) -> tuple[dict[str, str], list[str]]:
    """Options with their values, and what is left; `flags` are options without one."""
    found: dict[str, str] = {}
    rest: list[str] = []
    left = iter(arguments)
    for word in left:
        if word in flags:
            found[word] = "true"
        elif word.startswith("--"):
            found[word] = next(left)
        else:
            rest.append(word)
    return found, rest


def listed(state: dict[str, Any], phone: Phone) -> list[dict[str, Any]]:
    """The devices of `list devices`: a phone that is away stays, unavailable."""
    there = phone.listed()
    devices = [device(state | {"attached": there})]
    if state["second"]:
        twin = {"udid": "00008130-000A11CE0F00BA13", "core_device": "5B4C4E0B-0000-4000-8000-00000000A002"}
        devices.append(device(state | twin | {"attached": True}))
    return devices


def device(state: dict[str, Any]) -> dict[str, Any]:
    """A device as `list devices` and `device info details` have it."""
    connection: dict[str, Any] = {
        "authenticationType": "manualPairing",
        "isMobileDeviceOnly": False,
        "pairingState": "paired" if state["paired"] else "unpaired",
        "potentialHostnames": [f"{state['udid']}.coredevice.local"],
        "tunnelState": "disconnected" if state["attached"] else "unavailable",
    }
    if state["attached"]:
        connection["transportType"] = "wired"
    return {
        "capabilities": [{"featureIdentifier": "com.apple.coredevice.feature.connectdevice", "name": "Connect"}],
        "connectionProperties": connection,
        "deviceProperties": {
            "bootState": "booted",
            "ddiServicesAvailable": state["image_mounted"],
            "developerModeStatus": "enabled" if state["developer_mode"] else "disabled",
            "name": state["name"],
            "osBuildUpdate": state["build"],
            "osVersionNumber": state["os"],
        },
        "hardwareProperties": {
            "cpuType": {"name": "arm64e", "subType": 2, "type": 16777228},
            "deviceType": "iPhone",
            "marketingName": "iPhone 15 Pro",
            "platform": "iOS",
            "productType": state["product"],
            "reality": "physical",
            "udid": state["udid"],
        },
        "identifier": state["core_device"],
        "tags": [],
        "visibilityClass": "default",
    }


def answer(phone: Phone, command: list[str], given: dict[str, str], rest: list[str]) -> dict[str, Any]:
    """The `result` of a command."""
    bundle = given.get("--domain-identifier") or given.get("--bundle-id") or ""
    match command:
        case ["list", "devices"]:
            return {"devices": listed(phone.read(), phone)}
        case ["device", "info", "details"]:
            return device(phone.require(paired=False))
        case ["device", "info", "lockState"]:
            state = phone.require()
            identifier = state["core_device"]
            return {"deviceIdentifier": identifier, "passcodeRequired": state["locked"], "unlockedSinceBoot": True}
        case ["device", "info", "ddiServices"]:
            phone.mount()
            return {"ddiServicesAvailable": True}
        case ["device", "info", "apps"]:
            app = phone.app(bundle)
            return {"apps": [] if app is None else [listed_app(app)], "matchingBundleIdentifier": bundle}
        case ["device", "info", "processes"]:
            state = phone.require()
            app = state["app"]
            running = [{"executable": f"file://{app['place']}/PocketCLIP", "processIdentifier": state["pid"]}]
            return {"runningProcesses": running if app else []}
        case ["device", "process", "terminate"]:
            phone.require()
            return {"process": {"processIdentifier": int(given["--pid"])}}
        case ["device", "install", "app"]:
            app = phone.install(Path(rest[0]))
            return {
                "installedApplications": [{"bundleID": app["bundle"], "installationURL": f"file://{app['place']}/"}]
            }
        case ["device", "copy", "to"]:
            phone.push(bundle, Path(given["--source"]), given["--destination"])
            return {"destination": given["--destination"]}
        case ["device", "copy", "from"]:
            goal = Path(given["--destination"])
            if goal.exists():
                raise SystemExit("ERROR: the destination exists")
            phone.pull(bundle, given["--source"], goal)
            return {"destination": str(goal)}
        case _:
            raise SystemExit(f"ERROR: Unknown command {command}")


def listed_app(app: dict[str, Any]) -> dict[str, Any]:
    """An app as `device info apps` has it."""
    return {
        "appClip": False,
        "builtByDeveloper": True,
        "bundleIdentifier": app["bundle"],
        "bundleVersion": app["version"],
        "name": "PocketCLIP",
        "removable": True,
        "url": f"file://{app['place']}/",
        "version": "1.0",
    }


def nested(causes: list[Cause]) -> dict[str, Any]:
    """An NSError as JSON, its causes inside."""
    code, domain, user = causes[0]
    info: dict[str, Any] = {key: {"string": value} for key, value in user.items()}
    if causes[1:]:
        info["NSUnderlyingError"] = {"error": nested(causes[1:])}
    return {"code": code, "domain": domain, "userInfo": info}


def printed(causes: list[Cause]) -> str:
    """The same as devicectl prints it."""
    lines: list[str] = []
    for depth, (code, domain, user) in enumerate(causes):
        words = user.get("NSLocalizedDescription", "The request failed.")
        lines.append(f"{'ERROR: ' if depth == 0 else '       '}{words} ({domain} error {code} (0x{code:X}))")
        lines += [f"         {key} = {value}" for key, value in user.items() if key != "NSLocalizedDescription"]
    return "\n".join(lines)


def launch(phone: Phone, given: dict[str, str], bundle: str) -> int:
    """`device process launch --console`: the app's lines, until it ends."""
    # devicectl that is ended ends the app, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    print("Launched application with org.pocketclip.PocketCLIP bundle identifier.", flush=True)
    print("Waiting for the application to terminate...", flush=True)
    ended = phone.start(bundle, json.loads(given.get("--environment-variables", "{}")), say)
    if ended is not None:
        say(f"App terminated due to signal {ended}.")
        return 1
    return 0


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    phone = Phone.of_environment()
    phone.log(["xcrun", *arguments])
    if arguments[:2] == ["coremlcompiler", "compile"]:
        phone.compile(Path(arguments[2]), Path(arguments[3]))
        return 0
    if arguments[:1] != ["devicectl"]:
        print(
            f'xcrun: error: unable to find utility "{arguments[0]}", not a developer tool or in PATH', file=sys.stderr
        )
        return 72
    words = arguments[1:]
    size = 2 if words[0] == "list" else 3
    command = words[:size]
    given, rest = options(words[size:], ("--console", "--terminate-existing", "--kill", "--auto-mount-ddis"))
    info = {"arguments": arguments, "commandType": ".".join(["devicectl", *command]), "jsonVersion": 2}
    try:
        if command == ["device", "process", "launch"]:
            return launch(phone, given, rest[0])
        result = answer(phone, command, given, rest)
    except Refused as refused:
        causes = FAULTS[refused.fault]
        write(given, info | {"outcome": "failed"}, {"error": nested(causes)})
        print(printed(causes), file=sys.stderr)
        return 1
    write(given, info | {"outcome": "success"}, {"result": result})
    return 0


def write(given: dict[str, str], info: dict[str, Any], content: dict[str, Any]) -> None:
    """The file of `--json-output`, where it is asked for."""
    if "--json-output" in given:
        Path(given["--json-output"]).write_text(json.dumps({"info": info} | content, indent=2))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
