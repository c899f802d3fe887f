"""Bundles that hold Core ML and Core AI: real assets of Apple's converter, run by Apple's runtime for Linux."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.cli import app
from pocketclip.export import api
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle import variants
from pocketclip.export.bundle.fitting import BundleRequest, parse_specializations
from pocketclip.export.bundle.manifest import Specialization, SystemBundle
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.selftest import SelfTestReport, self_test
from pocketclip.export.bundle.variants import choose_model
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import BundleCorruptError, BundleError
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.runtimes import SPECIALIZATIONS
from pocketclip.export.targets import probe
from pocketclip.export.targets.base import Availability
from pocketclip.models import documents

from .test_bundle import validate
from .tiny_artifacts import LABELS, build_artifact, edit, resign

_LACKING = [each for each in (TargetName.COREAI, TargetName.COREML) if not probe(each).available]
pytestmark = pytest.mark.skipif(bool(_LACKING), reason=f"unavailable here: {_LACKING}")

COREML = (TargetName.COREML, Precision.FP16)
COREAI = (TargetName.COREAI, Precision.FP16)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[TargetName, Tower], Artifact]:
    """Both towers for Core ML and for Core AI; nothing may write to them."""
    root = tmp_path_factory.mktemp("artifacts")
    return {(kind[0], tower): build_artifact(root, tower, *kind) for kind in (COREML, COREAI) for tower in Tower}


@pytest.fixture(scope="module")
def request_(artifacts: dict[tuple[TargetName, Tower], Artifact]) -> BundleRequest:
    """Core ML for every iOS, Core AI for iOS 27."""
    return BundleRequest(
        artifacts[TargetName.COREML, Tower.IMAGE],
        artifacts[TargetName.COREML, Tower.TEXT],
        LABELS,
        coreai=tuple(artifacts[TargetName.COREAI, tower] for tower in Tower),
    )


@pytest.fixture(scope="module")
def made(request_: BundleRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle; nothing may write to it."""
    folder = tmp_path_factory.mktemp("bundles") / "both.bundle"
    write_bundle(request_, folder)
    return folder


@pytest.fixture
def both(made: Path, tmp_path: Path) -> Path:
    """The same, free to be damaged."""
    return shutil.copytree(made, tmp_path / "both.bundle")


def test_a_bundle_holds_an_asset_for_newer_systems(request_: BundleRequest, made: Path) -> None:
    content = json.loads((made / BUNDLE_NAME).read_text())
    validate(SystemBundle, content)
    assert content["schema_version"] == 3
    opened = read_bundle(made)
    manifest = opened.manifest
    for tower, artifact in zip(Tower, request_.coreai, strict=True):
        (variant,) = manifest.variants_of(tower)
        assert (variant.target, variant.precision, variant.runtime) == (*COREAI, "coreai")
        assert (variant.requires, variant.minimum_ios) == ("iOS 27", 27)
        assert variant.artifact_sha256 == artifact.manifest.sha256
        assert variant.specializations == (Specialization.DEFAULT, Specialization.PREFER_GPU)
        assert _files(opened.model_path(variant)) == _files(artifact.model_path)
    assert (manifest.image.target, manifest.image.minimum_ios) == (TargetName.COREML, 16)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_apples_runtime_for_linux_tests_every_variant(made: Path) -> None:
    report = self_test(read_bundle(made))
    assert report.passed, [check for check in report.checks if not check.passed]
    assert [(run.tower, run.soc, run.target, run.same, run.not_run) for run in report.variants] == [
        (tower, None, TargetName.COREAI, True, None) for tower in Tower
    ]
    assert {check.part for check in report.checks} == {"image", "text", "labels", "image coreai", "text coreai"}
    validate(SelfTestReport, json.loads(documents.to_json(report)))


def test_an_asset_of_other_weights_fails_its_self_test(both: Path, tmp_path: Path) -> None:
    other = build_artifact(tmp_path, Tower.IMAGE, *COREAI, scale=-1.0)
    for path in other.model_path.rglob("*"):
        if path.is_file():
            (both / "image-coreai/model.aimodel" / path.relative_to(other.model_path)).write_bytes(path.read_bytes())
    resign(both)
    report = self_test(read_bundle(both))
    assert {check.part for check in report.checks if not check.passed} == {"image coreai"}


def test_where_core_ai_is_not_installed_core_ml_answers_and_says_so(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = read_bundle(made)
    told = choose_model(opened, Tower.IMAGE).told
    assert told is not None and told.startswith("image: coreai fp16 for iOS 27, by Core AI's runtime, coreai-core")
    monkeypatch.setattr(variants, "probe", lambda target: Availability(available=False, reason="not here"))
    chosen = choose_model(opened, Tower.IMAGE)
    assert chosen.model is opened.manifest.image
    assert chosen.told == "image: coreml fp16; no variant runs here (coreai is unavailable: not here)"
    report = self_test(opened)
    assert report.passed
    assert {run.not_run for run in report.variants} == {"coreai is unavailable: not here"}


def test_labels_are_ranked_by_the_variant(made: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened = api.open_bundle(made)
    with caplog.at_level("INFO", "pocketclip.export"):
        ranked = opened.classify(Image.new("RGB", (20, 30), (200, 30, 40)), LABELS)
    assert sorted(name for name, _ in ranked) == sorted(LABELS)
    assert len([line for line in caplog.messages if "by Core AI's runtime" in line]) == 2


def test_the_command_takes_folders_and_specialisations(request_: BundleRequest, tmp_path: Path) -> None:
    out = tmp_path / "by-command.bundle"
    towers = ["--image", str(request_.image.folder), "--text", str(request_.text.folder)]
    coreai = [word for each in request_.coreai for word in ("--coreai", str(each.folder))]
    words = ["bundle", *towers, *coreai, "--specializations", "prefer-npu, default", "--out", str(out)]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "image, iOS 27 (prefer-npu, default)" in result.output
    stored = json.loads((out / BUNDLE_NAME).read_text())["variants"]
    assert [each["specializations"] for each in stored] == [["prefer-npu", "default"]] * 2
    tested = CliRunner().invoke(app, ["selftest", str(out)], env={"COLUMNS": "200"})
    assert tested.exit_code == 0, tested.output
    assert "image on newer systems (coreai fp16): Core AI's runtime" in tested.output


@pytest.mark.parametrize("text", ["fastest", "", "default,default"])
def test_specialisations_that_do_not_exist(text: str) -> None:
    with pytest.raises(BundleError, match=r"there is no specialisation .*default, prefer-gpu|names one of them twice"):
        parse_specializations(text)


Pick = Callable[[TargetName, Tower], Artifact]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pick: {"coreai": (pick(TargetName.COREML, Tower.IMAGE),)}, r"is no Core AI asset.*give it to --image"),
        (
            lambda pick: {"image": pick(TargetName.COREAI, Tower.IMAGE)},
            r"cannot stand in for .* on iPhones with an iOS before 27",
        ),
        (lambda pick: {"specializations": ()}, "no specialisation"),
        (lambda pick: {"npu": (pick(TargetName.COREML, Tower.IMAGE),)}, "make two bundles"),
    ],
    ids=["no-asset", "no-fallback", "no-specialisation", "android-too"],
)
def test_what_cannot_be_bundled(
    request_: BundleRequest,
    artifacts: dict[tuple[TargetName, Tower], Artifact],
    tmp_path: Path,
    change: Callable[[Pick], dict[str, Any]],
    words: str,
) -> None:
    with pytest.raises(BundleError, match=words):
        write_bundle(replace(request_, **change(lambda *key: artifacts[key])), tmp_path / "clip.bundle")
    assert not (tmp_path / "clip.bundle").exists()


def test_two_assets_for_one_tower(request_: BundleRequest, tmp_path: Path) -> None:
    again = build_artifact(tmp_path, Tower.IMAGE, *COREAI)
    with pytest.raises(BundleError, match="are both for the image tower"):
        write_bundle(replace(request_, coreai=(*request_.coreai, again)), tmp_path / "clip.bundle")


def test_core_ai_alone_makes_a_plain_bundle(
    artifacts: dict[tuple[TargetName, Tower], Artifact], tmp_path: Path
) -> None:
    out = tmp_path / "new.bundle"
    write_bundle(BundleRequest(*(artifacts[TargetName.COREAI, tower] for tower in Tower)), out)
    opened = read_bundle(out)
    assert (opened.manifest.schema_version, opened.manifest.image.minimum_ios) == (1, 27)
    assert self_test(opened).passed


def _first(content: dict[str, Any], **changes: Any) -> None:
    content["variants"][0] |= changes


HOSTILE: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda content: content.update(schema_version=4), "has schema version 4; this version reads up to 3"),
    (lambda content: content.update(schema_version=1), "variants: Unexpected keyword argument"),
    (lambda content: content.update(schema_version=2), r"variants\.0\.soc: Field required"),
    (lambda content: content.pop("variants"), "variants: Field required"),
    (lambda content: content.update(variants=[]), "variants: "),
    (lambda content: content["variants"].append(content["variants"][0]), "variants: "),
    (lambda content: _first(content, soc="SM8650"), r"variants\.0\.soc"),
    (lambda content: _first(content, specializations=[]), r"variants\.0\.specializations"),
    (lambda content: _first(content, specializations=["fastest"]), r"variants\.0\.specializations"),
    (lambda content: _first(content, specializations=["default", "default"]), "a specialisation twice"),
    (lambda content: _first(content, minimum_ios=None), "from which system on it runs"),
    (lambda content: _first(content, tower="text"), "two variants for the same systems"),
    (lambda content: _first(content, target="onnx"), "of another target than coreai"),
    (lambda content: _first(content, runtime="coreml"), "of another target than coreai"),
    (lambda content: _first(content, entry_point="../../secret.aimodel"), r"variants\.0\.entry_point"),
    (lambda content: _first(content, entry_point="image/model.mlpackage"), "two models lie in one folder"),
    (lambda content: _first(content, normalized=False), "only one tower gives raw embeddings"),
    (lambda content: content["image"].update(target="onnx"), "is not for those before"),
]


@pytest.mark.parametrize(("change", "words"), HOSTILE)
def test_a_manifest_that_lies(both: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    edit(both, change)
    with pytest.raises(BundleCorruptError, match=words):
        read_bundle(both)


def test_specialisations_are_those_of_the_runtimes_table() -> None:
    assert sorted(SPECIALIZATIONS.values()) == sorted(Specialization)
