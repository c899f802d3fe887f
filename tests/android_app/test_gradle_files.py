"""Gradle itself is not here: its files are checked as far as that is possible without."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pocketclip.benchmark.errors import AppMissingError
from pocketclip.benchmark.phone_app.building import find_android_tools

from .maven_build import REPOSITORY, SOURCES, Build, has_resource_compiler

CATALOGUE = tomllib.loads((SOURCES / "gradle" / "libs.versions.toml").read_text())
SCRIPTS = sorted([*SOURCES.glob("*.gradle.kts"), *SOURCES.glob("*/build.gradle.kts")])
MODULES = re.findall(r'include\(":([\w-]+)"\)', (SOURCES / "settings.gradle.kts").read_text())
NAMESPACE = "{http://maven.apache.org/POM/4.0.0}"


def test_every_module_has_its_folder_and_every_folder_is_a_module() -> None:
    assert [*dict.fromkeys(MODULES)] == MODULES
    assert {path.parent.name for path in SOURCES.glob("*/build.gradle.kts")} == set(MODULES)
    for module in MODULES:
        assert (SOURCES / module / "src" / "main").is_dir(), module


def test_modules_depend_on_modules_that_are_there() -> None:
    for script in SCRIPTS:
        for module in re.findall(r'project\(":([\w-]+)"\)', script.read_text()):
            assert module in MODULES, f"{script} names :{module}"


def test_every_alias_is_in_the_catalogue_and_none_is_left_over() -> None:
    text = "\n".join(script.read_text() for script in SCRIPTS)
    used_libraries = {each.replace(".", "-") for each in re.findall(r"\(libs\.(?!plugins|versions)([\w.]+)\)", text)}
    used_plugins = {each.replace(".", "-") for each in re.findall(r"alias\(libs\.plugins\.([\w.]+)\)", text)}
    used_versions = {each.removesuffix(".get") for each in re.findall(r"libs\.versions\.([\w.]+?)\.get\(\)", text)}
    assert used_libraries == set(CATALOGUE["libraries"])
    assert used_plugins == set(CATALOGUE["plugins"])
    references = {
        entry["version"]["ref"] for part in ("libraries", "plugins") for entry in CATALOGUE[part].values()
    } | used_versions
    assert references == set(CATALOGUE["versions"])


def _properties(pom: Path) -> dict[str, str]:
    (properties,) = ElementTree.parse(pom).getroot().findall(f"{NAMESPACE}properties")
    return {each.tag.removeprefix(NAMESPACE): each.text or "" for each in properties}


@pytest.mark.parametrize(
    ("version", "pom", "name"),
    [
        ("activity", "proof/android/pom.xml", "activity.version"),
        ("appVersionCode", "proof/android/pom.xml", "version.code"),
        ("compose", "proof/android/pom.xml", "compose.version"),
        ("coreKtx", "proof/android/pom.xml", "core.version"),
        ("coroutines", "proof/android/pom.xml", "coroutines.version"),
        ("jsoup", "proof/pom.xml", "jsoup.version"),
        ("junitJupiter", "proof/pom.xml", "junit.version"),
        ("kotlin", "proof/pom.xml", "kotlin.version"),
        ("lifecycle", "proof/android/pom.xml", "lifecycle.version"),
        ("material3", "proof/android/pom.xml", "material3.version"),
        ("minSdk", "proof/android/pom.xml", "min.sdk"),
        ("onnxruntime", "proof/pom.xml", "onnxruntime.version"),
        ("robolectric", "proof/android/pom.xml", "robolectric.version"),
        ("serialization", "proof/pom.xml", "serialization.version"),
        ("targetSdk", "proof/android/pom.xml", "target.sdk"),
    ],
)
def test_the_proof_is_of_the_same_versions(version: str, pom: str, name: str) -> None:
    assert _properties(SOURCES / pom)[name] == CATALOGUE["versions"][version]


def test_the_application_is_of_the_proofs_version() -> None:
    version = ElementTree.parse(SOURCES / "proof" / "pom.xml").getroot().findtext(f"{NAMESPACE}version")
    assert version == CATALOGUE["versions"]["appVersion"]


@pytest.mark.parametrize("runtime", ["ExecuTorch", "LiteRt"])
def test_a_runtimes_version_is_told_as_it_is_packaged(runtime: str) -> None:
    """These libraries do not tell it themselves."""
    source = next((SOURCES / f"runtime-{runtime.lower()}").rglob(f"{runtime}.kt")).read_text()
    assert f'PACKAGED_VERSION = "{CATALOGUE["versions"][runtime.lower()]}"' in source


def test_litert_is_of_the_minor_version_that_artefacts_are_compared_with() -> None:
    """The wheel that exports and parity use; a newer converter's files may need ops that an older runtime lacks."""
    (wheel,) = re.findall(r"^ai-edge-litert==(\d+\.\d+)\.", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    assert CATALOGUE["versions"]["litert"].startswith(f"{wheel}.")


def test_libraries_come_from_google_and_central_alone() -> None:
    settings = (SOURCES / "settings.gradle.kts").read_text()
    assert re.findall(r"^\s+(\w+)\(\)$", settings, re.MULTILINE) == ["google", "mavenCentral"] * 2
    wrapper = dict(
        line.split("=", 1) for line in (SOURCES / "gradle/wrapper/gradle-wrapper.properties").read_text().splitlines()
    )
    assert re.fullmatch(r"[0-9a-f]{64}", wrapper["distributionSha256Sum"])
    assert re.fullmatch(
        r"https\\://services\.gradle\.org/distributions/gradle-[\d.]+-bin\.zip", wrapper["distributionUrl"]
    )


def test_the_platform_that_is_asked_for_is_the_one_compiled_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path))
    with pytest.raises(AppMissingError, match=f"'platforms;android-{CATALOGUE['versions']['compileSdk']}'"):
        find_android_tools(SOURCES)


def test_the_example_of_the_readme_is_the_one_that_is_tested() -> None:
    (example,) = re.findall(r"```kotlin\n(.*?)```", (SOURCES / "README.md").read_text(), re.DOTALL)
    tested = next((SOURCES / "runtime-onnxruntime").rglob("BundleEndToEndTest.kt")).read_text()
    for line in example.splitlines():
        assert line.partition("//")[0].strip() in tested, line


def test_the_wrapper_is_gradles_own() -> None:
    """As published beside https://services.gradle.org/distributions/gradle-8.14.3-wrapper.jar.sha256."""
    wrapper = SOURCES / "gradle/wrapper/gradle-wrapper.jar"
    assert hashlib.sha256(wrapper.read_bytes()).hexdigest() == (
        "7d3a4ac4de1c32b59bc6a4eb8ecb8e612ccd0cf1ae1e99f66902da64df296172"
    )
    with zipfile.ZipFile(wrapper) as jar:
        assert "org/gradle/wrapper/GradleWrapperMain.class" in jar.namelist()
    assert os.access(SOURCES / "gradlew", os.X_OK)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not has_resource_compiler(), reason="aapt2 is not installed: apt-get install aapt")
def test_scripts_and_sources_parse_and_keep_to_the_style(proof: Build) -> None:
    ktlint = proof.proof / "android" / "app" / "target" / "tools" / "ktlint-cli-all.jar"
    patterns = ["*.gradle.kts", "*/build.gradle.kts"]
    patterns += [f"{module}/src/**/*.kt" for module in MODULES if module not in ("core", "runtime-onnxruntime")]
    result = subprocess.run(
        ["java", "-jar", str(ktlint), "--relative", *patterns], cwd=SOURCES, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-4000:]
