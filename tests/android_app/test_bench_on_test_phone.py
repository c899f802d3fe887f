"""The whole way to a phone's app and back, on the test phone: real adb, real Kotlin, real inference.

Every fault of the table in docs/devices.md that concerns the app is injected here. Each time: a worded reason with a
code, other records kept, the rest measured, our folder on the phone gone, every setting as it was, the phone usable.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from pocketclip.benchmark.arm64.rooted_phone import ADDRESS
from pocketclip.benchmark.commands.throughput_table import throughput_table
from pocketclip.benchmark.devices.android_app_device import AndroidAppDevice
from pocketclip.benchmark.devices.doctor import examine
from pocketclip.benchmark.errors import (
    AbiMismatchError,
    AgentError,
    AndroidVersionError,
    AppInstallError,
    AppSignatureError,
    BenchmarkError,
    DeviceFullError,
    InstrumentationMissingError,
    ScreenLockedError,
)
from pocketclip.benchmark.measuring.plan import SilentWatch
from pocketclip.benchmark.measuring.throughput import ThroughputPlan
from pocketclip.benchmark.measuring.throughput import measure as measure_throughput
from pocketclip.benchmark.phone_app.android_app import instrument, shared_folder
from pocketclip.benchmark.phone_app.steady import undo_file
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, RunSettings, Status
from pocketclip.benchmark.records.throughput import ThroughputRecord
from pocketclip.benchmark.runners.photo_folder import ON_PHONES, read_photos
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.transport.adb import run_adb
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import TargetName, Tower
from pocketclip.models import documents
from tests.android_app.test_phone.apk import rewrite_apk, write_apk
from tests.android_app.test_phone.phone import TestPhone, device_table
from tests.export.bundle.tiny_artifacts import build_artifact

from .conftest import QUICK, Measure, entry_of

pytestmark = pytest.mark.slow

# Long enough to be caught in the middle.
LONG = RunSettings(iterations=3, minimum_seconds=1.5, launches=1)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, ...]:
    """Four tiny artefacts of unlike weights."""
    folder = tmp_path_factory.mktemp("tiny")
    return tuple(build_artifact(folder, Tower.IMAGE, name=f"tiny-{n}", scale=1.0 + n) for n in range(4))


def assert_clean(phone: TestPhone) -> None:
    """Nothing of ours runs or lies on the phone but the app with its models; its settings are as they were."""
    assert phone.app() == []
    folders = ["/data/local/tmp", *(shared_folder(api_level) for api_level in (28, 34))]
    left = phone.transport().shell(f"ls -A {' '.join(folders)} 2>/dev/null").stdout
    assert "pocketclip" not in left.replace("org.pocketclip.bench", "")
    state = phone.read()
    assert state["settings"]["stay_on_while_plugged_in"] == "0"
    assert state["fixed_performance"] is False
    assert state["screen_on"] is False
    assert not undo_file(ADDRESS).exists()


def codes(records: list[BenchmarkRecord]) -> list[str]:
    return [(record.reason or "measured").partition(":")[0] for record in records]


@contextlib.contextmanager
def once_measuring(
    phone: TestPhone, action: Callable[[psutil.Process], object], what: str = "measure"
) -> Iterator[None]:
    """Does something the moment that the app measures for the first time in the block."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            found = [each for each in phone.processes(f" {what} ") if "java" in each.name()]
            if found:
                # It is past its start, and in the midst of its inferences.
                time.sleep(0.8)
                action(found[0])
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


def pocketclip(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    program = [sys.executable, "-m", "pocketclip", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=300, env=environment, check=False)


def test_a_bundle_is_measured_beside_the_host(
    phone: TestPhone, apk: Path, tmp_path: Path, nano_exports: dict[tuple[str, str, str], ExportResult]
) -> None:
    """The nano bundle by the programs that a user runs: bench on both, one report."""
    from pocketclip.export.artifact.reading import load_artifact

    towers = [load_artifact(nano_exports[TargetName.ONNX, "fp32", tower].folder) for tower in Tower]
    bundle, store = tmp_path / "clip.bundle", tmp_path / "s.sqlite"
    write_bundle(BundleRequest(*towers, labels=("a red circle", "a blue square")), bundle)
    table = tmp_path / "devices.toml"
    table.write_text(device_table(phone))
    common = ("--artifact", bundle, "--iterations", "10", "--launches", "2", "--cooldown", "0", "--store", store)
    on_phone = pocketclip("bench", "--device", "test-phone", "--devices", table, "--app", apk, *common)
    assert on_phone.returncode == 0, on_phone.stderr
    assert "installing the measuring app on test-phone" in on_phone.stderr
    on_host = pocketclip("bench", *common)
    assert on_host.returncode == 0, on_host.stderr
    with open_store(str(store)) as opened:
        records = opened.benchmarks()
    theirs, ours = records[:2], records[2:]
    assert {record.device.kind for record in theirs} == {DeviceKind.EMULATED}
    assert [record.artifact for record in theirs] == [record.artifact for record in ours]
    assert {record.artifact.sha256 for record in records} == {tower.manifest.sha256 for tower in towers}
    for phones, hosts in zip(theirs, ours, strict=True):
        assert phones.status is hosts.status is Status.MEASURED
        assert phones.parity == hosts.parity is not None and phones.parity.passed
        assert phones.golden_check is not None and phones.golden_check.cosine_min > 0.9999
        assert (phones.runtime.name, phones.runtime.accelerator_observed) == ("onnxruntime", "cpu")
        assert len(phones.launches) == 2
        launch = phones.launches[0]
        assert min(launch.load_ns, launch.first_inference_ns, *launch.warmup_ns, *launch.steady_ns) > 0
        assert len(launch.steady_ns) >= 10
        assert launch.peak_bytes is not None and launch.reload_ns is not None
        assert launch.during and launch.during[0].thermal_headroom == 0.4
        assert launch.before is not None and launch.before.battery_percent == 88
        # Of the app's package, not of the Python agent.
        assert phones.agent_sha256 != hosts.agent_sha256
    report = pocketclip("report", "--store", store, "--format", "md")
    assert report.returncode == 0, report.stderr
    assert "test-phone" in report.stdout and "host" in report.stdout
    assert_clean(phone)


def test_what_the_phone_has_is_not_sent_again(
    phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...], apk: Path, tmp_path: Path, said: list[str]
) -> None:
    assert codes(measure(*artifacts[:2])) == ["measured"] * 2
    phone.reset()
    assert codes(measure(*artifacts[:2])) == ["measured"] * 2
    calls = phone.calls()
    assert not any("pm install" in call or "action stage" in call for call in calls)
    assert sum("action measure" in call for call in calls) == 2
    # Another build takes its place; the models stay.
    phone.reset()
    newer = rewrite_apk(tmp_path / "newer.apk", apk, version_code=2)
    assert codes(measure(artifacts[0], app=newer)) == ["measured"]
    assert "updating the measuring app on test-phone" in said
    calls = phone.calls()
    assert any("pm install -r -g" in call for call in calls) and not any("action stage" in call for call in calls)
    older = write_apk(tmp_path / "older.apk", None)
    with pytest.raises(
        AppInstallError, match=r"VERSION_DOWNGRADE.*a newer one is installed: remove the other one"
    ) as old:
        measure(artifacts[0], app=older)
    assert (old.value.exit_code, old.value.code) == (23, "install-refused")
    assert phone.transport().shell("pm uninstall org.pocketclip.bench").stdout.strip() == "Success"
    assert_clean(phone)


@pytest.mark.parametrize(
    ("fault", "error", "exit_code", "message"),
    [
        (
            "INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to override installation location",
            DeviceFullError,
            16,
            "test-phone did not install the app .*free some space there and run it again",
        ),
        (
            "INSTALL_FAILED_USER_RESTRICTED: Install canceled by user",
            AppInstallError,
            23,
            "allow installation over USB in the phone's developer options",
        ),
        ("INSTALL_FAILED_OLDER_SDK", AndroidVersionError, 25, r"Android 8 \(API 26\) or later"),
        ("INSTALL_FAILED_NO_MATCHING_ABIS", AbiMismatchError, 24, "build the app for the phone's processor"),
    ],
)
def test_an_installation_that_is_refused(
    phone: TestPhone,
    measure: Measure,
    artifacts: tuple[Artifact, ...],
    tmp_path: Path,
    fault: str,
    error: type[BenchmarkError],
    exit_code: int,
    message: str,
) -> None:
    phone.alter(install_fault=fault)
    with pytest.raises(error, match=message) as caught:
        measure(artifacts[0], app=write_apk(tmp_path / "other.apk", None, version_code=9))
    assert caught.value.exit_code == exit_code
    assert_clean(phone)


def test_apps_that_do_not_fit(
    phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...], tmp_path: Path
) -> None:
    def refused(kind: type[BenchmarkError], code: str, exit_code: int, message: str, app: Path) -> None:
        with pytest.raises(kind, match=message) as caught:
            measure(artifacts[0], app=app)
        assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
        assert_clean(phone)

    headless = write_apk(tmp_path / "headless.apk", None, version_code=5, instrumentation=False)
    refused(
        InstrumentationMissingError,
        "app-incomplete",
        26,
        r"cannot be started: Unable to find instrumentation",
        headless,
    )
    other_key = write_apk(tmp_path / "other-key.apk", None, version_code=9, signer="someone else")
    refused(
        AppSignatureError,
        "app-signature",
        22,
        r"UPDATE_INCOMPATIBLE: .*signed with another key: remove the other one with `adb uninstall",
        other_key,
    )
    assert phone.transport().shell("pm uninstall org.pocketclip.bench").stdout.strip() == "Success"
    arm = write_apk(tmp_path / "arm.apk", None, abis=("armeabi-v7a",))
    refused(AbiMismatchError, "abi-mismatch", 24, "has code for armeabi-v7a, test-phone runs x86_64, arm64-v8a", arm)
    phone.alter_properties(release="7.1.2", sdk="25")
    refused(AndroidVersionError, "android-too-old", 25, "API level 25; the app needs Android 8", other_key)


def test_a_locked_phone(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...]) -> None:
    phone.alter(keyguard="secure")
    with pytest.raises(
        ScreenLockedError, match=r"test-phone is locked: .*unlock it, leave it on, and run it"
    ) as locked:
        measure(artifacts[0])
    assert (locked.value.exit_code, locked.value.code) == (20, "screen-locked")
    phone.alter(keyguard="swipe")

    def lock_it(record: BenchmarkRecord) -> None:
        phone.alter(keyguard="secure" if len(seen) == 0 else "none")
        seen.append(record)

    seen: list[BenchmarkRecord] = []
    assert codes(measure(*artifacts[:3], append=lock_it)) == ["measured", "screen-locked", "measured"]
    assert_clean(phone)


def test_a_phone_that_is_unfit(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...]) -> None:
    """The app itself refuses; what it finds changes from one artefact to the next."""
    unfit: list[tuple[str, dict[str, Any], str]] = [
        ("power-saver", {"power_saver": True}, "turn power saving off"),
        ("low-battery", {"battery_percent": 12, "charging": False}, "charge the device to 20 % or more"),
        ("thermal", {"thermal_status": 3}, "let the device cool down"),
        ("debuggable", {"debuggable": True}, "install a release build"),
    ]
    states = iter([*(changes for _, changes, _ in unfit), {}])
    good = {"power_saver": False, "battery_percent": 88, "charging": True, "thermal_status": 0, "debuggable": False}

    def next_state(_: object = None) -> None:
        phone.alter_services(**(good | next(states, {})))

    next_state()
    *refused, measured = measure(*artifacts, artifacts[0], append=next_state)
    assert codes(refused) == [code for code, _, _ in unfit]
    assert {record.status for record in refused} == {Status.FAILED}
    for record, (_, _, fix) in zip(refused, unfit, strict=True):
        assert fix in (record.reason or "")
    assert measured.status is Status.MEASURED
    assert_clean(phone)


def test_too_warm_in_mid_run(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...]) -> None:
    with once_measuring(phone, lambda _: phone.alter_services(thermal_status=2)):
        records = measure(*artifacts[:2], settings=LONG, append=lambda _: phone.alter_services(thermal_status=0))
    assert codes(records) == ["thermal", "measured"]
    assert "while it was measured" in (records[0].reason or "")
    assert_clean(phone)


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGKILL, "app-killed", "Process crashed (SIGNALED, signal 9), often because memory ran out"),
        (signal.SIGSEGV, "app-crashed", "`adb logcat -b crash` has the stack"),
    ],
)
def test_the_app_ends_in_mid_run(
    phone: TestPhone,
    measure: Measure,
    artifacts: tuple[Artifact, ...],
    number: signal.Signals,
    code: str,
    message: str,
) -> None:
    with once_measuring(phone, lambda process: process.send_signal(number)):
        first, second = measure(*artifacts[:2], settings=LONG)
    assert codes([first, second]) == [code, "measured"]
    assert message in (first.reason or "")
    assert_clean(phone)


def test_an_app_that_hangs(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...]) -> None:
    with once_measuring(phone, lambda process: process.suspend()):
        first, second = measure(*artifacts[:2], settings=LONG, timeout=8)
    assert codes([first, second]) == ["app-hung", "measured"]
    assert "raise --timeout" in (first.reason or "")
    assert_clean(phone)


def test_answers_that_cannot_be_trusted(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...]) -> None:
    faults = [
        {"kind": "truncate"},
        {"kind": "flip"},
        {"kind": "values", "values": {"result_version": 2, "app_version": "0.0.9"}},
        {"kind": "values", "values": {"job_id": "another"}},
    ]
    phone.alter(answer_faults=[{"action": "measure", **fault} for fault in faults])
    records = measure(*artifacts)
    assert codes(records) == ["result-truncated", "result-altered", "app-outdated", "result-foreign"]
    assert "(version 0.0.9) has result_version 2, this PocketCLIP has 5" in (records[2].reason or "")
    assert codes(measure(artifacts[0])) == ["measured"]
    assert_clean(phone)
    # An older app is found at the first question.
    phone.alter(answer_faults=[{"action": "facts", "kind": "values", "values": {"job_version": 2}}])
    with pytest.raises(BenchmarkError, match="has job_version 2, this PocketCLIP has 4: build both from") as outdated:
        measure(artifacts[0])
    assert outdated.value.exit_code == 27
    assert_clean(phone)


def test_adbd_killed_in_mid_run(
    phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...], said: list[str]
) -> None:
    with once_measuring(phone, lambda _: phone.kill_adbd()):
        records = measure(*artifacts[:2], settings=LONG)
    assert codes(records) == ["measured"] * 2
    assert "the device is back; repeating the launch" in said
    # What ran on without us was ended first.
    assert "am force-stop org.pocketclip.bench" in phone.calls()
    assert_clean(phone)


def test_a_phone_that_stays_away(
    phone: TestPhone,
    measure: Measure,
    artifacts: tuple[Artifact, ...],
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It is not waited for at the end either.
    monkeypatch.setattr("pocketclip.benchmark.transport.shell._LEAVE_SECONDS", 0.0)
    with once_measuring(phone, lambda _: run_adb(["kill-server"], server=phone.server)):
        records = measure(*artifacts[:3], settings=LONG, reconnect_seconds=1)
    assert codes(records) == ["device-disconnected"] * 3
    assert any("still has the bench's settings" in words and "plug it in" in words for words in said)
    # The phone went away with its settings changed; the list outlives the bench.
    assert phone.read()["fixed_performance"] is True
    assert undo_file(ADDRESS).is_file()
    kept = phone.read()
    phone.stop()
    phone.start()
    phone.alter(**{name: kept[name] for name in ("fixed_performance", "settings", "screen_on")})
    said.clear()
    assert codes(measure(artifacts[0])) == ["measured"]
    assert "test-phone: restored settings that an earlier bench had changed" in said
    assert_clean(phone)


def test_no_room(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...], tmp_path: Path) -> None:
    assert codes(measure(artifacts[0])) == ["measured"]
    large = replace(artifacts[1], manifest=replace(artifacts[1].manifest, files=_grown(artifacts[1], 150_000_000)))
    shell = phone.transport().shell
    # Leaves about 100 MB.
    shell("f=$(stat -f -c %a /data); dd if=/dev/zero of=/data/local/tmp/fill bs=4096 count=$((f - 25600)) 2>/dev/null")
    try:
        records = measure(large, artifacts[2])
        assert codes(records) == ["device-full", "measured"]
        assert "has no space for the model" in (records[0].reason or "")
        shell(
            "f=$(stat -f -c %a /data); dd if=/dev/zero of=/data/local/tmp/fill2 bs=4096 count=$((f - 2560)) 2>/dev/null"
        )
        with pytest.raises(DeviceFullError, match="test-phone has no space for the app: 10 MB are free") as full:
            measure(artifacts[0], app=write_apk(tmp_path / "other.apk", None, version_code=7))
        assert full.value.exit_code == 16
    finally:
        shell("rm -f /data/local/tmp/fill /data/local/tmp/fill2")
    assert_clean(phone)


def _grown(artifact: Artifact, size_bytes: int) -> tuple[Any, ...]:
    """The files of an artefact whose model is said to be larger."""
    entry = artifact.manifest.entry_point
    return tuple(
        replace(each, size_bytes=size_bytes) if each.path == entry else each for each in artifact.manifest.files
    )


def test_interrupted_in_mid_run(phone: TestPhone, measure: Measure, artifacts: tuple[Artifact, ...]) -> None:
    with (
        once_measuring(phone, lambda _: os.kill(os.getpid(), signal.SIGINT)),
        pytest.raises(KeyboardInterrupt),
    ):
        measure(artifacts[0], settings=LONG)
    assert_clean(phone)


def test_what_a_killed_bench_left_is_put_back(
    phone: TestPhone, apk: Path, artifacts: tuple[Artifact, ...], tmp_path: Path, measure: Measure
) -> None:
    table = tmp_path / "devices.toml"
    table.write_text(device_table(phone))
    command = ["bench", "--device", "test-phone", "--devices", table, "--app", apk, "--artifact", artifacts[0].folder]
    command += ["--min-seconds", "30", "--launches", "1", "--cooldown", "0", "--store", tmp_path / "s.sqlite"]
    bench = subprocess.Popen([sys.executable, "-m", "pocketclip", *map(str, command)], stderr=subprocess.DEVNULL)
    with once_measuring(phone, lambda _: bench.kill()):
        bench.wait(60)
    assert phone.read()["fixed_performance"] is True
    assert undo_file(ADDRESS).is_file()
    doctor = pocketclip("devices", "--devices", table, "doctor", "test-phone")
    assert "restored settings that an earlier bench had changed" in doctor.stderr + doctor.stdout
    state = phone.read()
    assert (state["fixed_performance"], state["screen_on"]) == (False, False)
    assert not undo_file(ADDRESS).exists()
    # It still measures, for nobody: the next bench ends it.
    assert phone.app() != []
    assert codes(measure(artifacts[1])) == ["measured"]
    assert_clean(phone)


def test_an_app_that_gives_no_answer_says_why(
    measure: Measure, phone: TestPhone, artifacts: tuple[Artifact, ...]
) -> None:
    measure(artifacts[0])
    transport = phone.transport()
    with (
        transport.workspace("/data/local/tmp") as folder,
        pytest.raises(AgentError, match=r"rejects the request: .*nonsense"),
    ):
        instrument(transport, ["-e", "action", "nonsense"], folder=folder, timeout_seconds=60.0)


def test_before_android_10_another_folder_is_shared(
    measure: Measure, phone: TestPhone, artifacts: tuple[Artifact, ...]
) -> None:
    phone.alter_properties(release="9", sdk="28")
    assert codes(measure(artifacts[0])) == ["measured"]
    assert_clean(phone)
    listed = phone.transport().shell(f"ls -d {shared_folder(28)}")
    assert listed.exit_code == 0, listed.stderr
    assert shared_folder(28) != shared_folder(29) == shared_folder(None)


def test_accelerators_are_asked_for_and_named(
    measure: Measure, phone: TestPhone, artifacts: tuple[Artifact, ...]
) -> None:
    (missing,) = measure(artifacts[0], settings=replace(QUICK, accelerator="nnapi"))
    assert codes([missing]) == ["accelerator-missing"]
    assert (missing.runtime.accelerator_requested, missing.settings.accelerator) == ("nnapi", "nnapi")
    (from_memory,) = measure(artifacts[0], settings=replace(QUICK, load_mode=type(QUICK.load_mode).MEMORY))
    assert codes([from_memory]) == ["measured"]
    with pytest.raises(
        BenchmarkError, match=r"'cpu.ane' is not one of Android's; choose among: cpu, xnnpack, nnapi, gpu"
    ):
        measure(artifacts[0], settings=replace(QUICK, accelerator="cpu+ane"))
    assert_clean(phone)


def test_doctor(phone: TestPhone, apk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(apk))
    findings = {each.precondition: each for each in examine(entry_of(phone))}
    # The computer that stands for the phone's processor may be busy with other tests.
    assert {each.precondition for each in findings.values() if not each.met} <= {"busy"}
    assert findings["Android"].detail == "Android 14 (API 34), x86_64, arm64-v8a"
    assert {"adb", "attached", "unlocked", "app", "files arrive whole", "space"} <= set(findings)
    phone.alter(keyguard="secure")
    phone.alter_services(power_saver=True)
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", "/no/such.apk")
    fixes = {each.precondition: each.fix for each in examine(entry_of(phone)) if not each.met}
    fixes.pop("busy", None)
    assert set(fixes) == {"app", "unlocked", "power-saver"}
    assert "pocketclip app build android" in (fixes["app"] or "")


Throughput = Callable[..., list[ThroughputRecord]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A large photograph, one that is turned, a transparent one, one that Java cannot decode, and a damaged one."""
    folder, random = tmp_path / "photos", np.random.default_rng(5)
    folder.mkdir()
    large = Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).resize((2800, 2100))
    large.save(folder / "large.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    large.resize((64, 48)).save(folder / "turned.jpg", exif=exif)
    Image.new("RGBA", (30, 20), (200, 30, 30, 128)).save(folder / "half.png")
    large.resize((40, 30)).save(folder / "new.webp")
    (folder / "damaged.jpg").write_bytes((folder / "large.jpg").read_bytes()[:3000])
    return folder


@pytest.fixture
def throughput(phone: TestPhone, apk: Path, photos: Path, said: list[str]) -> Throughput:
    """Measures throughputs on the phone through the app."""

    def run(
        *artifacts: Artifact,
        launches: int = 1,
        seconds: float = 0.2,
        timeout: float = 60,
        on_launch: Callable[[], object] = lambda: None,
    ) -> list[ThroughputRecord]:
        device = AndroidAppDevice(
            entry_of(phone), phone.transport("test-phone"), ADDRESS, say=said.append, app=apk, reconnect_seconds=20
        )
        device.check()
        plan = ThroughputPlan(
            artifacts, read_photos(photos, ON_PHONES), [RunSettings()], [2], launches, seconds, timeout, 0
        )
        return measure_throughput(plan, device, watch=SilentWatch(), on_records=lambda _: on_launch())

    return run


def reasons(records: list[ThroughputRecord]) -> list[str]:
    return [(record.reason or "measured").partition(":")[0] for record in records]


def test_photographs_a_second(
    phone: TestPhone, apk: Path, photos: Path, tmp_path: Path, nano_exports: dict[tuple[str, str, str], ExportResult]
) -> None:
    """By the program that a user runs: decoded by Java, encoded by ONNX Runtime, every photograph named by the user."""
    table, out = tmp_path / "devices.toml", tmp_path / "throughput.json"
    table.write_text(device_table(phone))
    ran = pocketclip(
        *("bench", "--device", "test-phone", "--devices", table, "--app", apk, "--throughput", photos),
        *("--artifact", nano_exports[TargetName.ONNX, "fp32", "image"].folder, "--decoders", "1,2", "--launches", "2"),
        *("--min-seconds", "0.3", "--cooldown", "0", "--json", out),
    )
    assert ran.returncode == 0, ran.stderr
    words = " ".join(ran.stderr.split())
    assert "1 photographs that cannot be read (first: damaged.jpg: " in words
    assert "left out: 1 photographs could not be decoded on test-phone (first: new.webp: the file is no image" in words
    assert "Photographs a second" in ran.stdout
    for heading, shown in (("battery", "88"), ("°C", "38"), ("status", "0")):
        assert heading in ran.stdout and shown in ran.stdout
    records = [
        documents.parse(ThroughputRecord, json.dumps(each), source="a record", error=BenchmarkError)
        for each in json.loads(out.read_text())
    ]
    assert [(record.threads, record.decoders, len(record.launches)) for record in records] == [(1, 1, 2), (1, 2, 2)]
    for record in records:
        assert (record.device.name, record.device.kind, record.reason) == ("test-phone", DeviceKind.EMULATED, None)
        assert (record.runtime.name, record.runtime.accelerator_observed) == ("onnxruntime", "cpu")
        assert (record.runtime.version or "").startswith("onnxruntime 1.")
        assert record.photographs.count == 4
        for launch in record.launches:
            assert launch.elapsed_ns >= 0.3e9 and launch.photos >= 1
            assert min(launch.decode_ns, launch.resize_ns, launch.inference_ns) > 0
            assert launch.after is not None
            for state in (launch.before, launch.after):
                assert (state.battery_percent, state.temperature_celsius, state.thermal_status) == (88, 38.5, 0)
            assert (launch.unreadable, [each.name for each in launch.first_unreadable]) == (1, ["new.webp"])
    # Nobody's photographs stay on the phone.
    assert phone.transport().shell("find /data -name '*.jpg' -o -name photos").stdout.strip() == ""
    assert_clean(phone)


def test_battery_and_heat_of_a_throughput(
    phone: TestPhone, throughput: Throughput, artifacts: tuple[Artifact, ...]
) -> None:
    def drain() -> None:
        phone.alter_services(battery_percent=86, temperature_celsius=44.5, thermal_status=1, charging=False)

    (record,) = throughput(artifacts[0], launches=2, on_launch=drain)
    assert (record.reason, len(record.launches)) == (None, 2)
    rows = list(throughput_table([record]).rows)
    assert [str(cell) for cell in rows[0][-3:]] == ["88 to 86", "38 to 44", "0 to 1"]
    states = [state for launch in record.launches for state in (launch.before, launch.after) if state is not None]
    assert [state.battery_percent for state in states] == [88, 88, 86, 86]
    assert [state.charging for state in states] == [True, True, False, False]
    assert_clean(phone)


def test_throughputs_that_fail(
    phone: TestPhone, throughput: Throughput, artifacts: tuple[Artifact, ...], photos: Path
) -> None:
    """Each time: the reason with a code, the others measured, nothing left on the phone."""
    good = {"battery_percent": 88, "charging": True, "power_saver": False, "thermal_status": 0}
    unfit = iter([{"power_saver": True}, {"thermal_status": 3}, {}])
    phone.alter_services(battery_percent=12, charging=False)
    refused = throughput(*artifacts, on_launch=lambda: phone.alter_services(**(good | next(unfit, {}))))
    assert reasons(refused) == ["low-battery", "power-saver", "thermal", "measured"]
    assert "charge the device to 20 % or more" in (refused[0].reason or "")
    assert_clean(phone)
    for path in photos.iterdir():
        if path.suffix != ".webp":
            path.unlink()
    (none,) = throughput(artifacts[0])
    assert (none.reason or "").startswith("photos-unreadable: none of the 1 photographs can be decoded (first: ")
    assert "give photographs that this phone can decode" in (none.reason or "")
    assert_clean(phone)


def test_the_app_is_killed_in_mid_throughput(
    phone: TestPhone, throughput: Throughput, artifacts: tuple[Artifact, ...]
) -> None:
    with once_measuring(phone, lambda process: process.kill(), "throughput"):
        records = throughput(*artifacts[:2], seconds=2.5)
    assert reasons(records) == ["app-killed", "measured"]
    # What the killed one had copied is gone with the next start of the app.
    assert phone.transport().shell("find /data -name photos").stdout.strip() == ""
    assert_clean(phone)


def test_adbd_killed_in_mid_throughput(
    phone: TestPhone, throughput: Throughput, artifacts: tuple[Artifact, ...], said: list[str]
) -> None:
    with once_measuring(phone, lambda _: phone.kill_adbd(), "throughput"):
        (record,) = throughput(artifacts[0], seconds=2.5)
    assert (record.reason, len(record.launches)) == (None, 1)
    assert "the device is back; repeating the launch" in said
    assert_clean(phone)


def test_throughputs_that_cannot_be_trusted(
    phone: TestPhone, throughput: Throughput, artifacts: tuple[Artifact, ...]
) -> None:
    faults = [{"kind": "truncate"}, {"kind": "values", "values": {"throughput": None}}, {"kind": "flip"}]
    phone.alter(answer_faults=[{"action": "throughput", **fault} for fault in faults])
    records = throughput(*artifacts)
    assert reasons(records) == ["result-truncated", "result-invalid", "result-altered", "measured"]
    assert_clean(phone)
