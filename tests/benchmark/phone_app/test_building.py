"""`pocketclip app build`, with programs that stand for Gradle and Xcode."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import AppBuildError, AppMissingError, DeviceUnsupportedError
from pocketclip.benchmark.phone_app import building
from pocketclip.benchmark.phone_app.building import build_android, build_ios, find_android_tools

MakeProgram = Callable[[str, str], None]
JAVA_17 = "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """Puts a script of that name on a path that has little else."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def make(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return make


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the folders of the apps."""
    (tmp_path / "checkout/android_app").mkdir(parents=True)
    (tmp_path / "checkout/ios_app/PocketCLIP.xcodeproj").mkdir(parents=True)
    return tmp_path / "checkout"


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """An Android SDK."""
    (tmp_path / "sdk/platforms/android-36").mkdir(parents=True)
    return tmp_path / "sdk"


GRADLE = """
echo "$@" > arguments
mkdir -p bench/build/outputs/apk/release app/build/outputs/apk/release
( cd bench/build/outputs/apk/release && python3 -c '
import zipfile
with zipfile.ZipFile("bench-release.apk", "w") as apk: apk.writestr("AndroidManifest.xml", "x")' )
touch app/build/outputs/apk/release/app-release.apk
"""


def test_all_that_is_missing_is_named_at_once(program: MakeProgram, checkout: Path) -> None:
    program("java", "echo 'java version \"1.8.0_412\"' >&2")
    program("gradle", "exit 1")
    (checkout / "android_app/local.properties").write_text("sdk.dir=/no/such/folder\n")
    with pytest.raises(AppMissingError) as caught:
        find_android_tools(checkout / "android_app")
    assert caught.value.exit_code == 21
    for words in ("missing: the Android SDK", "set ANDROID_HOME", "a JDK of version 17 or later", "this is 8"):
        assert words in str(caught.value)
    assert "Gradle (" not in str(caught.value)


def test_an_sdk_without_a_platform(
    program: MakeProgram, checkout: Path, sdk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("java", JAVA_17)
    program("gradle", "exit 0")
    (sdk / "platforms/android-36").rmdir()
    (sdk / "platforms").rmdir()
    monkeypatch.setenv("ANDROID_SDK_ROOT", str(sdk))
    with pytest.raises(AppMissingError, match=r"a platform in the Android SDK .*sdkmanager 'platforms;android-36'"):
        find_android_tools(checkout / "android_app")


def test_gradle_builds_both_apps(program: MakeProgram, checkout: Path, sdk: Path) -> None:
    program("java", JAVA_17)
    program("gradle", GRADLE)
    escaped = str(sdk).replace("/", "\\/")
    (checkout / "android_app/local.properties").write_text(f"# made by Android Studio\nsdk.dir={escaped}\n")
    built = build_android(checkout)
    assert [path.name for path in built] == ["bench-release.apk", "app-release.apk"]
    assert (checkout / "android_app/arguments").read_text().split() == list(building.ANDROID_TASKS)


def test_the_wrapper_comes_before_gradle_on_the_path(
    program: MakeProgram, checkout: Path, sdk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("java", JAVA_17)
    program("gradle", "exit 1")
    monkeypatch.setenv("ANDROID_HOME", str(sdk))
    wrapper = checkout / "android_app/gradlew"
    wrapper.write_text(f"#!/bin/sh\n{GRADLE}")
    wrapper.chmod(0o755)
    # Its jar is not in the checkout: the script alone does nothing.
    assert find_android_tools(checkout / "android_app").gradle.name == "gradle"
    (checkout / "android_app/gradle/wrapper").mkdir(parents=True)
    (checkout / "android_app/gradle/wrapper/gradle-wrapper.jar").write_bytes(b"x")
    assert build_android(checkout)[0].name == "bench-release.apk"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'e: Main.kt:3:1 Unresolved reference'; exit 1",
            r"Gradle fails \(exit code 1\): e: Main.kt:3:1 Unresolved",
        ),
        ("exit 0", "Gradle succeeded but left no signed APK of the measuring app"),
        (
            "o=bench/build/outputs/apk/release; mkdir -p $o && touch $o/bench-release-unsigned.apk",
            "left no signed APK",
        ),
    ],
)
def test_a_build_that_fails(
    program: MakeProgram, checkout: Path, sdk: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    program("java", JAVA_17)
    program("gradle", script)
    monkeypatch.setenv("ANDROID_HOME", str(sdk))
    with pytest.raises(AppBuildError, match=message):
        build_android(checkout)


def test_ios_needs_a_mac(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DeviceUnsupportedError, match="needs Xcode on a Mac"):
        build_ios(checkout, "TEAM1")


def test_xcode_builds_for_the_users_team(program: MakeProgram, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(AppMissingError, match="needs Xcode"):
        build_ios(checkout, "TEAM1")
    program("xcodebuild", 'echo "$@" > arguments; mkdir -p build/Build/Products/Release-iphoneos/PocketCLIP.app')
    with pytest.raises(AppMissingError, match="give it with --team"):
        build_ios(checkout, None)
    assert build_ios(checkout, "TEAM1").name == "PocketCLIP.app"
    arguments = (checkout / "ios_app/arguments").read_text()
    assert "DEVELOPMENT_TEAM=TEAM1" in arguments and "-scheme PocketCLIP" in arguments
    program("xcodebuild", "echo 'error: No profiles for org.pocketclip.PocketCLIP were found'; exit 65")
    with pytest.raises(AppBuildError, match=r"xcodebuild fails \(exit code 65\): error: No profiles"):
        build_ios(checkout, "TEAM1")
