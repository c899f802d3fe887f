"""Real APKs of both applications, assembled of the same sources without Gradle, are what their sources say."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from pocketclip.benchmark.api import check_app
from pocketclip.benchmark.app_check.runtime_sizes import OTHERS

from . import apk
from .maven_build import SOURCES, Build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(apk.missing_programs()), reason=f"not installed: {', '.join(apk.missing_programs())}"),
]

APPLICATIONS = {each.name: each for each in (apk.BENCH, apk.APP)}
PERMISSIONS = {
    "bench": {
        "android.permission.FOREGROUND_SERVICE",
        "android.permission.FOREGROUND_SERVICE_SPECIAL_USE",
        "android.permission.POST_NOTIFICATIONS",
        "android.permission.WAKE_LOCK",
    },
    # The last is AndroidX's, of the application's own.
    "app": {
        "android.permission.CAMERA",
        "android.permission.FOREGROUND_SERVICE",
        "android.permission.FOREGROUND_SERVICE_DATA_SYNC",
        "android.permission.POST_NOTIFICATIONS",
        "android.permission.WAKE_LOCK",
        "org.pocketclip.app.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION",
    },
}
# What other applications may start: what Test Lab starts, which does nothing elsewhere; the screen; and AndroidX's
# receiver only for the shell.
EXPORTED = {
    "bench": {"org.pocketclip.bench.LoopActivity": None},
    "app": {
        "org.pocketclip.app.MainActivity": None,
        "androidx.profileinstaller.ProfileInstallReceiver": "android.permission.DUMP",
    },
}
CLASSES = {
    "bench": (
        "bench/BenchInstrumentation",
        "bench/LaunchService",
        "bench/LoopActivity",
        "bench/MeasuringService",
        "core/bench/BenchProgram",
        "runtime/litert/LiteRt",
    ),
    "app": (
        "app/MainActivity",
        "app/measure/MeasureService",
        "app/background/WorkService",
        "core/inference/Classifier",
        "runtime/executorch/ExecuTorch",
    ),
}
# Not the runtimes': Gradle adds those, whose AARs are not to be had here.
LIBRARIES: dict[str, set[str]] = {"bench": set(), "app": {"libandroidx.graphics.path.so"}}
STUBS = ("Lorg/pytorch/", "Lcom/google/ai/edge/litert/")


@pytest.fixture(scope="module")
def apks(proof: Build, session_folder: Path) -> dict[str, Path]:
    """Both APKs by name; assembled once for a session, libraries dexed once for their versions."""
    out = session_folder / "apks"
    cache = Path(os.environ["POCKETCLIP_USER_CACHE"]) / "android-dex"
    with FileLock(session_folder / "apks.lock"):
        if not (out / "done").is_file():
            for application in APPLICATIONS.values():
                assert (proof.proof / "android" / application.name / "target" / "classes").is_dir(), proof.output[
                    -4000:
                ]
                apk.assemble(application, proof.proof, out, cache)
            (out / "done").touch()
    return {name: out / f"{name}.apk" for name in APPLICATIONS}


def _out(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def _manifest(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Elements of the binary manifest in order, each with its attributes."""
    elements: list[tuple[str, dict[str, str]]] = []
    for line in _out("aapt2", "dump", "xmltree", "--file", "AndroidManifest.xml", path).splitlines():
        if found := re.match(r"\s*E: ([\w-]+)", line):
            elements.append((found[1], {}))
        elif found := re.match(r'\s*A: (?:\S*:)?([\w]+)(?:\(0x\w+\))?=(?:"([^"]*)"|(\S+))', line):
            elements[-1][1][found[1]] = found[2] if found[2] is not None else found[3]
    return elements


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_signature_holds(apks: dict[str, Path], name: str) -> None:
    said = _out("apksigner", "verify", "--verbose", apks[name])
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in said
    assert "Verified using v3 scheme (APK Signature Scheme v3): true" in said
    _out("zipalign", "-c", "-p", "4", apks[name])


@pytest.mark.parametrize("name", APPLICATIONS)
def test_stores_would_take_it_as_far_as_it_can_be_had(apks: dict[str, Path], name: str) -> None:
    """Without the runtimes' libraries, for which the same check is to be made of what Gradle builds."""
    checked = check_app(apks[name])
    assert checked.findings == ()
    assert {each.runtime for each in checked.sizes} <= {OTHERS}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_altered_apk_is_refused(apks: dict[str, Path], name: str, tmp_path: Path) -> None:
    altered = tmp_path / "altered.apk"
    content = bytearray(apks[name].read_bytes())
    content[len(content) // 3] ^= 1
    altered.write_bytes(content)
    assert subprocess.run(["apksigner", "verify", str(altered)], capture_output=True).returncode != 0


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_manifest_is_what_the_sources_say(apks: dict[str, Path], name: str) -> None:
    versions = tomllib.loads((SOURCES / "gradle" / "libs.versions.toml").read_text())["versions"]
    elements = _manifest(apks[name])
    manifest = dict(elements)["manifest"]
    assert manifest["package"] == f"org.pocketclip.{name}"
    assert manifest["versionName"] == versions["appVersion"]
    assert manifest["versionCode"] == versions["appVersionCode"]
    sdk = dict(elements)["uses-sdk"]
    assert (sdk["minSdkVersion"], sdk["targetSdkVersion"]) == (versions["minSdk"], versions["targetSdk"])
    application = dict(elements)["application"]
    assert "debuggable" not in application
    assert application["allowBackup"] == "false"
    permissions = {values["name"] for kind, values in elements if kind.startswith("uses-permission")}
    assert permissions == PERMISSIONS[name]
    assert "android.permission.INTERNET" not in permissions
    components = [values for kind, values in elements if kind in ("activity", "service", "receiver", "provider")]
    assert components
    exported = {each["name"]: each.get("permission") for each in components if each.get("exported") == "true"}
    assert exported == EXPORTED[name]
    assert all("exported" in each for each in components)


def test_bench_is_an_instrumentation_of_itself(apks: dict[str, Path]) -> None:
    elements = _manifest(apks["bench"])
    (instrumentation,) = [values for kind, values in elements if kind == "instrumentation"]
    assert instrumentation["name"] == "org.pocketclip.bench.BenchInstrumentation"
    assert instrumentation["targetPackage"] == "org.pocketclip.bench"
    assert dict(elements)["profileable"]["shell"] == "true"
    assert not [values for kind, values in _manifest(apks["app"]) if kind == "instrumentation"]


def test_bench_has_one_game_loop_for_test_lab(apks: dict[str, Path]) -> None:
    """As Test Lab looks for it, before it takes the app; in another process than the launches."""
    elements = _manifest(apks["bench"])
    (loops,) = [values for kind, values in elements if kind == "meta-data" and "loops" in values["name"]]
    assert (loops["name"], loops["value"]) == ("com.google.test.loops", "1")
    (place,) = [place for place, (kind, _) in enumerate(elements) if kind == "activity"]
    assert [kind for kind, _ in elements[place + 1 : place + 5]] == ["intent-filter", "action", "category", "data"]
    activity, action, category, data = (elements[place + step][1] for step in (0, 2, 3, 4))
    assert activity["process"] == ":loop"
    assert action["name"] == "com.google.intent.action.TEST_LOOP"
    assert category["name"] == "android.intent.category.DEFAULT"
    assert data["mimeType"] == "application/javascript"
    services = {values["name"].rpartition(".")[2]: values for kind, values in elements if kind == "service"}
    assert "process" not in services["LaunchService"] and "process" not in services["MeasuringService"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_dex_files_hold_the_classes(apks: dict[str, Path], name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(apks[name]) as archive:
        dexes = sorted(each for each in archive.namelist() if re.fullmatch(r"classes\d*\.dex", each))
        archive.extractall(tmp_path, dexes)
    for each in dexes:
        assert "Checksum verified" in _out("dexdump", "-c", tmp_path / each)
    # Strings in it are of Java's own UTF-8.
    dumped = subprocess.run(["dexdump", str(tmp_path / "classes.dex")], check=True, capture_output=True)
    classes = set(re.findall(r"Class descriptor  : '([^']+)'", dumped.stdout.decode(errors="replace")))
    for wanted in CLASSES[name]:
        assert f"Lorg/pocketclip/{wanted};" in classes
    assert not [each for each in classes if each.startswith(STUBS)], "the stubs must not be packaged"


@pytest.mark.parametrize("name", APPLICATIONS)
def test_native_libraries_are_for_the_phones_and_stored_as_they_are(apks: dict[str, Path], name: str) -> None:
    machines = {"arm64-v8a": 183, "x86_64": 62}
    found: dict[str, set[str]] = {abi: set() for abi in machines}
    with zipfile.ZipFile(apks[name]) as archive:
        for entry in archive.infolist():
            if not entry.filename.startswith("lib/"):
                continue
            _, abi, library = entry.filename.split("/")
            found[abi].add(library)
            head = archive.read(entry)[:20]
            assert head[:4] == b"\x7fELF"
            assert int.from_bytes(head[18:20], "little") == machines[abi]
            assert entry.compress_type == zipfile.ZIP_STORED
    assert found == dict.fromkeys(machines, LIBRARIES[name])


def test_words_for_all_that_the_screens_say_are_in_the_resources(apks: dict[str, Path]) -> None:
    dumped = _out("aapt2", "dump", "resources", apks["app"])
    assert re.search(r"string/bundle_none_title", dumped)
    assert re.search(r"color/background\n(?:.*\n)*?.*\(night\)", dumped), "colours for the night"
    assert "mipmap/ic_launcher" in dumped
