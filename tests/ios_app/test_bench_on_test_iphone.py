"""`bench --device test-iphone`: the whole way, by both programs, whose stand-ins start the app's headless core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketclip.benchmark.devices.doctor import examine
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.devices.iphone_device import IPhoneDevice
from pocketclip.benchmark.devices.opening import open_device
from pocketclip.benchmark.devices.table import find_entry, load_table
from pocketclip.benchmark.errors import BenchmarkError, DeviceUnsupportedError, MissingProgramError
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.measuring.throughput import ThroughputPlan
from pocketclip.benchmark.measuring.throughput import measure as measure_throughput
from pocketclip.benchmark.records.benchmark import (
    DEVICE_DEFAULT,
    BenchmarkRecord,
    DeviceKind,
    LoadMode,
    RunSettings,
    Status,
    WarmupRule,
)
from pocketclip.benchmark.records.throughput import ThroughputRecord
from pocketclip.benchmark.runners.photo_folder import ON_PHONES, read_photos
from pocketclip.benchmark.statistics.summaries import median_first_load_ns, median_load_ns
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents
from tests.ios_app import test_phone
from tests.ios_app.swift_package import SwiftBuild
from tests.ios_app.test_phone import TestIPhone

MakePhone = Callable[[str], TestIPhone]
Run = Callable[..., subprocess.CompletedProcess[str]]

NAME = "test-iphone"
# Starts of the app before the first that measures: facts, and the folders.
BEFORE_MEASURING = 2
QUICK = RunSettings(
    iterations=3, launches=2, warmup=WarmupRule(maximum_iterations=5, minimum_iterations=1), accelerator="all"
)


ONCE = replace(QUICK, launches=1)


class Notes(SilentWatch):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


def open_iphone(iphone: TestIPhone, notes: Notes, **options: Any) -> IPhoneDevice:
    device = open_device(NAME, load_table(iphone.table), say=notes.note, **options)
    assert isinstance(device, IPhoneDevice)
    device._reconnect_seconds = 2.0  # pyright: ignore[reportPrivateUsage]
    return device


def bench(
    iphone: TestIPhone,
    *artifacts: Artifact,
    settings: RunSettings = QUICK,
    timeout_seconds: float = 60.0,
    notes: Notes | None = None,
) -> list[BenchmarkRecord]:
    """What `bench` does there, in this process."""
    notes = notes or Notes()
    device = open_iphone(iphone, notes)
    device.check()
    plan = BenchmarkPlan(artifacts, (device.settings(settings),), timeout_seconds, cooldown_seconds=0.0)
    return run_plan(plan, device, append=lambda _: None, watch=notes)


def test_an_artifact_is_measured(iphone: TestIPhone, tiny: Artifact) -> None:
    iphone.teach(tiny)
    notes = Notes()
    (record,) = bench(iphone, tiny, notes=notes)
    assert record.status is Status.MEASURED, record.reason
    assert record.device.name == NAME and record.device.kind is DeviceKind.EMULATED
    assert record.device.os == "iOS 18.1 (22B83)"
    assert record.runtime.name == "coreml" and record.runtime.version == "replay of the reference executor"
    assert (record.runtime.accelerator_requested, record.runtime.accelerator_observed) == ("all", None)
    assert record.golden_check is not None and record.golden_check.cosine_min > 0.999
    assert record.golden_check.exported_cosine_min > 0.999999
    assert len(record.agent_sha256 or "") == 64
    assert all(len(launch.steady_ns) >= 3 and launch.during for launch in record.launches)
    # A first load is kept apart from those after it.
    assert [launch.first_load for launch in record.launches] == [True, False]
    assert median_first_load_ns(record) == record.launches[0].load_ns
    assert median_load_ns(record) == record.launches[1].load_ns
    assert notes.said == [f"installing the measuring app on {NAME}"]
    assert iphone.left() == [], "Documents are not as they were"


def test_one_start_of_the_app_for_each_launch(iphone: TestIPhone, tiny: Artifact) -> None:
    iphone.teach(tiny)
    bench(iphone, tiny)
    launches = [call for call in iphone.phone.calls() if "launch" in call]
    # Facts, the folders and two launches; devicectl has no means to remove, so that the app does.
    assert len(launches) == BEFORE_MEASURING + QUICK.launches + (iphone.way == "devicectl")
    fresh = "--terminate-existing" if iphone.way == "devicectl" else "--kill-existing"
    assert all(fresh in call and "POCKETCLIP_BENCH" in " ".join(call) for call in launches)
    pushed = [word for call in iphone.phone.calls() for word in call if "model.mlpackage/" in word]
    compiled = any("coremlcompiler" in call for call in iphone.phone.calls())
    assert compiled == (iphone.way == "devicectl") and bool(pushed) != compiled


def test_what_lay_in_documents_stays(iphone: TestIPhone, tiny: Artifact) -> None:
    iphone.teach(tiny)
    iphone.phone.install(iphone.package)
    (iphone.phone.documents / "holiday.bundle").write_text("mine")
    stale = iphone.phone.documents / "pocketclip-bench" / "of-a-killed-bench"
    stale.mkdir(parents=True)
    (stale / "model.bin").write_text("old")
    (record,) = bench(iphone, tiny, settings=ONCE)
    assert record.status is Status.MEASURED, record.reason
    assert iphone.left() == ["holiday.bundle"]


def test_the_app_is_installed_once_for_each_build(iphone: TestIPhone) -> None:
    said: list[list[str]] = []

    def installs() -> list[str]:
        notes = Notes()
        with open_iphone(iphone, notes).open_runner():
            return notes.said

    said.append(installs())
    said.append(installs())
    iphone.make_package("2")
    said.append(installs())
    # Somebody else installs an app in its place.
    iphone.phone.install(iphone.package)
    said.append(installs())
    update = [f"updating the measuring app on {NAME}"]
    assert said == [[f"installing the measuring app on {NAME}"], [], update, update]


def test_an_image_that_is_not_mounted_is_mounted(iphone: TestIPhone, tiny: Artifact) -> None:
    iphone.teach(tiny)
    iphone.phone.change(image_mounted=False)
    notes = Notes()
    (record,) = bench(iphone, tiny, settings=ONCE, notes=notes)
    assert record.status is Status.MEASURED, record.reason
    assert f"mounting the developer disk image on {NAME}" in notes.said


# What is wrong with the phone -> the error's code, exit code, and words of its fix.
REFUSALS: dict[str, tuple[dict[str, Any], str, int, str]] = {
    "not-attached": ({"attached": False}, "device-not-found", 11, "plug it in"),
    "ambiguous": ({"second": True}, "device-ambiguous", 14, "match = { udid ="),
    "untrusted": ({"paired": False}, "device-unauthorized", 12, "Trust This Computer"),
    "locked": ({"locked": True}, "screen-locked", 20, "unlock it"),
    "developer-mode-off": ({"developer_mode": False}, "developer-mode-off", 28, "Privacy & Security > Developer Mode"),
    "no-image": ({"image_mounted": False, "image_available": False}, "image-not-mounted", 29, "auto-mount"),
    "install-unsigned": ({"install_fault": "signing"}, "app-signing", 30, "with your team"),
    "developer-untrusted": ({"developer_trusted": False}, "app-signing", 30, "VPN & Device Management"),
    "install-no-space": ({"install_fault": "space"}, "device-full", 16, "free some space"),
    "install-refused": ({"install_fault": "refused"}, "install-refused", 23, "the phone's screen"),
    "older-app": ({"run_fault": "older"}, "app-outdated", 27, "build both from one version"),
    "locked-since": ({"install_fault": "locked"}, "screen-locked", 20, "unlock it"),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_phone_that_is_not_ready(used_iphone: TestIPhone, tiny: Artifact, fault: str) -> None:
    changes, code, exit_code, fix = REFUSALS[fault]
    if "install_fault" in changes:
        changes = changes | {"app": None}
    used_iphone.phone.change(**changes)
    with pytest.raises(BenchmarkError) as caught:
        bench(used_iphone, tiny)
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code), caught.value
    assert fix in str(caught.value) and NAME in str(caught.value)


# What goes wrong in the first launch that measures -> how the reason begins, and words of it.
RUN_FAULTS: dict[str, tuple[str, str]] = {
    "killed": ("app-killed: ", "memory ran out"),
    "crashed": ("app-crashed: ", "signal 11"),
    "hung": ("app-hung: ", "--timeout"),
    "silent": ("result-missing: ", "run it again"),
    "truncated": ("result-truncated: ", "run it again"),
    "altered": ("result-altered: ", "run it again"),
    "foreign": ("result-foreign: ", "another job"),
    "older": ("app-outdated: ", "result_version 2"),
    "disconnected": ("device-disconnected: ", "plug it in again"),
}


@pytest.mark.parametrize("fault", RUN_FAULTS)
def test_a_launch_that_goes_wrong(used_iphone: TestIPhone, tiny: Artifact, fault: str) -> None:
    iphone = used_iphone
    beginning, words = RUN_FAULTS[fault]
    iphone.teach(tiny)
    iphone.phone.change(run_fault=fault, run_fault_after=BEFORE_MEASURING)
    failed, *others = bench(iphone, tiny, tiny, settings=ONCE, timeout_seconds=2.0 if fault == "hung" else 60.0)
    assert failed.status is Status.FAILED
    assert failed.reason is not None and failed.reason.startswith(beginning) and words in failed.reason, failed.reason
    # The rest of the plan goes on, but for a phone that stays away.
    wanted = Status.FAILED if fault == "disconnected" else Status.MEASURED
    assert [record.status for record in others] == [wanted], others[0].reason
    assert iphone.left() == [] or fault == "disconnected"


def test_a_phone_that_comes_back_is_measured_again(used_iphone: TestIPhone, tiny: Artifact) -> None:
    iphone = used_iphone
    iphone.teach(tiny)
    iphone.phone.change(run_fault="disconnected", run_fault_after=BEFORE_MEASURING + 1, away_for=1)
    notes = Notes()
    (record,) = bench(iphone, tiny, notes=notes)
    assert record.status is Status.MEASURED and len(record.launches) == QUICK.launches, record.reason
    assert "the device is back; repeating the launch" in notes.said
    assert iphone.left() == []


# What the app does not measure under -> how the reason begins, and the fix.
CONDITIONS: dict[str, tuple[dict[str, Any], str]] = {
    "thermal": ({"thermal_status": 2}, "cool down"),
    "power-saver": ({"power_saver": True}, "turn"),
    "low-battery": ({"battery_percent": 9, "charging": False}, "charge"),
    "debuggable": ({"debuggable": True}, "release build"),
}


@pytest.mark.parametrize("code", CONDITIONS)
def test_the_app_refuses_conditions(make_phone: MakePhone, tiny: Artifact, code: str) -> None:
    services, fix = CONDITIONS[code]
    iphone = make_phone("devicectl")
    iphone.phone.set_services(**services)
    (record,) = bench(iphone, tiny)
    assert record.status is Status.FAILED
    assert record.reason is not None and record.reason.startswith(f"{code}: ") and fix in record.reason, record.reason


def test_outputs_are_judged_by_the_golden_check(make_phone: MakePhone, tiny: Artifact) -> None:
    iphone = make_phone("pymobiledevice3")
    outputs = tiny.golden(tiny.manifest.golden.outputs).reshape(8, -1)
    found: list[str | None] = []
    for wrong in (np.roll(outputs, 1, axis=1), np.where(np.arange(8)[:, None] == 3, np.nan, outputs)):
        iphone.teach(tiny, wrong)
        (record,) = bench(iphone, tiny, settings=ONCE)
        assert record.status is Status.FAILED
        found.append((record.reason or "").partition(":")[0])
    assert found == ["golden-mismatch", "non-finite-output"]


def test_no_room_for_the_model(iphone: TestIPhone, tiny: Artifact) -> None:
    iphone.teach(tiny)
    iphone.phone.change(push_fault="space")
    (record,) = bench(iphone, tiny)
    assert record.reason is not None and record.reason.startswith("device-full: "), record.reason
    assert iphone.left() == []


def test_settings_that_make_no_sense_there(make_phone: MakePhone) -> None:
    device = open_iphone(make_phone("devicectl"), Notes())
    for asked in (
        replace(QUICK, accelerator="nnapi"),
        replace(QUICK, threads=2),
        replace(QUICK, cores=(0,)),
        replace(QUICK, load_mode=LoadMode.MMAP),
    ):
        with pytest.raises(DeviceUnsupportedError, match=r"cannot be set on iPhones|choose among"):
            device.settings(asked)
    for accelerator in ("all", "cpu+ane", "cpu+gpu", "cpu"):
        asked = replace(QUICK, accelerator=accelerator)
        assert device.settings(asked) == asked


def test_where_nobody_chooses_core_ml_may_take_all_units(
    make_phone: MakePhone, tiny: Artifact, tmp_path: Path, pocketclip: Run
) -> None:
    iphone = make_phone("pymobiledevice3")
    iphone.teach(tiny)
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    options = [
        "--devices",
        iphone.table,
        "--artifact",
        tiny.folder,
        "--store",
        store,
        "--launches",
        1,
        "--iterations",
        3,
    ]
    measured = pocketclip("bench", "--device", NAME, *options)
    assert measured.returncode == 0, measured.stderr
    with open_store(store) as records:
        (record,) = records.benchmarks()
    assert (record.settings.accelerator, record.runtime.accelerator_requested) == ("all", "all")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photographs of the kind that the Linux build decodes, and one that it does not."""
    folder, random = tmp_path / "photos", np.random.default_rng(3)
    folder.mkdir()
    for name, size in (("a.bmp", (37, 50)), ("b.BMP", (120, 90)), ("c.bmp", (64, 64))):
        pixels = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / name, format="BMP")
    Image.new("RGB", (30, 30), "green").save(folder / "d.jpg")
    return folder


def bench_photos(
    iphone: TestIPhone, photos: Path, *artifacts: Artifact, launches: int = 1, timeout_seconds: float = 60.0
) -> list[ThroughputRecord]:
    device = open_iphone(iphone, Notes())
    device.check()
    plan = ThroughputPlan(
        artifacts,
        read_photos(photos, ON_PHONES),
        [device.settings(RunSettings(accelerator=DEVICE_DEFAULT))],
        [2],
        launches,
        0.1,
        timeout_seconds,
        0.0,
    )
    return measure_throughput(plan, device, watch=Notes(), on_records=lambda _: None)


def test_photographs_a_second(
    iphone: TestIPhone, tiny: Artifact, photos: Path, tmp_path: Path, pocketclip: Run
) -> None:
    """The app has an embedding only for the very pixels that Python makes of each photograph."""
    iphone.teach_photos(tiny, sorted(photos.glob("*.[bB]*")))
    out = tmp_path / "throughput.json"
    ran = pocketclip(
        *("bench", "--device", NAME, "--devices", iphone.table, "--throughput", photos, "--artifact", tiny.folder),
        *("--decoders", "1,2", "--launches", "2", "--min-seconds", "0.2", "--cooldown", "0", "--json", out),
    )
    assert ran.returncode == 0, ran.stderr
    assert "1 photographs could not be decoded on test-iphone (first: d.jpg: cannot decode" in " ".join(
        ran.stderr.split()
    )
    assert "Photographs a second" in ran.stdout
    records = [
        documents.parse(ThroughputRecord, json.dumps(each), source="a record", error=BenchmarkError)
        for each in json.loads(out.read_text())
    ]
    assert [(record.decoders, len(record.launches), record.reason) for record in records] == [
        (1, 2, None),
        (2, 2, None),
    ]
    for record in records:
        assert (record.device.name, record.device.kind) == (NAME, DeviceKind.EMULATED)
        assert (record.runtime.accelerator_requested, record.runtime.version) == (
            "all",
            "replay of the reference executor",
        )
        assert record.photographs.count == 4
        for launch in record.launches:
            assert launch.elapsed_ns >= 0.2e9 and launch.photos >= 1
            assert launch.after is not None
            assert (launch.before.battery_percent, launch.after.thermal_status) == (88, 0)
            assert (launch.unreadable, [each.name for each in launch.first_unreadable]) == (1, ["d.jpg"])
    assert iphone.left() == [], "photographs stay on the phone"


def test_other_pixels_than_pythons_are_found(make_phone: MakePhone, tiny: Artifact, photos: Path) -> None:
    iphone = make_phone("pymobiledevice3")
    iphone.teach_photos(tiny, [photos / "a.bmp", photos / "c.bmp"])
    (record,) = bench_photos(iphone, photos, tiny)
    assert (record.reason or "").startswith("inference-failed: "), record.reason
    assert "nothing was recorded for this input" in (record.reason or "")
    assert iphone.left() == []


@pytest.mark.parametrize("code", CONDITIONS)
def test_the_app_refuses_a_throughput_under_the_same_conditions(
    make_phone: MakePhone, tiny: Artifact, photos: Path, code: str
) -> None:
    services, fix = CONDITIONS[code]
    iphone = make_phone("pymobiledevice3")
    iphone.phone.set_services(**services)
    (record,) = bench_photos(iphone, photos, tiny)
    assert (record.launches, (record.reason or "").partition(":")[0]) == ((), code), record.reason
    assert fix in (record.reason or "")
    assert iphone.left() == []


@pytest.mark.parametrize("fault", ["killed", "truncated", "foreign", "older"])
def test_a_throughput_that_goes_wrong(used_iphone: TestIPhone, tiny: Artifact, photos: Path, fault: str) -> None:
    iphone = used_iphone
    beginning, words = RUN_FAULTS[fault]
    iphone.teach_photos(tiny, sorted(photos.glob("*.[bB]*")))
    # Before the first that measures: facts, and the folders of the model and of the photographs.
    iphone.phone.change(run_fault=fault, run_fault_after=BEFORE_MEASURING + 1)
    failed, *others = bench_photos(iphone, photos, tiny, tiny)
    assert failed.reason is not None and failed.reason.startswith(beginning) and words in failed.reason, failed.reason
    assert [record.reason for record in others] == [None]
    assert iphone.left() == []


def test_no_photograph_that_the_phone_decodes(make_phone: MakePhone, tiny: Artifact, photos: Path) -> None:
    iphone = make_phone("devicectl")
    for path in photos.glob("*.[bB]*"):
        path.unlink()
    iphone.teach(tiny)
    (record,) = bench_photos(iphone, photos, tiny)
    assert (record.reason or "").startswith("photos-unreadable: none of the 1 photographs can be decoded"), (
        record.reason
    )
    assert "give photographs that this phone can decode" in (record.reason or "")
    assert iphone.left() == []


def test_one_is_made_by_hand_as_the_docs_say(
    swift_build: SwiftBuild,
    tiny: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POCKETCLIP_CACHE", os.environ["POCKETCLIP_USER_CACHE"])
    arguments = [str(tmp_path / "phone"), "--artifact", str(tiny.folder), "--way", "devicectl"]
    assert test_phone.main(arguments) == 0
    said = capfd.readouterr().out
    assert said.count("\n") == 4
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    command = f"{said.rstrip()} --launches 1 --iterations 3 --cooldown 0 --store {store}"
    measured = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert measured.returncode == 0, measured.stderr
    with open_store(store) as records:
        (record,) = records.benchmarks()
    assert (record.device.name, record.status) == (NAME, Status.MEASURED)
    assert test_phone.main(arguments) == 2
    assert "choose another folder" in capfd.readouterr().err


def test_a_test_iphone_is_never_taken_for_a_real_one(make_phone: MakePhone, tiny: Artifact, tmp_path: Path) -> None:
    iphone = make_phone("pymobiledevice3")
    iphone.teach(tiny)
    (tmp_path / "own.toml").write_text('[iphone15-pro]\nway = "pymobiledevice3"\n')
    device = open_device("iphone15-pro", load_table(tmp_path / "own.toml"), say=print)
    plan = BenchmarkPlan((tiny,), (ONCE,), cooldown_seconds=0.0)
    with pytest.raises(DeviceUnsupportedError, match=r"iphone15-pro is a test iPhone.*use --device test-iphone"):
        run_plan(plan, device, append=lambda _: None, watch=SilentWatch())
    assert iphone.left() == []


def test_the_doctor_finds_what_is_wrong(iphone: TestIPhone) -> None:
    entry = find_entry(NAME, load_table(iphone.table))
    found = list(examine(entry))
    assert all(finding.met for finding in found), found
    assert [finding.precondition for finding in found][:2] == ["a program that reaches iPhones", "attached"]
    with open_iphone(iphone, Notes()).open_runner():
        pass
    assert ("the app on the phone", "this build") in {(each.precondition, each.detail) for each in examine(entry)}
    assert iphone.left() == []
    for changes, precondition in (
        ({"locked": True}, "unlocked"),
        ({"locked": False, "developer_mode": False}, "developer mode"),
        ({"developer_mode": True, "image_mounted": False}, "developer disk image"),
        ({"image_mounted": True, "attached": False}, "attached"),
    ):
        iphone.phone.change(**changes)
        (unmet,) = [finding for finding in examine(entry) if not finding.met]
        assert unmet.precondition == precondition and unmet.fix


def test_no_package_of_the_app(
    make_phone: MakePhone, tiny: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iphone = make_phone("pymobiledevice3")
    for named, code, fix in (
        (str(tmp_path / "none.app"), "app-missing", "pocketclip app build ios"),
        (str(tmp_path / "unsigned.app"), "app-signing", "sign it with your team"),
        (str(tmp_path / "broken.ipa"), "app-missing", "not an iPhone app"),
    ):
        if named.endswith("unsigned.app"):
            Path(named).mkdir()
            Path(named, "Info.plist").write_bytes((iphone.package / "Info.plist").read_bytes())
        elif named.endswith(".ipa"):
            Path(named).write_bytes(b"no zip")
        monkeypatch.setenv("POCKETCLIP_IOS_APP", named)
        with pytest.raises(BenchmarkError, match=fix) as caught:
            bench(iphone, tiny)
        assert caught.value.code == code


def test_no_program_that_reaches_iphones(
    make_phone: MakePhone, tiny: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way, fix in (("devicectl", "Xcode 15"), ("pymobiledevice3", "pipx install pymobiledevice3")):
        iphone = make_phone(way)
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(MissingProgramError, match=fix) as caught:
            bench(iphone, tiny)
        assert caught.value.exit_code == 10


def test_host_and_iphone_in_one_report(
    make_phone: MakePhone, tiny: Artifact, tmp_path: Path, pocketclip: Run, error_line: Callable[..., str]
) -> None:
    iphone = make_phone("pymobiledevice3")
    iphone.teach(tiny)
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    asked = replace(QUICK, accelerator="cpu+ane", launches=1)
    with open_store(store) as records:
        for record in bench(iphone, tiny, settings=asked):
            records.append(record)
        here = BenchmarkPlan((tiny,), (RunSettings(),), cooldown_seconds=0.0)
        (parity,) = run_plan(here, HostDevice(), append=records.append, watch=SilentWatch())
    assert parity.status is Status.PARITY_ONLY
    report = pocketclip("report", "--store", store, "--format", "json", "--out", tmp_path / "report.json")
    assert report.returncode == 0, report.stderr
    found = (tmp_path / "report.json").read_text()
    assert f'"{NAME}"' in found and '"host"' in found and '"cpu+ane"' in found
    iphone.phone.change(locked=True)
    options = ["--devices", iphone.table, "--artifact", tiny.folder, "--store", store]
    refused = pocketclip("bench", "--device", NAME, *options)
    assert refused.returncode == 20 and "is locked" in error_line(refused)


def test_nano_from_package_to_record(
    make_phone: MakePhone, nano_exports: dict[tuple[str, str, str], Any], tmp_path: Path, pocketclip: Run
) -> None:
    iphone = make_phone("devicectl")
    image, text = (load_artifact(nano_exports[TargetName.COREML, Precision.FP16, tower].folder) for tower in Tower)
    labels = ("a red circle", "a blue square")
    bundle = tmp_path / "nano.bundle"
    write_bundle(BundleRequest(image, text, labels), bundle)
    tested = pocketclip("selftest", bundle)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    for artifact in (image, text):
        iphone.teach(artifact)
    for record in bench(iphone, image, text):
        assert record.status is Status.MEASURED, record.reason
        assert record.golden_check is not None and record.golden_check.cosine_min > 0.999
