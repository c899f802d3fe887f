"""Devices through `import pocketclip`: lists, checks, the emulated phone, building apps."""

from __future__ import annotations

from pathlib import Path

import pytest

import pocketclip
from pocketclip.benchmark.errors import (
    AppMissingError,
    DeviceTableError,
    DeviceUnsupportedError,
    EmulatorError,
    OptionError,
    UnknownDeviceError,
)


def test_lists_what_the_tables_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "devices.toml"
    table.write_text('[attic]\ntitle = "A phone of mine"\ntransport = "adb"\nmatch = { serial = "attic1" }\n')
    listed = pocketclip.list_devices(table)
    assert listed.known["attic"].title == "A phone of mine"
    assert {"host", "pixel7", "emulator-arm64"} <= listed.known.keys()
    assert "host" in {each.name for each in listed.attached}
    assert capsys.readouterr() == ("", "")


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "devices.toml").write_text("[attic")
    with pytest.raises(DeviceTableError):
        pocketclip.list_devices(tmp_path / "devices.toml")


def test_checks_this_computer() -> None:
    first, *others = pocketclip.check_device("host")
    assert first.met and "cores" in first.detail
    assert all(finding.met == (finding.fix is None) for finding in others)
    with pytest.raises(UnknownDeviceError):
        pocketclip.check_device("pixel700")


def test_an_emulated_phone_that_was_not_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path))
    phone = pocketclip.emulated_phone()
    assert not phone.running and phone.server.startswith("localfilesystem:")
    assert phone.stop() is False and phone.delete() is False
    with pytest.raises(EmulatorError):
        phone.start()
    with pytest.raises(DeviceUnsupportedError) as caught:
        pocketclip.emulated_phone("pixel7")
    assert caught.value.fix == "choose from: emulator-arm64"


def test_apps_that_cannot_be_built_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="choose among: android, ios"):
        pocketclip.build_app("windows")
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AppMissingError, match="the Android SDK"):
        pocketclip.build_app("android")
