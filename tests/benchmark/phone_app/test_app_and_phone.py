"""What fits what: an app and a phone, an app and what is asked of it, refusals and their errors."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import (
    AbiMismatchError,
    AgentError,
    AndroidVersionError,
    AppInstallError,
    AppMissingError,
    AppOutdatedError,
    AppSignatureError,
    BenchmarkError,
    DeviceFullError,
    MeasurementError,
)
from pocketclip.benchmark.phone_app.apk import Apk, find_apk
from pocketclip.benchmark.phone_app.app_protocol import AppFacts, check_versions
from pocketclip.benchmark.phone_app.app_runner import check_offer, failure_error
from pocketclip.benchmark.phone_app.installing import check_fits, install_error
from pocketclip.benchmark.platforms.android.packages import parse_install
from pocketclip.benchmark.runners.agent_runner import check_arrived
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION, Failure

MakeApk = Callable[..., Path]


@pytest.fixture
def make_apk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeApk:
    """Writes a file as Gradle names it."""
    monkeypatch.delenv("POCKETCLIP_ANDROID_APK", raising=False)

    def make(name: str = "android_app/bench/build/outputs/apk/release/bench-release.apk", *, age: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for entry in ("AndroidManifest.xml", "lib/arm64-v8a/libx.so", "lib/x86_64/libx.so", "lib/x86_64/liby.so"):
                archive.writestr(entry, b"x")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
        return path

    return make


def test_where_the_app_is_found(make_apk: MakeApk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AppMissingError, match="is not built; build it with `pocketclip app build android`, or give"):
        find_apk(sources=tmp_path)
    make_apk("android_app/bench/build/outputs/apk/release/bench-release-unsigned.apk")
    with pytest.raises(AppMissingError, match="is not built"):
        find_apk(sources=tmp_path)
    older = make_apk("android_app/bench/build/outputs/apk/release/old.apk", age=60)
    newest = make_apk()
    assert find_apk(sources=tmp_path).path == newest
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(older))
    assert find_apk(sources=tmp_path).path == older
    named = find_apk(make_apk("mine.apk"), tmp_path)
    assert (named.path.name, named.abis) == ("mine.apk", ("arm64-v8a", "x86_64"))
    assert len(named.sha256) == 64


def test_files_that_are_no_app(tmp_path: Path) -> None:
    (tmp_path / "text.apk").write_text("x")
    with pytest.raises(AppMissingError, match=r"text\.apk is not an APK: .*zip"):
        find_apk(tmp_path / "text.apk")
    with zipfile.ZipFile(tmp_path / "some.apk", "w") as archive:
        archive.writestr("a", b"x")
    with pytest.raises(AppMissingError, match=r"some\.apk is not an APK: it has no AndroidManifest\.xml"):
        find_apk(tmp_path / "some.apk")


def test_phones_that_the_app_does_not_run_on(make_apk: MakeApk) -> None:
    apk = Apk(make_apk())
    check_fits(apk, ("arm64-v8a", "armeabi-v7a"), 26, "pixel7")
    # What a phone does not tell is not held against it.
    check_fits(apk, (), None, "pixel7")
    with pytest.raises(AndroidVersionError, match=r"pixel7 has Android of API level 25; .*Android 8 \(API 26\)"):
        check_fits(apk, ("arm64-v8a",), 25, "pixel7")
    with pytest.raises(AbiMismatchError, match="has code for arm64-v8a, x86_64, pixel7 runs armeabi-v7a"):
        check_fits(apk, ("armeabi-v7a",), 30, "pixel7")


@pytest.mark.parametrize(
    ("words", "kind", "code", "exit_code", "fix"),
    [
        (
            "INSTALL_FAILED_UPDATE_INCOMPATIBLE: x",
            AppSignatureError,
            "app-signature",
            22,
            "adb uninstall org.pocketclip",
        ),
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE", DeviceFullError, "device-full", 16, "free some space"),
        ("INSTALL_FAILED_USER_RESTRICTED: x", AppInstallError, "install-refused", 23, "developer options"),
        ("INSTALL_FAILED_VERIFICATION_FAILURE", AppInstallError, "install-refused", 23, "Verify apps over USB"),
        ("INSTALL_FAILED_VERSION_DOWNGRADE: x", AppInstallError, "install-refused", 23, "a newer one is installed"),
        ("INSTALL_FAILED_NO_MATCHING_ABIS: x", AbiMismatchError, "abi-mismatch", 24, "for the phone's processor"),
        ("INSTALL_FAILED_OLDER_SDK", AndroidVersionError, "android-too-old", 25, "Android 8"),
        ("INSTALL_PARSE_FAILED_NO_CERTIFICATES: x", AppInstallError, "install-refused", 23, "sign the app"),
        ("INSTALL_FAILED_SOMETHING_NEW: x", AppInstallError, "install-refused", 23, "check the phone's screen"),
    ],
)
def test_refusals_have_a_code_and_a_fix(
    words: str, kind: type[BenchmarkError], code: str, exit_code: int, fix: str
) -> None:
    error = install_error(parse_install(f"Failure [{words}]\n"), "pixel7")
    assert type(error) is kind
    assert (error.code, error.exit_code) == (code, exit_code)
    assert str(error).startswith("pixel7 did not install the app (INSTALL_")
    assert fix in str(error)


FACTS = AppFacts(
    app_version="0.1.0",
    platform="Android 14 (API 34)",
    result_version=RESULT_VERSION,
    job_version=JOB_VERSION,
    runtimes={"executorch": "1.1.0", "onnxruntime": "1.23.2", "litert": None},
    accelerators={"executorch": ("xnnpack",), "onnxruntime": ("cpu", "nnapi", "xnnpack")},
    models=(),
    free_bytes=None,
    debuggable=False,
)


def test_what_the_app_has_not_is_not_asked_for() -> None:
    check_offer(FACTS, "onnxruntime", "nnapi", "pixel7")
    check_offer(FACTS, "executorch", "cpu", "pixel7")
    for runtime in ("litert", "coreml"):
        with pytest.raises(MeasurementError, match=f"runtime-missing: the app has no {runtime}, but executorch, onnx"):
            check_offer(FACTS, runtime, "cpu", "pixel7")
    with pytest.raises(
        MeasurementError, match=r"accelerator-missing: the app's executorch has no gpu .*, but xnnpack; "
    ):
        check_offer(FACTS, "executorch", "gpu", "pixel7")


def test_failures_that_the_app_reports() -> None:
    assert str(failure_error(Failure("thermal", "status 3"), "pixel7")).startswith("thermal: status 3; let the device")
    assert str(failure_error(Failure("bad-job", "no"), "pixel7")) == "bad-job: no"
    full = failure_error(Failure("no-space", "1 MB is free"), "pixel7")
    assert isinstance(full, DeviceFullError) and full.exit_code == 16


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"result_version": 2, "python_version": "3"}', r"\(version unknown\) has result_version 2, this .* has 5"),
        (b'{"job_version": 9, "app_version": "9.0"}', r"\(version 9.0\) has job_version 9, this PocketCLIP has 4"),
    ],
)
def test_answers_of_other_versions(content: bytes, message: str) -> None:
    with pytest.raises(AppOutdatedError, match=message) as caught:
        check_versions(content, "pixel7")
    assert (caught.value.code, caught.value.exit_code) == ("app-outdated", 27)
    # What is no answer at all is told by whoever reads it.
    check_versions(b"[]", "pixel7")
    check_versions(b"{", "pixel7")


@pytest.mark.parametrize(
    ("announced", "code"),
    [
        (["3", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"], None),
        (["4", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"], "result-truncated"),
        (["3", "00"], "result-altered"),
        ([], "result-truncated"),
    ],
)
def test_answers_are_compared_with_what_was_announced(announced: list[str], code: str | None) -> None:
    if code is None:
        check_arrived(b"abc", announced, "the app")
        return
    with pytest.raises(AgentError) as caught:
        check_arrived(b"abc", announced, "the app")
    assert caught.value.code == code
