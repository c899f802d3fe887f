"""Bundles as they are made: what is in them follows from their own bytes, whatever the runtimes."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as transforms
from torchvision.transforms import InterpolationMode

from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.bundle import schemas
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.manifest import Bundle
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.selftest import SelfTestReport, self_test
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import ArtifactCorruptError, BundleError
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents, json_schema
from pocketclip.models.text.tokenizer import Tokenizer
from pocketclip.models.text.vocabulary import load_vocabulary

from .conftest import Build
from .tiny_artifacts import DIM, IDENTITY, LABELS, PARITY, PREPROCESS, SIZE, edit, embed_ids, embed_image, unit

PAIRS = [
    ((TargetName.ONNX, Precision.FP32), (TargetName.TFLITE, Precision.FP32)),
    ((TargetName.COREML, Precision.FP16), (TargetName.ONNX, Precision.FP32)),
    ((TargetName.ONNX, Precision.FP32), (TargetName.COREML, Precision.FP16)),
]


def validate(kind: type, content: Any) -> None:
    name = next(name for name, known in schemas.SCHEMAS.items() if known is kind)
    schema = json.loads((schemas.FOLDER / name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(content)


@pytest.mark.slow
@pytest.mark.parametrize(("image", "text"), PAIRS)
def test_two_runtimes_in_one_bundle(build: Build, tmp_path: Path, image: Any, text: Any) -> None:
    out = tmp_path / "clip.bundle"
    written = write_bundle(BundleRequest(build(Tower.IMAGE, *image), build(Tower.TEXT, *text), LABELS), out)
    assert (written.image.target, written.image.precision) == image
    assert (written.text.target, written.text.precision) == text
    assert written.image.minimum_ios == (16 if image[0] is TargetName.COREML else None)
    validate(Bundle, json.loads((out / BUNDLE_NAME).read_text()))
    bundle = read_bundle(out)
    assert bundle.manifest == written
    report = self_test(bundle)
    assert report.passed and report.image_same and report.text_same
    assert {check.part for check in report.checks} == {"image", "text", "labels"}
    validate(SelfTestReport, json.loads(documents.to_json(report)))


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_committed_schema_is_up_to_date(name: str) -> None:
    assert (schemas.FOLDER / name).read_text() == json_schema.schema_text(schemas.SCHEMAS[name], name)


def test_json_and_raw_bytes_are_enough(bundle: Path) -> None:
    """Everything again from the bytes, with numpy, torchvision and the formula of the tiny model alone."""
    manifest = json.loads((bundle / BUNDLE_NAME).read_text())

    def tensor(stored: dict[str, Any]) -> np.ndarray:
        code = {"uint8": "B", "uint16": "H", "int32": "i", "float32": "f"}[stored["dtype"]]
        count = int(np.prod(stored["shape"]))
        return np.array(struct.unpack(f"<{count}{code}", (bundle / stored["file"]).read_bytes())).reshape(
            stored["shape"]
        )

    end = manifest["end_to_end"]
    preprocessed = tensor(end["preprocessed"])
    for place, image in enumerate(end["images"]):
        pixels = torch.from_numpy(tensor(image["pixels"]).astype(np.uint8)).permute(2, 0, 1)
        pillow = transforms.to_pil_image(pixels)
        resized = transforms.center_crop(transforms.resize(pillow, [SIZE], InterpolationMode.BICUBIC), [SIZE])
        scaled = transforms.to_dtype(transforms.pil_to_tensor(resized), torch.float32, scale=True)
        expected = transforms.normalize(scaled, list(PREPROCESS.mean), list(PREPROCESS.std))
        np.testing.assert_allclose(preprocessed[place], expected.numpy(), atol=1e-5)
    images = embed_image(preprocessed)
    np.testing.assert_allclose(tensor(end["image_embeddings"]), images, atol=1e-5)
    np.testing.assert_allclose(tensor(end["sentence_embeddings"]), embed_ids(tensor(end["token_ids"])), atol=1e-5)

    labels = tensor(manifest["labels"]["embeddings"])
    assert manifest["labels"]["names"] == list(LABELS)
    assert labels.shape == (len(LABELS), DIM)
    cosines = images @ labels.T
    for row, image in zip(cosines, end["images"], strict=True):
        best = sorted(range(len(LABELS)), key=lambda place: -row[place])
        exponentials = np.exp(IDENTITY.logit_scale * row)
        assert image["ranking"]["places"] == best
        np.testing.assert_allclose(image["ranking"]["cosines"], row[best], atol=1e-5)
        np.testing.assert_allclose(
            image["ranking"]["probabilities"], (exponentials / exponentials.sum())[best], atol=1e-4
        )


def test_label_embeddings_are_means_over_templates(build: Build, tmp_path: Path) -> None:
    templates = tmp_path / "templates.txt"
    templates.write_text("a photo of a {}\nthere is {c} here\n")
    request = BundleRequest(build(Tower.IMAGE), build(Tower.TEXT), ("orange star",), str(templates))
    written = write_bundle(request, tmp_path / "clip.bundle")
    assert written.templates.texts == ("a photo of a {}", "there is {} here")
    tokenizer = Tokenizer(24, load_vocabulary("scenes"))
    prompts = embed_ids(tokenizer(["a photo of a orange star", "there is orange star here"]))
    assert written.labels is not None
    stored = read_bundle(tmp_path / "clip.bundle").tensor(written.labels.embeddings)
    np.testing.assert_allclose(stored, unit(prompts.mean(0, keepdims=True)), atol=1e-5)


def test_templates_that_fit_the_vocabulary(bundle: Path) -> None:
    templates = read_bundle(bundle).manifest.templates
    assert templates.name == "scenes" and "a photo of a {}" in templates.texts and templates.articles == "english"


def test_same_inputs_give_the_same_bytes(build: Build, tmp_path: Path) -> None:
    request = BundleRequest(build(Tower.IMAGE), build(Tower.TEXT), LABELS)
    for name in ("first", "second"):
        write_bundle(request, tmp_path / name)
        edit(tmp_path / name, lambda content: content.update(created_at="then"))
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "first", tmp_path / "second")
    )
    assert first == second


def test_bundle_without_labels(build: Build, tmp_path: Path) -> None:
    written = write_bundle(BundleRequest(build(Tower.IMAGE), build(Tower.TEXT)), tmp_path / "clip.bundle")
    assert written.labels is None
    report = self_test(read_bundle(tmp_path / "clip.bundle"))
    assert report.passed and not [check for check in report.checks if check.part == "labels"]


def test_nothing_is_stored_twice_and_no_artefact_data_comes_along(bundle: Path) -> None:
    manifest = read_bundle(bundle).manifest
    hashes = [entry.sha256 for entry in manifest.files]
    # The tiny model is its own reference, to the last bit or nearly.
    golden = {manifest.image.golden.reference.file, manifest.text.golden.reference.file}
    others = [entry.sha256 for entry in manifest.files if entry.path not in golden]
    assert len(set(others)) == len(others) >= len(hashes) - 2
    assert {path.name for path in (bundle / "text").iterdir()} == {"model.onnx"}


def test_licences_say_what_is_known(build: Build, tmp_path: Path) -> None:
    parts = build(Tower.IMAGE), build(Tower.TEXT)
    notes = {note.part: note for note in write_bundle(BundleRequest(*parts), tmp_path / "a").licences}
    assert notes["model weights"].licence == "unknown"
    assert notes["tokenizer"].licence == "MIT"
    stated = write_bundle(BundleRequest(*parts, weights_licence="CC-BY-4.0"), tmp_path / "b").licences
    assert next(note for note in stated if note.part == "model weights").licence == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_sha256": "e" * 64}, "different weights"),
        ({"embedding_dim": DIM + 1}, "different embedding dimensions"),
        ({"config_sha256": "e" * 64}, "different configurations"),
        ({"logit_scale": 21.0}, "different logit scales"),
    ],
)
def test_towers_of_two_models(build: Build, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    text = build(Tower.TEXT)
    text = replace(text, manifest=replace(text.manifest, model=replace(IDENTITY, **change)))
    with pytest.raises(BundleError, match=message):
        write_bundle(BundleRequest(build(Tower.IMAGE), text), tmp_path / "clip.bundle")
    assert not (tmp_path / "clip.bundle").exists()


def test_towers_that_do_not_go_together(build: Build, tmp_path: Path) -> None:
    image, text, out = build(Tower.IMAGE), build(Tower.TEXT), tmp_path / "clip.bundle"
    with pytest.raises(BundleError, match="holds the text tower, not the image tower"):
        write_bundle(BundleRequest(text, image), out)
    with pytest.raises(BundleError, match="one gives normalised embeddings, the other raw"):
        write_bundle(BundleRequest(image, build(Tower.TEXT, name="raw", normalized=False)), out)
    with pytest.raises(BundleError, match="does not describe its tower's input"):
        write_bundle(BundleRequest(image, build(Tower.TEXT, name="unfed", tokenizer=None)), out)
    with pytest.raises(ArtifactCorruptError, match=r"golden_reference\.bin holds NaN or infinite values"):
        write_bundle(BundleRequest(build(Tower.IMAGE, name="nan", nan_golden=True), text), out)
    assert not out.exists()


def test_input_that_the_preprocessing_does_not_make(build: Build, tmp_path: Path) -> None:
    image = build(Tower.IMAGE)
    (spec,) = image.manifest.inputs
    for number, (wrong, message) in enumerate(
        [
            (replace(spec, maximum=255.0), "takes values from -2 to 255"),
            (replace(spec, layout="HWCN"), "layout HWCN"),
            (replace(spec, shape=(1, 3, 32, 32)), "its preprocessing makes"),
        ]
    ):
        odd = replace(image, manifest=replace(image.manifest, inputs=(wrong,)))
        with pytest.raises(BundleError, match=message):
            write_bundle(BundleRequest(odd, build(Tower.TEXT, name=f"t{number}")), tmp_path / "clip.bundle")


def test_artefact_that_failed_parity(build: Build, tmp_path: Path) -> None:
    failed = build(Tower.IMAGE, parity=replace(PARITY, failures=("cosine_min 0.9 is below 0.99",)))
    unproved = build(Tower.IMAGE, name="unproved", parity=None)
    text, out = build(Tower.TEXT), tmp_path / "clip.bundle"
    with pytest.raises(BundleError, match=r"missed its parity budget \(cosine_min 0\.9 .*--allow-failed"):
        write_bundle(BundleRequest(failed, text), out)
    with pytest.raises(BundleError, match="never compared"):
        write_bundle(BundleRequest(unproved, text), out)
    written = write_bundle(BundleRequest(failed, text, allow_failed=True), out)
    assert written.image.parity is not None and written.image.parity.failures
    assert written.image.tolerances.reference is None
    assert self_test(read_bundle(out)).passed


def test_what_stands_at_the_goal(build: Build, tmp_path: Path) -> None:
    request, out = BundleRequest(build(Tower.IMAGE), build(Tower.TEXT)), tmp_path / "photos"
    out.mkdir()
    (out / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        write_bundle(request, out)
    assert (out / "holiday.jpg").read_bytes() == b"mine"
    (out / "holiday.jpg").unlink()
    write_bundle(request, out)
    write_bundle(BundleRequest(request.image, request.text, LABELS), out)
    assert read_bundle(out).manifest.labels is not None
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _foreign(out: Path) -> None:
    (out / BUNDLE_NAME).write_text("{}")


def _own_file(out: Path) -> None:
    shutil.copytree(out.parent / "sound", out, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (_foreign, "is not a bundle that can be replaced"),
        (_own_file, r"holds mine\.txt, which is not part of its bundle"),
    ],
)
def test_only_a_bundle_and_nothing_else_is_replaced(
    build: Build, tmp_path: Path, fill: Callable[[Path], None], said: str
) -> None:
    request, out = BundleRequest(build(Tower.IMAGE), build(Tower.TEXT)), tmp_path / "photos"
    write_bundle(request, tmp_path / "sound")
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    fill(out)
    with pytest.raises(BundleError, match=said):
        write_bundle(request, out)
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("out", [".", "..", "../here"])
def test_current_folder_is_not_replaced(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    request, here = BundleRequest(build(Tower.IMAGE), build(Tower.TEXT)), tmp_path / "outer" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    with pytest.raises(BundleError, match="is the current folder or holds it"):
        write_bundle(request, Path(out), run=lambda *_: pytest.fail("the towers were run"))
    assert [path.name for path in tmp_path.rglob(".*")] == []
