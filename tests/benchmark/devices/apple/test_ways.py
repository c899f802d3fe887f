"""Which program reaches iPhones, reading a program while it runs, the app as a package, and Macs."""

from __future__ import annotations

import os
import plistlib
import sys
import time
import types
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.devices.attached_iphones import find_phone, fits
from pocketclip.benchmark.devices.mac_device import MacDevice
from pocketclip.benchmark.devices.opening import open_device
from pocketclip.benchmark.devices.table import DeviceEntry, Match, TransportName, load_table
from pocketclip.benchmark.errors import AppMissingError, AppSigningError, DeviceUnsupportedError, MissingProgramError
from pocketclip.benchmark.phone_app.iphone_package import IPhonePackage, find_package
from pocketclip.benchmark.platforms import host
from pocketclip.benchmark.platforms.apple.phone import ListedPhone
from pocketclip.benchmark.platforms.apple.watched import run_watched
from pocketclip.benchmark.platforms.apple.ways import WayName, choose_way
from pocketclip.benchmark.records.accelerators import CORE_AI_ACCELERATORS, CORE_ML_ACCELERATORS
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, RunSettings
from pocketclip.export.precision import TargetName
from pocketclip.export.runtimes import COMPUTE_UNITS, SPECIALIZATIONS, CoreAISession, CoreMLSession

PHONE = ListedPhone("00008130-000A", "core", "iPhone16,1", "Jo's", "iOS 18.1", True, True)
ENTRY = DeviceEntry("my-phone", "mine", TransportName.IOS, Match(products=("iPhone16,1",)))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def test_the_program_to_use(programs: Path) -> None:
    for platform, fix in (("darwin", "Xcode 15"), ("linux", "pipx install pymobiledevice3")):
        with pytest.raises(MissingProgramError, match=fix):
            choose_way(platform=platform)
    put(programs, "pymobiledevice3")
    assert choose_way(platform="darwin").name is WayName.PYMOBILEDEVICE3
    put(programs, "xcrun")
    assert choose_way(platform="darwin").name is WayName.DEVICECTL
    assert choose_way(platform="linux").name is WayName.PYMOBILEDEVICE3
    assert choose_way("devicectl", platform="linux").compile_model is not None
    assert choose_way("pymobiledevice3", platform="darwin").compile_model is None


def test_the_phone_that_is_meant() -> None:
    assert find_phone(ENTRY, [replace(PHONE, udid="other", connected=False), PHONE], WayName.DEVICECTL) == PHONE
    by_number = replace(ENTRY, match=Match(udid="00008130000a"))
    assert fits(by_number, PHONE) and not fits(by_number, replace(PHONE, udid="00008130-000B"))
    assert not fits(ENTRY, replace(PHONE, product=None))


def test_a_program_is_read_while_it_runs() -> None:
    def run(code: str, seconds: float = 10.0) -> tuple[int | None, str, float]:
        started = time.monotonic()
        ended = run_watched(
            [sys.executable, "-S", "-u", "-c", code],
            timeout_seconds=seconds,
            environment=os.environ,
            enough=lambda line: line == "enough",
        )
        return ended.exit_code, ended.stdout, time.monotonic() - started

    assert run("print('enough'); raise SystemExit(3)")[:2] == (3, "enough\n")
    code, said, took = run("import time; print('enough'); time.sleep(60)", 30.0)
    assert (code, said) == (0, "enough\n") and took < 20
    code, said, _ = run("import time; print('not enough'); print('enou', end='', flush=True); time.sleep(60)", 1.5)
    assert (code, said) == (None, "not enough\nenou")
    assert run("import os; os.close(1); os.close(2); raise SystemExit(0)")[:2] == (0, "")


def test_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCKETCLIP_IOS_APP", raising=False)
    with pytest.raises(AppMissingError, match="pocketclip app build ios"):
        find_package(sources=tmp_path)
    info = plistlib.dumps({"CFBundleIdentifier": "org.example.clip"})
    archive = tmp_path / "clip.ipa"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("Payload/Clip.app/Info.plist", info)
    with pytest.raises(AppSigningError, match="is not signed"):
        find_package(archive)
    with zipfile.ZipFile(archive, "a") as content:
        content.writestr("Payload/Clip.app/_CodeSignature/CodeResources", b"files")
    assert find_package(archive).bundle == "org.example.clip"
    built = tmp_path / "ios_app/build/Build/Products/Release-iphoneos/Clip.app"
    (built / "_CodeSignature").mkdir(parents=True)
    (built / "_CodeSignature" / "CodeResources").write_text("files")
    (built / "Info.plist").write_bytes(info)
    package = find_package(sources=tmp_path)
    before = package.sha256
    (built / "Clip").write_text("code")
    assert IPhonePackage(built).sha256 != before
    (built / "Info.plist").write_bytes(b"no plist")
    with pytest.raises(AppMissingError, match="is not an iPhone app"):
        find_package(built)


def test_a_mac_is_needed_for_apples_runtimes() -> None:
    device = open_device("mac", load_table())
    assert isinstance(device, MacDevice)
    if sys.platform != "darwin":
        with pytest.raises(DeviceUnsupportedError, match="run this on a Mac, or use --device host"):
            device.check()
    mac = MacDevice(platform="darwin")
    mac.check()
    assert [mac.untimed_reason(target) for target in (TargetName.COREML, TargetName.COREAI)] == [None, None]
    assert tuple(COMPUTE_UNITS) == CORE_ML_ACCELERATORS == ("all", "cpu+ane", "cpu+gpu", "cpu")
    assert tuple(SPECIALIZATIONS) == CORE_AI_ACCELERATORS == ("all", "gpu", "npu", "cpu")
    for accelerator in (*CORE_ML_ACCELERATORS, *CORE_AI_ACCELERATORS):
        asked = RunSettings(accelerator=accelerator)
        assert mac.settings(asked) == asked
    assert mac.settings(RunSettings(accelerator=DEVICE_DEFAULT)).accelerator == DEVICE_DEFAULT
    assert [mac.default_accelerator(runtime) for runtime in ("coreml", "coreai", "onnxruntime")] == [
        "all",
        "all",
        "cpu",
    ]
    with pytest.raises(
        DeviceUnsupportedError, match=r"none of Apple's runtimes'; choose among, for Core ML: all, cpu\+ane"
    ):
        mac.settings(RunSettings(accelerator="nnapi"))


def test_a_mac_by_its_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    chips = {name: entry.soc for name, entry in load_table().items() if name.startswith("mac-")}
    assert {"mac-m3", "mac-m4-pro", "mac-m5-max"} <= set(chips) and chips["mac-m4-pro"] == "Apple M4 Pro"
    assert open_device("mac-m5", load_table()).lease_key == open_device("mac", load_table()).lease_key
    monkeypatch.setattr(host, "_cpu_name", lambda: "Apple M5")
    mac = MacDevice("mac-m5", soc="Apple M5", platform="darwin")
    mac.check()
    assert (mac.facts().name, mac.facts().soc) == ("mac-m5", "Apple M5")
    assert MacDevice(platform="darwin").facts().soc == "Apple M5"
    with pytest.raises(DeviceUnsupportedError, match=r"a Mac with Apple M5 Max, and it has Apple M5; use --device mac"):
        MacDevice("mac-m5-max", soc="Apple M5 Max", platform="darwin").check()


def test_core_ai_gets_the_specialisation_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Core AI itself runs on no Linux: what Apple's package is asked for is looked at, by its real names."""
    authoring, runtime = pytest.importorskip("coreai.authoring"), pytest.importorskip("coreai.runtime")
    asked: list[object] = []

    class Options:
        is_supported = staticmethod(lambda: True)
        default = staticmethod(lambda: "default")
        cpu_only = staticmethod(lambda: "cpu only")
        from_preferred_compute_unit_kind = staticmethod(lambda kind: f"prefer {kind}")

    assert {name for name in vars(Options) if not name.startswith("_")} <= set(dir(runtime.SpecializationOptions))

    class Asset:
        def executable(self, options: object = None) -> Asset:
            asked.append(options)
            return self

        async def __aenter__(self) -> types.SimpleNamespace:
            described = types.SimpleNamespace(input_names=["x"], output_names=["y"])

            async def double(given: dict[str, Any]) -> dict[str, Any]:
                return {"y": runtime.NDArray(given["x"].numpy() * 2)}

            double.desc = described  # pyright: ignore[reportFunctionMemberAccess]
            return types.SimpleNamespace(function_names=["main"], load_function=lambda _: double)

        async def __aexit__(self, *_: object) -> None: ...

    units = types.SimpleNamespace(gpu=lambda: "gpu", neural_engine=lambda: "neural engine")
    monkeypatch.setattr(authoring.AIModelAsset, "load", lambda _: Asset())
    monkeypatch.setattr(runtime, "SpecializationOptions", Options)
    monkeypatch.setattr(runtime, "ComputeUnitKind", units, raising=False)
    for accelerator in SPECIALIZATIONS:
        session = CoreAISession("model.aimodel", 1, accelerator)
        assert session.run([np.ones(2, np.float32)])[0].tolist() == [2.0, 2.0]
        session.close()
    assert asked == ["default", "prefer gpu", "prefer neural engine", "cpu only"]
    monkeypatch.setattr(Options, "is_supported", staticmethod(lambda: False))
    with pytest.raises(RuntimeError, match="comes with macOS 27"):
        CoreAISession("model.aimodel", 1, "cpu")
    CoreAISession("model.aimodel", 1).close()
    assert asked[-1] is None, "without one, whatever runs it here"


def test_core_ml_gets_the_units_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Core ML itself runs on no Linux: what coremltools is asked for is looked at, by its real names."""
    import coremltools

    asked: list[object] = []

    class Model:
        def __init__(self, path: str, compute_units: object) -> None:
            asked.append(compute_units)

        def get_spec(self) -> types.SimpleNamespace:
            named = [types.SimpleNamespace(name="x")]
            return types.SimpleNamespace(description=types.SimpleNamespace(input=named, output=named))

        def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"x": inputs["x"] * 2}

    monkeypatch.setattr(coremltools.models, "MLModel", Model)
    for accelerator in COMPUTE_UNITS:
        session = CoreMLSession("model.mlpackage", 1, accelerator)
        assert session.run([np.ones(2)])[0].tolist() == [2.0, 2.0]
        session.close()
    units = coremltools.ComputeUnit
    assert asked == [units.ALL, units.CPU_AND_NE, units.CPU_AND_GPU, units.CPU_ONLY]
