"""Which attached device a name means, and what an attached device says of itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pocketclip.benchmark.devices import open_device
from pocketclip.benchmark.devices.android_app_device import AndroidAppDevice
from pocketclip.benchmark.devices.attached import find_adb_device, list_attached
from pocketclip.benchmark.devices.doctor import examine
from pocketclip.benchmark.devices.finding import attempt
from pocketclip.benchmark.devices.shell_device import ShellDevice
from pocketclip.benchmark.devices.shell_facts import device_facts, machine_state
from pocketclip.benchmark.devices.table import BUILT_IN, find_entry, load_table
from pocketclip.benchmark.errors import (
    AmbiguousDeviceError,
    AppMissingError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    DeviceUnsupportedError,
    MissingProgramError,
    TransportError,
)
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, DeviceKind, RunSettings
from pocketclip.benchmark.records.validity import judge_state
from pocketclip.benchmark.transport.adb import AdbDevice, AdbTransport

TABLE = load_table(BUILT_IN)
PIXEL = find_entry("pixel7", TABLE)
READY = AdbDevice("A1", "device", "Pixel 7")
OTHER = AdbDevice("B2", "device", "SM S911B")

# What a Pixel 7 answers; programs that it has and this machine has not are functions of the shell.
PHONE = r"""
getprop() { printf '[%s]\n' "ro.product.model]: [Pixel 7" "ro.build.version.release]: [14" \
  "ro.soc.model]: [GS201" "ro.serialno]: [A1"; }
dumpsys() { case "$1" in
  battery) printf 'Current Battery Service state:\n  AC powered: false\n  USB powered: true\n  level: LEVEL\n';;
  thermalservice) printf 'IsStatusOverride: false\nThermal Status: 3\nCached temperatures:\n';; esac; }
settings() { echo 1; }
"""
ADB = """case "$1" in
devices) printf 'List of devices attached\\nA1 device usb:1 model:Pixel_7 transport_id:1\\n';;
-s) shift 2; case "$1" in
  shell) {{ cat {phone}; printf '%s\\n' "$2"; }} | sh;;
  push|pull) cp "$2" "$3";;
  get-state) echo device;; esac;;
esac
"""


@pytest.fixture
def pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AdbTransport:
    """An adb that has a Pixel 7 attached, whose files are this machine's."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "phone").write_text(PHONE.replace("LEVEL", "12"))
    (tools / "adb").write_text("#!/bin/sh\n" + ADB.format(phone=tmp_path / "phone"))
    (tools / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return AdbTransport("A1", "pixel7")


def test_a_device_is_found_by_model_or_serial() -> None:
    assert find_adb_device(PIXEL, [OTHER, READY]) is READY
    assert find_adb_device(find_entry("galaxy-s23", TABLE), [OTHER, READY]) is OTHER


@contextmanager
def refused(kind: type[TransportError], *words: str) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    for each in words:
        assert each in str(caught.value)


def test_devices_that_cannot_be_used() -> None:
    with refused(DeviceNotFoundError, "pixel7 is not attached (adb lists: none)", "turn USB debugging on"):
        find_adb_device(PIXEL, [])
    with refused(DeviceNotFoundError, "adb lists: B2 (SM S911B)"):
        find_adb_device(PIXEL, [OTHER])
    with refused(AmbiguousDeviceError, "match pixel7: A1, A2", '[pixel7] with match = { serial = "A1" }'):
        find_adb_device(PIXEL, [READY, AdbDevice("A2", "device", "Pixel 7")])
    # Without a right to it adb tells no model: the one that is there may be meant.
    with refused(DeviceUnauthorizedError, "pixel7 (A1)", "'unauthorized'; unlock it"):
        find_adb_device(PIXEL, [AdbDevice("A1", "unauthorized"), OTHER])
    with refused(DeviceUnauthorizedError, "udev rules"):
        find_adb_device(PIXEL, [AdbDevice("A1", "no permissions")])
    with refused(DeviceOfflineError, "'offline'; unplug it"):
        find_adb_device(PIXEL, [AdbDevice("A1", "offline")])
    with refused(DeviceNotFoundError, "A1 (offline), A2 (offline)"):
        find_adb_device(PIXEL, [AdbDevice("A1", "offline"), AdbDevice("A2", "offline")])


def test_what_a_phone_says_of_itself(pixel: AdbTransport) -> None:
    facts = device_facts(pixel, PIXEL)
    assert (facts.name, facts.kind, facts.soc) == ("pixel7", DeviceKind.PHONE, "Google Tensor G2")
    assert facts.os.startswith("Android 14, Linux")
    assert facts.cpu == "2x Cortex-X1 + 2x Cortex-A78 + 4x Cortex-A55"
    assert facts.logical_cores == os.cpu_count()
    assert (facts.memory_bytes or 0) > 1 << 28
    assert facts.instance is not None and "A1" not in facts.instance


def test_the_state_of_a_phone_is_judged(pixel: AdbTransport, tmp_path: Path) -> None:
    state = machine_state(pixel)
    assert (state.battery_percent, state.charging, state.thermal_status, state.power_saver) == (12, True, 3, True)
    assert {each.code for each in judge_state(state)} >= {"power-saver"}
    phone = tmp_path / "phone"
    phone.write_text(PHONE.replace("LEVEL", "90").replace("Status: 3", "Status: 0").replace("echo 1", "echo 0"))
    assert "power-saver" not in {each.code for each in judge_state(machine_state(pixel))}


def test_a_phone_without_python_is_measured_on_by_the_app(
    pixel: AdbTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text(f'[pixel7]\npython = "/no/python3"\nworkspace = "{tmp_path}"\n')
    table = load_table(tmp_path / "own.toml")
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(tmp_path / "bench.apk"))
    device = open_device("pixel7", table)
    assert isinstance(device, AndroidAppDevice)
    assert device.lease_key == "adb-A1"
    with pytest.raises(
        AppMissingError, match=r"there is no APK .*bench.apk; build it with `pocketclip app build android`"
    ):
        device.check()
    findings = {each.precondition: each for each in examine(table["pixel7"])}
    assert findings["attached"].met and findings["unlocked"].met and not findings["app"].met
    assert not findings["power-saver"].met
    assert device.settings(RunSettings(accelerator=DEVICE_DEFAULT)).accelerator == DEVICE_DEFAULT
    defaults = {runtime: device.default_accelerator(runtime) for runtime in ("executorch", "litert", "onnxruntime")}
    assert defaults == {"executorch": "xnnpack", "litert": "xnnpack", "onnxruntime": "cpu"}
    with pytest.raises(DeviceUnsupportedError, match="'all' is not one of Android's"):
        device.settings(RunSettings(accelerator="all"))


def test_who_measures_on_a_phone_may_be_chosen(pixel: AdbTransport, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[pixel7]\npython = "/no/python3"\nrunner = "agent"\n')
    device = open_device("pixel7", load_table(tmp_path / "own.toml"))
    assert isinstance(device, ShellDevice)
    with pytest.raises(DeviceUnsupportedError, match=r'no Python with numpy; .*or let the app measure: runner = "app"'):
        device.check()
    with pytest.raises(DeviceUnsupportedError, match="--accelerator 'nnapi' is only for phones that use the app"):
        device.settings(RunSettings(accelerator="nnapi"))
    # An APK that is named is meant to be used.
    assert isinstance(open_device("pixel7", TABLE, app=tmp_path / "bench.apk"), AndroidAppDevice)


def test_no_phone_but_behind_adb(pixel: AdbTransport, tmp_path: Path) -> None:
    (tmp_path / "phone").write_text("getprop() { echo 'sh: getprop: not found' >&2; return 127; }\n")
    (tmp_path / "own.toml").write_text('[pixel7]\nrunner = "app"\n')
    with pytest.raises(DeviceUnsupportedError, match=r'answers adb but is not an Android phone.*runner = "agent"'):
        open_device("pixel7", load_table(tmp_path / "own.toml")).check()


def test_iphones_say_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgramError, match=r"no program for iPhones is available .*; .*install"):
        open_device("iphone15", TABLE)
    finding, *_ = examine(TABLE["iphone15"])
    assert not finding.met and "install" in str(finding.fix)


def test_what_is_attached_is_listed(pixel: AdbTransport) -> None:
    found, notes = list_attached(TABLE)
    assert notes == []
    by_name = {each.name: each for each in found}
    assert (by_name["pixel7"].identity, by_name["pixel7"].state) == ("A1", "ready, Pixel 7")
    assert by_name["host"].state == "ready"
    assert by_name["emulator-arm64"].state == "not created"
    assert by_name["raspberry-pi-5"].state == "configured"


def test_a_machine_without_adb_lists_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found, notes = list_attached(TABLE)
    assert [each.name for each in found][:2] == ["host", "emulator-arm64"]
    assert len(notes) == 1 and "apt-get install adb" in notes[0]


def test_the_doctor_says_all_that_it_can_at_once(
    pixel: AdbTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone that is not attached and an app that is not built: both are told, each with its own fix."""
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(tmp_path / "bench.apk"))
    failed = {each.precondition: each for each in examine(TABLE["galaxy-s23"]) if not each.met}
    assert list(failed) == ["attached", "app"]
    assert "turn USB debugging on" in str(failed["attached"].fix) and "app build android" in str(failed["app"].fix)


def test_a_fix_that_an_error_names_is_not_cut() -> None:
    error = DeviceOfflineError("it is silent; adb says 'a; b'", fix="unplug it; then plug it in")
    assert str(error) == "it is silent; adb says 'a; b'; unplug it; then plug it in"

    def fail() -> None:
        raise error

    finding, _ = attempt("attached", fail, str)
    assert (finding.detail, finding.fix) == ("it is silent; adb says 'a; b'", "unplug it; then plug it in")
