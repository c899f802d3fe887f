"""What cannot be built without Apple's SDK: the sources against stubs of it, the project, texts, privacy, style."""

from __future__ import annotations

import json
import plistlib
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.ios_app import html_entities, string_catalog
from tests.ios_app.swift_package import IN_REPOSITORY, IN_SHARED, IOS_APP, STUBS, SwiftBuild

# In the order in which they import each other.
STUB_MODULES = (
    "Darwin",
    "CoreML",
    "CoreAI",
    "UIKit",
    "CoreGraphics",
    "ImageIO",
    "UniformTypeIdentifiers",
    "SwiftUI",
    "PhotosUI",
    "AVFoundation",
)
_COMPILER = "swiftc -parse-as-library -whole-module-optimization"
_MODULES = "/mnt/modules"
_STRICT = f"{_COMPILER} -swift-version 6 -I {_MODULES}"
# Beyond types: what may race is found later in the compiler.
_CHECK = f"{_STRICT} -emit-sil -o /dev/null"


@pytest.fixture(scope="module")
def modules(swift_build: SwiftBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled stubs, the package's libraries, and the runners of Core ML and Core AI, checked against the stubs."""
    # A module that fails to be made leaves one that can be used: so the folder is new.
    folder = tmp_path_factory.mktemp("modules")
    steps = ["set -e", f"cp {IN_SHARED}/modules/* {_MODULES}"]
    for name in STUB_MODULES:
        steps.append(
            f"{_COMPILER} -emit-module -module-name {name} -swift-version 5 -suppress-warnings -I {_MODULES} "
            f"-emit-module-path {_MODULES}/{name}.swiftmodule {IN_REPOSITORY}/tests/ios_app/stubs/{name}.swift"
        )
    for name in ("PocketClipCoreML", "PocketClipCoreAI"):
        steps.append(
            f"{_STRICT} -emit-module -module-name {name} -emit-module-path "
            f"{_MODULES}/{name}.swiftmodule Sources/{name}/*.swift"
        )
        steps.append(f"{_CHECK} -module-name {name} Sources/{name}/*.swift")
    made = swift_build.run(["sh", "-c", "\n".join(steps)], mounts={folder: _MODULES})
    assert made.returncode == 0, made.stderr[-6000:]
    assert "warning:" not in made.stderr, made.stderr[-6000:]
    return folder


def test_every_stub_is_used() -> None:
    assert {path.stem for path in STUBS.glob("*.swift")} == set(STUB_MODULES)


@pytest.mark.parametrize(
    ("module", "sources"), [("PocketCLIP", "App/*.swift"), ("pocketclip_bench", "Sources/pocketclip-bench/*.swift")]
)
def test_app_and_program_fit_the_stubs(swift_build: SwiftBuild, modules: Path, module: str, sources: str) -> None:
    command = ["sh", "-c", f"{_CHECK} -module-name {module} {sources}"]
    checked = swift_build.run(command, mounts={modules: _MODULES})
    assert checked.returncode == 0, checked.stderr[-6000:]
    assert "warning:" not in checked.stderr, checked.stderr[-6000:]


def test_the_check_finds_faults(swift_build: SwiftBuild, modules: Path, tmp_path: Path) -> None:
    """A property that is not there, and what only the main actor may do: so the check above means something."""
    faults = {
        "TryView.swift": ("model.liveRate", "model.liveSpeed", "'liveSpeed'"),
        "HeadlessView.swift": (
            "Task { @MainActor in line = said }",
            "line = said",
            "isolated property 'line'",
        ),
    }
    sources = []
    for path in sorted((IOS_APP / "App").glob("*.swift")):
        sources.append(f"App/{path.name}")
        if path.name in faults:
            found, wrong, _ = faults[path.name]
            text = path.read_text()
            assert found in text
            (tmp_path / path.name).write_text(text.replace(found, wrong, 1))
            sources[-1] = f"/mnt/changed/{path.name}"
    command = ["sh", "-c", f"{_CHECK} -module-name PocketCLIP {' '.join(sources)}"]
    checked = swift_build.run(command, mounts={modules: _MODULES, tmp_path: "/mnt/changed"})
    assert checked.returncode != 0
    for _, _, message in faults.values():
        assert message in checked.stderr, checked.stderr[-3000:]


@pytest.mark.parametrize(
    ("found", "wrong", "message"),
    [
        ("AIModelCache.default", "AIModelCache.standard", "'standard'"),
        ("nonisolated(unsafe) let inputs", "let inputs", "data race"),
        ("preferredComputeUnitKind: .gpu", "preferredComputeUnitKind: .ane", "'ane'"),
    ],
    ids=["member", "isolation", "unit"],
)
def test_the_check_finds_faults_of_the_core_ai_runner(
    swift_build: SwiftBuild, modules: Path, tmp_path: Path, found: str, wrong: str, message: str
) -> None:
    text = (IOS_APP / "Sources/PocketClipCoreAI/CoreAIRuntime.swift").read_text()
    assert found in text
    (tmp_path / "CoreAIRuntime.swift").write_text(text.replace(found, wrong, 1))
    others = " ".join(
        f"Sources/PocketClipCoreAI/{path.name}"
        for path in sorted((IOS_APP / "Sources/PocketClipCoreAI").glob("*.swift"))
        if path.name != "CoreAIRuntime.swift"
    )
    command = f"{_CHECK} -module-name PocketClipCoreAI {others} /mnt/changed/CoreAIRuntime.swift"
    checked = swift_build.run(["sh", "-c", command], mounts={modules: _MODULES, tmp_path: "/mnt/changed"})
    assert checked.returncode != 0
    assert message in checked.stderr, checked.stderr[-3000:]


def test_style(swift_build: SwiftBuild) -> None:
    linted = swift_build.run(["swift", "format", "lint", "-s", "-r", "Package.swift", "Sources", "Tests", "App"])
    assert linted.returncode == 0, linted.stderr[-3000:]


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(IOS_APP)): count
        for path in IOS_APP.rglob("*.swift")
        if (count := len(path.read_text().splitlines())) > 400
    }
    assert not long


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    openstep_plist = pytest.importorskip(
        "openstep_plist", reason="openstep-plist reads Xcode's projects; pip install it"
    )
    return openstep_plist.loads((IOS_APP / "PocketCLIP.xcodeproj/project.pbxproj").read_text())


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (key, *_texts(each))]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def test_project_refers_to_what_exists(project: dict[str, Any]) -> None:
    objects = project["objects"]
    assert int(project["objectVersion"]) == 77
    ids = [text for text in _texts(project) if re.fullmatch(r"[0-9A-F]{24}", text)]
    assert set(ids) <= set(objects)
    # Nothing is left over either: every object is referred to somewhere else than by its own definition.
    assert {each for each in objects if ids.count(each) < 2} == set()
    for each in objects.values():
        match each["isa"]:
            case "PBXFileSystemSynchronizedRootGroup":
                assert (IOS_APP / each["path"]).is_dir()
            case "XCLocalSwiftPackageReference":
                assert (IOS_APP / each["relativePath"] / "Package.swift").is_file()
            case "PBXFileReference":
                assert each["sourceTree"] == "BUILT_PRODUCTS_DIR"


def test_project_names_products_of_the_package(project: dict[str, Any]) -> None:
    objects = project["objects"].values()
    named = {each["productName"] for each in objects if each["isa"] == "XCSwiftPackageProductDependency"}
    package = (IOS_APP / "Package.swift").read_text()
    assert named == {"PocketClipCore", "PocketClipCoreML", "PocketClipCoreAI", "PocketClipScreens"}
    for name in named:
        assert f'.library(name: "{name}"' in package
        assert (IOS_APP / "Sources" / name).is_dir()
    scheme = ElementTree.parse(IOS_APP / "PocketCLIP.xcodeproj/xcshareddata/xcschemes/PocketCLIP.xcscheme")
    blueprints = {each.get("BlueprintIdentifier") for each in scheme.iter("BuildableReference")}
    assert blueprints == {key for key, each in project["objects"].items() if each["isa"] == "PBXNativeTarget"}


def test_project_asks_for_what_the_sources_use(project: dict[str, Any]) -> None:
    settings = [
        each["buildSettings"]
        for each in project["objects"].values()
        if each["isa"] == "XCBuildConfiguration" and "PRODUCT_BUNDLE_IDENTIFIER" in each["buildSettings"]
    ]
    assert len(settings) == 2
    for each in settings:
        assert each["PRODUCT_BUNDLE_IDENTIFIER"] == "org.pocketclip.PocketCLIP"
        assert each["INFOPLIST_KEY_NSCameraUsageDescription"]
        assert each["INFOPLIST_KEY_NSPhotoLibraryUsageDescription"]
        # The harness reaches Documents, and so does Finder.
        assert each["INFOPLIST_KEY_UIFileSharingEnabled"] == "YES"


def test_made_files_are_up_to_date() -> None:
    assert string_catalog.CATALOG.read_text() == string_catalog.catalog_text(), (
        "run `python -m tests.ios_app.string_catalog`"
    )
    assert html_entities.GOAL.read_text() == html_entities.swift_source(), "run `python -m tests.ios_app.html_entities`"
    assert len(string_catalog.keys()) > 50


def test_privacy_manifest_and_assets_are_read() -> None:
    privacy = plistlib.loads((IOS_APP / "App/PrivacyInfo.xcprivacy").read_bytes())
    assert privacy["NSPrivacyTracking"] is False
    assert privacy["NSPrivacyCollectedDataTypes"] == []
    for path in (IOS_APP / "App/Assets.xcassets").rglob("Contents.json"):
        contents = json.loads(path.read_text())
        assert contents["info"]["version"] == 1
        for image in contents.get("images", []):
            width, height = map(int, image["size"].split("x"))
            with Image.open(path.parent / image["filename"]) as icon:
                # Transparent icons are refused by the App Store.
                assert (icon.size, icon.mode) == ((width, height), "RGB")


def test_the_example_of_the_readme_is_the_one_that_is_tested() -> None:
    (example,) = re.findall(r"```swift\n(.*?)```", (IOS_APP / "README.md").read_text(), re.DOTALL)
    tested = (IOS_APP / "Tests/PocketClipCoreTests/EngineTests.swift").read_text()
    for line in example.replace("CoreMLRuntime()", "FakeRuntime()").splitlines():
        assert line.partition("//")[0].strip() in tested, line


def test_the_table_of_types_names_what_exists() -> None:
    """docs/app-types.md: what stands in the columns of Swift and Kotlin is declared in their cores."""
    repository = IOS_APP.parent
    declared = {}
    for column, (folder, suffix) in {1: ("ios_app/Sources", "swift"), 2: ("android_app/core/src/main", "kt")}.items():
        text = "\n".join(path.read_text() for path in (repository / folder).rglob(f"*.{suffix}"))
        # Looked for at every place: Kotlin says `enum class` and `fun interface`.
        kinds = "struct|class|enum|actor|protocol|object|interface|func|fun"
        declared[column] = set(re.findall(rf"(?=\b(?:{kinds}) (\w+))", text))
    rows = [line.split("|")[1:-1] for line in (repository / "docs/app-types.md").read_text().splitlines()]
    rows = [row for row in rows if len(row) == 4 and "`" in row[1]]
    assert len(rows) > 20
    for row in rows:
        for column, names in declared.items():
            for named in re.findall(r"`([\w.]+)", row[column]):
                parts = [part for part in named.split(".") if part[0].isupper()] or [named.rpartition(".")[2]]
                assert parts[0] in names, f"{named} of the row {row[0].strip()!r} is not declared"
