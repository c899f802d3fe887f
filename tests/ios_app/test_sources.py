"""What cannot be built without Apple's SDK: the sources against stubs of it, the project, texts, privacy, style."""

from __future__ import annotations

import json
import plistlib
import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.ios_app import html_entities, string_catalog
from tests.ios_app.conftest import IN_REPOSITORY, IN_SHARED, IOS_APP, STUBS, SwiftBuild

# In the order in which they import each other.
STUB_MODULES = (
    "Darwin", "CoreML", "UIKit", "CoreGraphics", "ImageIO", "UniformTypeIdentifiers", "SwiftUI", "PhotosUI", "AVFoundation",
)  # fmt: skip
_COMPILER = "swiftc -parse-as-library"
_MODULES = "/work/modules"


def _type_check_script(app: str = "App/*.swift", core_ml: str = "Sources/PocketClipCoreML/*.swift") -> str:
    """Builds the stubs, then checks runner, program and app against them."""
    # A module that fails to be made leaves one that can be used: so it begins in an empty folder.
    steps = ["set -e", f"mkdir {_MODULES}", f"cp {IN_SHARED}/modules/* {_MODULES}"]
    for name in STUB_MODULES:
        source = f"{IN_REPOSITORY}/tests/ios_app/stubs/{name}.swift"
        steps.append(
            f"{_COMPILER} -emit-module -module-name {name} -swift-version 5 -suppress-warnings -I {_MODULES} "
            f"-emit-module-path {_MODULES}/{name}.swiftmodule {source}"
        )
    strict = f"{_COMPILER} -swift-version 6 -I {_MODULES}"
    steps += [
        f"{strict} -emit-module -module-name PocketClipCoreML -emit-module-path {_MODULES}/PocketClipCoreML.swiftmodule "
        + core_ml,
        f"{strict} -typecheck -module-name pocketclip_bench Sources/pocketclip-bench/*.swift",
        f"{strict} -typecheck -module-name PocketCLIP {app}",
    ]
    return "\n".join(steps)


def test_every_stub_is_used() -> None:
    assert {path.stem for path in STUBS.glob("*.swift")} == set(STUB_MODULES)


def test_core_ml_runner_and_app_fit_the_stubs(swift_build: SwiftBuild) -> None:
    checked = swift_build.run(["sh", "-c", _type_check_script()])
    assert checked.returncode == 0, checked.stderr[-6000:]
    assert "warning:" not in checked.stderr, checked.stderr[-6000:]


@pytest.mark.parametrize(
    ("file", "found", "wrong", "message"),
    [
        ("App/TryView.swift", "model.liveRate", "model.liveSpeed", "has no member 'liveSpeed'"),
        ("App/CameraFeed.swift", "receiver.queue.async { running", "receiver.queue.async { [session] in _ = session; running", "data race"),
    ],
    ids=["a property that is not there", "what may not leave the main actor"],
)  # fmt: skip
def test_the_check_finds(
    swift_build: SwiftBuild, tmp_path: Path, file: str, found: str, wrong: str, message: str
) -> None:
    source = (IOS_APP / file).read_text()
    assert found in source
    (tmp_path / Path(file).name).write_text(source.replace(found, wrong, 1))
    others = " ".join(
        shlex.quote(f"App/{path.name}") for path in (IOS_APP / "App").glob("*.swift") if path.name != Path(file).name
    )
    script = _type_check_script(app=f"/work/changed/{Path(file).name} {others}")
    checked = swift_build.run(["sh", "-c", script], mounts={tmp_path: "/work/changed"})
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
    assert named == {"PocketClipCore", "PocketClipCoreML", "PocketClipScreens"}
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
        assert json.loads(path.read_text())["info"]["version"] == 1
