"""What Apple's programs and pymobiledevice3 print, as public tools keep it, and what is wrong in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pocketclip.benchmark.errors import (
    AppMissingError,
    AppSigningError,
    BenchmarkError,
    DeveloperImageError,
    DeveloperModeError,
    DeviceDisconnectedError,
    DeviceFullError,
    DeviceUnauthorizedError,
    ScreenLockedError,
    TransportError,
)
from pocketclip.benchmark.platforms.apple import devicectl_output, pymobiledevice_output
from pocketclip.benchmark.platforms.apple.announced import is_ending, read_console
from pocketclip.benchmark.platforms.apple.faults import FAULTS, fault_error, refusal
from pocketclip.benchmark.platforms.apple.phone import InstalledApp, PhoneState

HARDWARE = {"platform": "iOS", "productType": "iPhone16,1", "udid": "00008130-00AA", "reality": "physical"}
BUNDLE = "org.pocketclip.PocketCLIP"


def answer(result: dict[str, Any], **info: Any) -> str:
    return json.dumps({"info": {"jsonVersion": 2, "outcome": "success", **info}, "result": result})


def phone(**changes: Any) -> dict[str, Any]:
    """A phone in `list devices`; parts are changed, and left out where they are None."""
    parts: dict[str, Any] = {
        "connectionProperties": {"pairingState": "paired", "tunnelState": "disconnected", "transportType": "wired"},
        "deviceProperties": {"name": "Jo's iPhone", "osVersionNumber": "18.1", "osBuildUpdate": "22B83"},
        "hardwareProperties": HARDWARE,
        "identifier": "5B4C4E0B-0000",
        "somethingNew": [1],
    }
    return {key: value for key, value in (parts | changes).items() if value is not None}


def test_devices_of_devicectl() -> None:
    watch = phone(hardwareProperties={"platform": "watchOS", "udid": "w"})
    simulated = phone(hardwareProperties={"platform": "iOS", "udid": "s", "reality": "simulated"})
    bare = phone(deviceProperties=None, connectionProperties=None, identifier=None)
    away = phone(connectionProperties={"pairingState": "unpaired", "tunnelState": "unavailable"})
    found = devicectl_output.parse_devices(answer({"devices": [phone(), watch, simulated, bare, away, "odd"]}))
    assert [(each.identifier, each.os, each.paired, each.connected) for each in found] == [
        ("5B4C4E0B-0000", "iOS 18.1 (22B83)", True, True),
        ("00008130-00AA", None, None, True),
        ("5B4C4E0B-0000", "iOS 18.1 (22B83)", False, False),
    ]


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"info": {"outcome": "failed"}}), answer({})[:-20]])
def test_files_of_devicectl_that_are_no_answer(content: str) -> None:
    with pytest.raises(TransportError, match="devicectl wrote"):
        devicectl_output.parse_devices(content)


def test_state_by_devicectl() -> None:
    details = answer(
        phone(deviceProperties={"developerModeStatus": "enabled", "ddiServicesAvailable": False}),
    )
    lock = answer({"passcodeRequired": True, "unlockedSinceBoot": True})
    assert devicectl_output.parse_state(details, lock) == PhoneState(True, True, True, False)
    assert devicectl_output.parse_state(answer({}), None) == PhoneState(None, None, None, None)


def test_apps_and_processes_of_devicectl() -> None:
    place = "file:///private/var/containers/Bundle/Application/1/PocketCLIP.app/"
    apps = answer(
        {"apps": [{"bundleIdentifier": "other"}, {"bundleIdentifier": BUNDLE, "version": "1.0", "url": place}]}
    )
    assert devicectl_output.parse_apps(apps, BUNDLE) == InstalledApp("1.0", place)
    assert devicectl_output.parse_apps(answer({"apps": []}), BUNDLE) is None
    running = [{"executable": f"{place}PocketCLIP", "processIdentifier": 7}, {"processIdentifier": 8}, "odd"]
    assert devicectl_output.parse_processes(answer({"runningProcesses": running}), "PocketCLIP.app") == [7]


def test_errors_of_devicectl_are_read_to_their_causes() -> None:
    inner = {"code": 7, "domain": "FBS", "userInfo": {"BSErrorCodeDescription": {"string": "Locked"}}}
    error = {
        "code": 10002,
        "domain": "com.apple.dt.CoreDeviceError",
        "userInfo": {"NSLocalizedDescription": {"string": "Failed."}, "NSUnderlyingError": {"error": inner}},
    }
    said = devicectl_output.error_text(json.dumps({"error": error, "info": {"outcome": "failed"}}))
    assert said.splitlines() == [
        "Failed. (com.apple.dt.CoreDeviceError error 10002)",
        "error (FBS error 7)",
        "BSErrorCodeDescription = Locked",
    ]
    assert isinstance(fault_error(said, program="devicectl", label="x", what="start"), ScreenLockedError)
    assert devicectl_output.error_text("no JSON") == ""


def test_output_of_pymobiledevice3() -> None:
    listed = [
        {
            "DeviceClass": "iPhone",
            "UniqueDeviceID": "00008130-00AA",
            "ProductType": "iPhone16,1",
            "ProductVersion": "18.1",
        },
        {"DeviceClass": "iPhone", "UniqueDeviceID": "00008130-00AA", "ConnectionType": "Network"},
        {"DeviceClass": "iPad", "UniqueDeviceID": "i"},
        7,
    ]
    assert [each.udid for each in pymobiledevice_output.parse_devices(json.dumps(listed))] == ["00008130-00AA"]
    assert pymobiledevice_output.parse_locked('{"PasswordProtected": true}') is True
    assert pymobiledevice_output.parse_locked("{}") is None
    assert pymobiledevice_output.parse_battery('{"CurrentCapacity": 81, "IsCharging": false}') == (81, False)
    assert pymobiledevice_output.parse_battery('{"CurrentCapacity": 4000}') == (None, None)
    assert pymobiledevice_output.parse_battery("null") == (None, None)
    app = {BUNDLE: {"CFBundleVersion": "7", "Path": "/private/var/x.app"}}
    assert pymobiledevice_output.parse_app(json.dumps(app), BUNDLE) == InstalledApp("7", "/private/var/x.app")
    assert pymobiledevice_output.parse_app("{}", BUNDLE) is None
    with pytest.raises(TransportError, match="pipx upgrade"):
        pymobiledevice_output.parse_json("Traceback")
    log = "2026-01-01 10:00:00 pc pymobiledevice3.__main__[7] \x1b[1;31mERROR\x1b[0m \x1b[31mDevice is gone\x1b[0m\n"
    assert pymobiledevice_output.last_error(log) == "Device is gone"
    assert pymobiledevice_output.last_error("nothing known") == "nothing known"


# Messages as users of both programs met them -> what they mean.
SEEN: tuple[tuple[str, type[BenchmarkError]], ...] = (
    (
        "ERROR: The application failed to launch. (com.apple.dt.CoreDeviceError error 10002 (0x2712))\n"
        "NSLocalizedFailureReason = Unable to launch x because the device was not, or could not be, unlocked.",
        ScreenLockedError,
    ),
    (
        "ERROR: The application failed to launch. (com.apple.dt.CoreDeviceError error 10002)\nUnable to launch x "
        "because it has an invalid code signature, inadequate entitlements or its profile has not been explicitly "
        "trusted by the user.",
        AppSigningError,
    ),
    (
        "The application could not be launched because the Developer App Certificate is not trusted.",
        AppSigningError,
    ),
    (
        "ERROR: The application failed to launch. (com.apple.dt.CoreDeviceError error 10002)\n"
        "NSLocalizedRecoverySuggestion = Provide a valid bundle identifier.",
        AppMissingError,
    ),
    (
        "ERROR: The application failed to launch. (com.apple.dt.CoreDeviceError error 10002 (0x2712))\n"
        "Developer Mode is disabled on this device.",
        DeveloperModeError,
    ),
    ("The developer disk image could not be mounted on this device.", DeveloperImageError),
    ("Error mounting image: kAMDMobileImageMounterDeviceLocked: The device is locked.", ScreenLockedError),
    ("Failed to install embedded profile for x : 0xe8008012 (This provisioning profile cannot", AppSigningError),
    ("A connection to this device could not be established.", DeviceDisconnectedError),
    ("Device is password protected. Please unlock and retry.", ScreenLockedError),
    ("The user refused to trust this computer.", DeviceUnauthorizedError),
    ("The device does not recognize this computer's pairing record. Pair it again.", DeviceUnauthorizedError),
    ("AFC operation failed (AFC status NO_SPACE_LEFT).", DeviceFullError),
)


@pytest.mark.parametrize(("said", "kind"), SEEN)
def test_what_programs_say(said: str, kind: type[BenchmarkError]) -> None:
    error = fault_error(said, program="the program", label="my-phone", what="start the app")
    assert type(error) is kind
    assert str(error).startswith("my-phone cannot start the app: the program says ") and "; " in str(error)


def test_what_nobody_knows_is_passed_on() -> None:
    assert fault_error("Something else", program="p", label="x", what="y") is None
    error = refusal("One line\nAnd the last\n", program="p", label="x", what="y")
    assert type(error) is TransportError and "'And the last'" in str(error) and "devices doctor x" in str(error)
    assert "without a message" in str(refusal("", program="p", label="x", what="y"))
    assert all(words == words.lower() for fault in FAULTS for words in fault.words)


def test_the_console() -> None:
    digest = "ab" * 32
    told = read_console(
        f"measuring\nPOCKETCLIP-RESULT 7 {digest}\n2026 pc PID:3[7] INFO POCKETCLIP-RESULT 12 {digest}\n"
    )
    assert told.announced == ("12", digest) and told.signal is None and not told.killed
    assert read_console("App terminated due to signal 9.").killed
    log = "2026 pc p[7] WARNING Process with PID 3 terminated with exit code None or crashing signal 11"
    assert read_console(log).signal == 11 and not read_console(log).killed and is_ending(log)
    assert is_ending("Process with PID 3 terminated with exit code 0 or crashing signal None")
    assert not is_ending(f"POCKETCLIP-RESULT 7 {digest[:-1]}") and not is_ending("measuring")
