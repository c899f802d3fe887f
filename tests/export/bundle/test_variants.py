"""Bundles whose towers have variants for the NPUs of chips: real graphs of Qualcomm's compiler, run by its emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.manifest import Bundle, NpuBundle
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.selftest import SelfTestReport, self_test
from pocketclip.export.bundle.variants import choose_model
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import ArtifactCorruptError, BundleCorruptError, BundleError
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import probe
from pocketclip.export.targets.base import Availability
from pocketclip.models import documents

from .conftest import Build
from .test_bundle import validate
from .tiny_artifacts import LABELS, edit, resign

_HERE = probe(TargetName.ONNX_QNN)
pytestmark = pytest.mark.skipif(not _HERE.available, reason=f"onnx-qnn is unavailable: {_HERE.reason}")

SOCS = ("SM8550", "SM8650")
NPU = (TargetName.ONNX_QNN, Precision.FP16)
VARIANT = "image-onnx-qnn-sm8650/contexts/sm8650"


@pytest.fixture
def request_(build: Build) -> BundleRequest:
    """Both towers for the CPU, and both for two chips."""
    npu = tuple(build(tower, *NPU, socs=SOCS) for tower in Tower)
    return BundleRequest(build(Tower.IMAGE), build(Tower.TEXT), LABELS, npu=npu)


@pytest.fixture
def npu_bundle(request_: BundleRequest, tmp_path: Path) -> Path:
    """A sound bundle with variants, free to be damaged."""
    write_bundle(request_, tmp_path / "npu.bundle")
    return tmp_path / "npu.bundle"


def test_a_bundle_holds_a_graph_for_each_chip(request_: BundleRequest, npu_bundle: Path) -> None:
    content = json.loads((npu_bundle / BUNDLE_NAME).read_text())
    validate(NpuBundle, content)
    assert content["schema_version"] == 2
    opened = read_bundle(npu_bundle)
    manifest = opened.manifest
    assert [(each.tower, each.soc) for tower in Tower for each in manifest.variants_of(tower)] == [
        (tower, soc) for tower in Tower for soc in SOCS
    ]
    for tower, artifact in zip(Tower, request_.npu, strict=True):
        for variant in manifest.variants_of(tower):
            assert (variant.target, variant.precision) == NPU
            assert variant.artifact_sha256 == artifact.manifest.sha256
            assert (variant.graphs, variant.on_cpu, variant.sdk[:5]) == (1, 0, "v2.49")
            # The same path as in the artefact: a phone knows both as the same file.
            path = opened.model_path(variant).relative_to(npu_bundle / variant.place)
            assert (artifact.folder / path).read_bytes() == opened.model_path(variant).read_bytes()
            assert opened.model_size_bytes(variant) == sum(
                each.size_bytes for each in manifest.files if each.path.startswith(f"{variant.place}/")
            )
    # Chips share what all of them compute.
    assert len({each.golden for each in manifest.variants_of(Tower.IMAGE)}) == 1


def test_without_variants_a_bundle_is_what_old_readers_know(bundle: Path) -> None:
    content = json.loads((bundle / BUNDLE_NAME).read_text())
    assert content["schema_version"] == 1 and "variants" not in content
    validate(Bundle, content)


def test_every_chip_is_tested_by_the_emulator(npu_bundle: Path) -> None:
    report = self_test(read_bundle(npu_bundle))
    assert report.passed
    assert [(run.tower, run.soc, run.same, run.not_run) for run in report.variants] == [
        (tower, soc, True, None) for tower in Tower for soc in SOCS
    ]
    assert {check.part for check in report.checks} == {
        "image", "text", "labels", *(f"{tower} {soc} onnx-qnn" for tower in Tower for soc in SOCS),
    }  # fmt: skip
    validate(SelfTestReport, json.loads(documents.to_json(report)))


def test_a_graph_of_other_weights_fails_the_self_test_of_its_chip(npu_bundle: Path, build: Build) -> None:
    other = build(Tower.IMAGE, *NPU, name="other", scale=-1.0)
    for suffix in (".onnx", "_qnn.bin"):
        (npu_bundle / f"{VARIANT}{suffix}").write_bytes((other.folder / f"contexts/sm8650{suffix}").read_bytes())
    resign(npu_bundle)
    report = self_test(read_bundle(npu_bundle))
    assert {check.part for check in report.checks if not check.passed} == {"image SM8650 onnx-qnn"}


def test_where_there_is_no_emulator_the_cpu_answers_and_says_so(
    npu_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = read_bundle(npu_bundle)
    chosen = choose_model(opened, Tower.IMAGE)
    assert chosen.told == "image: onnx-qnn fp16 for SM8550, by the emulator of its NPU"
    monkeypatch.setattr(variants, "probe", lambda target: Availability(available=False, reason="not here"))
    chosen = choose_model(opened, Tower.IMAGE)
    assert chosen.model is opened.manifest.image
    assert chosen.told == "image: onnx fp32; no variant runs here (onnx-qnn is unavailable: not here)"
    report = self_test(opened)
    assert report.passed
    assert {run.not_run for run in report.variants} == {"onnx-qnn is unavailable: not here"}
    assert {check.part for check in report.checks} == {"image", "text", "labels"}


def test_labels_are_ranked_by_the_variant(npu_bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened = api.open_bundle(npu_bundle)
    image = Image.new("RGB", (20, 30), (200, 30, 40))
    with caplog.at_level("INFO", "pocketclip.export"):
        own = opened.classify(image)
    assert [line for line in caplog.messages if "emulator" in line] == [
        "note: image: onnx-qnn fp16 for SM8550, by the emulator of its NPU"
    ]
    typed = opened.classify(image, LABELS)
    assert [name for name, _ in own] == [name for name, _ in typed]
    assert [share for _, share in own] == pytest.approx([share for _, share in typed], abs=0.02)


def test_the_command_takes_folders_of_artefacts(request_: BundleRequest, tmp_path: Path) -> None:
    out = tmp_path / "by-command.bundle"
    folders = {each.manifest.tower: str(each.folder) for each in (request_.image, request_.text)}
    npu = [word for each in request_.npu for word in ("--npu", str(each.folder))]
    arguments = ["bundle", "--image", folders[Tower.IMAGE], "--text", folders[Tower.TEXT], *npu, "--out", str(out)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "image, SM8650" in result.output and "text, SM8550" in result.output
    tested = CliRunner().invoke(app, ["selftest", str(out)], env={"COLUMNS": "200"})
    assert tested.exit_code == 0, tested.output
    assert "image on the NPU of SM8550, SM8650 (onnx-qnn fp16): emulated Hexagon NPU" in tested.output


Pair = tuple[Artifact, Artifact, tuple[Artifact, ...]]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (
            lambda build: (build(Tower.IMAGE, *NPU), build(Tower.TEXT), ()),
            r"runs on some Snapdragon chips alone.*give it to --npu, and to --image an artefact for the CPU",
        ),
        (
            lambda build: (build(Tower.IMAGE), build(Tower.TEXT), (build(Tower.IMAGE, name="again"),)),
            r"tiny onnx-fp32 image is not for an NPU.*give it to --image",
        ),
        (
            lambda build: (
                build(Tower.IMAGE),
                build(Tower.TEXT),
                (build(Tower.TEXT, *NPU), build(Tower.TEXT, *NPU, name="b", scale=2.0)),
            ),
            r"are both for SM8650",
        ),
    ],
)
def test_what_cannot_be_bundled(build: Build, tmp_path: Path, pair: Callable[[Build], Pair], words: str) -> None:
    image, text, npu = pair(build)
    with pytest.raises(BundleError, match=words):
        write_bundle(BundleRequest(image, text, npu=npu), tmp_path / "clip.bundle")
    assert not (tmp_path / "clip.bundle").exists()


def _first(content: dict[str, Any], **changes: Any) -> None:
    content["variants"][0] |= changes


HOSTILE: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda content: content.update(schema_version=4), "has schema version 4; this version reads up to 3"),
    (lambda content: content.update(schema_version=1), "variants: Unexpected keyword argument"),
    (lambda content: content.pop("variants"), "variants: Field required"),
    (lambda content: content.update(variants=[]), "variants: "),
    (lambda content: _first(content, soc="../x"), r"variants\.0\.soc"),
    (lambda content: _first(content, sdk="v2; rm"), r"variants\.0\.sdk"),
    (lambda content: _first(content, entry_point="../../secret.onnx"), r"variants\.0\.entry_point"),
    (lambda content: _first(content, entry_point="image/nothing.onnx"), "is not among the files it lists"),
    (lambda content: _first(content, entry_point="image/model.onnx"), "two models lie in one folder"),
    (lambda content: _first(content, target="onnx"), "prepares no graphs for chips"),
    (lambda content: _first(content, soc="SM8650"), "for the same chip and runtime"),
    (lambda content: _first(content, on_cpu=3), "leaves a part of its tower to the CPU"),
    (lambda content: _first(content, normalized=False), "only one tower gives raw embeddings"),
    (lambda content: content["image"].update(target="onnx-qnn"), "a tower runs on single chips alone"),
]


@pytest.mark.parametrize(("change", "words"), HOSTILE)
def test_a_manifest_that_lies(npu_bundle: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    edit(npu_bundle, change)
    with pytest.raises(BundleCorruptError, match=words):
        read_bundle(npu_bundle)


def test_a_graph_that_reads_a_file_elsewhere(npu_bundle: Path) -> None:
    import onnx

    path = npu_bundle / f"{VARIANT}.onnx"
    model = onnx.load(path)
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "ep_cache_context":
            attribute.s = b"../../golden/image_inputs.bin"
    onnx.save(model, path)
    resign(npu_bundle)
    with pytest.raises(ArtifactCorruptError, match="does not read one file beside it"):
        self_test(read_bundle(npu_bundle))
