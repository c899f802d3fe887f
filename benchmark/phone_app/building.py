"""Builds the phone apps from their sources: Android by Gradle, iOS by Xcode; what is missing is said first."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.errors import AppBuildError, AppMissingError, DeviceUnsupportedError
from pocketclip.benchmark.phone_app.apk import find_apk

OLDEST_JAVA = 17
ANDROID_TASKS = (":bench:assembleRelease", ":app:assembleRelease")

_IOS_SCHEME = "PocketCLIP"
_SDK_VARIABLES = ("ANDROID_HOME", "ANDROID_SDK_ROOT")
_LAST_LINES = 15


@dataclass(frozen=True)
class BuildTools:
    """What builds the Android app: the program of Gradle, the folder of the SDK, the version of Java."""

    gradle: Path
    sdk: Path
    java: int


def find_android_tools(app: Path) -> BuildTools:
    """What the Android build needs, all of it looked for before anything is said.

    Raises:
        AppMissingError: something is missing; the message says what, and how to get each.
    """
    missing: list[str] = []
    sdk = _sdk(app)
    if sdk is None:
        missing.append(
            "the Android SDK (install Android Studio or its command line tools, and set ANDROID_HOME, or sdk.dir in "
            f"{app / 'local.properties'})"
        )
    elif not (sdk / "platforms").is_dir():
        missing.append(f"a platform in the Android SDK {sdk} (run `sdkmanager 'platforms;android-36'`)")
    gradle = _gradle(app)
    if gradle is None:
        missing.append(
            "Gradle (the wrapper gradlew of the sources, or `gradle` on the path; https://gradle.org/install)"
        )
    java = _java()
    if java is None or java < OLDEST_JAVA:
        found = "" if java is None else f"; this is {java}"
        missing.append(f"a JDK of version {OLDEST_JAVA} or later (JAVA_HOME, or `java` on the path{found})")
    if missing or sdk is None or gradle is None or java is None:
        raise AppMissingError(f"the Android app cannot be built here; missing: {'; '.join(missing)}")
    return BuildTools(gradle, sdk, java)


def build_android(folder: Path, say: Callable[[str], object] = lambda _: None) -> list[Path]:
    """Builds the measuring app and the sample app; the APKs, the measuring app's first.

    Raises:
        AppMissingError: something is missing.
        AppBuildError: Gradle fails; its last words are in the message.
    """
    app = folder / "android_app"
    tools = find_android_tools(app)
    say("building with Gradle; the first build downloads its dependencies")
    environment = {**os.environ, "ANDROID_HOME": str(tools.sdk)}
    _run([str(tools.gradle), *ANDROID_TASKS], app, environment, "Gradle")
    try:
        bench = find_apk(sources=folder).path
    except AppMissingError as error:
        raise AppBuildError(
            "Gradle succeeded but left no signed APK of the measuring app",
            fix="see `signing` in android_app/README.md",
        ) from error
    return [bench, *sorted((app / "app/build/outputs/apk/release").glob("*.apk"))]


def build_ios(folder: Path, team: str | None) -> Path:
    """Builds and signs the iOS app; its folder.

    Args:
        folder: what `app_sources` gives.
        team: the identifier of the user's team at Apple, by which the app is signed.

    Raises:
        DeviceUnsupportedError: this is no Mac.
        AppMissingError: Xcode or the team is missing.
        AppBuildError: xcodebuild fails; its last words are in the message.
    """
    if sys.platform != "darwin":
        raise DeviceUnsupportedError(
            "building the iOS app needs Xcode on a Mac",
            fix="run this on a Mac, copy the .app or .ipa here, and give it with --app or POCKETCLIP_IOS_APP",
        )
    if shutil.which("xcodebuild") is None:
        raise AppMissingError(
            "the iOS app needs Xcode", fix="install it from the App Store and run `xcode-select --install`"
        )
    if team is None:
        raise AppMissingError(
            "the iOS app needs your developer team for signing: give it with --team (see Xcode, Settings, Accounts)"
        )
    project = folder / "ios_app" / "PocketCLIP.xcodeproj"
    if not project.is_dir():
        raise AppMissingError(f"there is no {project}", fix="install PocketCLIP again")
    derived = folder / "ios_app" / "build"
    command = ["xcodebuild", "-project", str(project), "-scheme", _IOS_SCHEME, "-configuration", "Release"]
    command += ["-destination", "generic/platform=iOS", "-derivedDataPath", str(derived)]
    command += [f"DEVELOPMENT_TEAM={team}", "-allowProvisioningUpdates", "build"]
    _run(command, folder / "ios_app", dict(os.environ), "xcodebuild")
    built = derived / "Build/Products/Release-iphoneos" / f"{_IOS_SCHEME}.app"
    if not built.is_dir():
        raise AppBuildError(f"xcodebuild succeeded but left no {built.name} in {built.parent}", fix="see its scheme")
    return built


def _sdk(app: Path) -> Path | None:
    named = [os.environ[name] for name in _SDK_VARIABLES if os.environ.get(name)]
    properties = app / "local.properties"
    if properties.is_file():
        # A file of Java's: `:` and `\\` are written with a backslash before them.
        found = re.search(r"^sdk\.dir\s*=\s*(.+?)\s*$", properties.read_text(encoding="utf-8"), re.MULTILINE)
        named += [re.sub(r"\\(.)", r"\1", found[1])] if found else []
    return next((Path(each) for each in named if Path(each).is_dir()), None)


def _gradle(app: Path) -> Path | None:
    wrapper = app / ("gradlew.bat" if sys.platform == "win32" else "gradlew")
    # Without its jar the wrapper's script does nothing.
    if wrapper.is_file() and (app / "gradle/wrapper/gradle-wrapper.jar").is_file():
        return wrapper
    found = shutil.which("gradle")
    return None if found is None else Path(found)


def _java() -> int | None:
    """The version of Java that Gradle would run on."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else "java"
    try:
        ended = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Java 8 calls itself 1.8.
    found = re.search(r'version "(?:1\.)?(\d+)', ended.stderr + ended.stdout)
    return int(found[1]) if found else None


def _run(command: Sequence[str], folder: Path, environment: dict[str, str], name: str) -> None:
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise AppBuildError(f"cannot start {command[0]}: {error.strerror or error}") from error
    if ended.returncode:
        words = [line.rstrip() for line in f"{ended.stdout}\n{ended.stderr}".splitlines() if line.strip()]
        raise AppBuildError(f"{name} fails (exit code {ended.returncode}): {' | '.join(words[-_LAST_LINES:])}")
