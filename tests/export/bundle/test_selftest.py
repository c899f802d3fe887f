"""The self-test names the step that went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketclip.export.artifact.manifest import MANIFEST_NAME
from pocketclip.export.artifact.pass_report import PassName, PassReport
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.bundle.classifying import classify
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.reading import OpenedBundle, read_bundle
from pocketclip.export.bundle.selftest import self_test
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import ArtifactCorruptError, BundleError
from pocketclip.export.precision import Tower

from .conftest import Build
from .tiny_artifacts import DIM, LABELS, edit, resign, unit


def failed(bundle: OpenedBundle) -> set[tuple[str, str]]:
    """Parts and names of the checks that failed, figures left out."""
    report = self_test(bundle)
    found = [check for check in report.checks if not check.passed]
    assert report.failures == len(found) and report.passed == (not found)
    return {(check.part, check.name.split(":")[0].split(",")[0]) for check in found}


def test_other_weights(bundle: Path, build: Build) -> None:
    other = build(Tower.TEXT, name="other", scale=-1.0)
    (bundle / "text/model.onnx").write_bytes(other.model_path.read_bytes())
    resign(bundle)
    assert failed(read_bundle(bundle)) == {
        ("text", "golden outputs"), ("text", "PyTorch's outputs"), ("text", "sentences"), ("text", "label embeddings"),
    }  # fmt: skip


def test_image_weights_that_turn_the_ranking_around(bundle: Path, build: Build) -> None:
    other = build(Tower.IMAGE, name="other", scale=-1.0)
    (bundle / "image/model.onnx").write_bytes(other.model_path.read_bytes())
    resign(bundle)
    found = failed(read_bundle(bundle))
    assert {("image", "golden outputs"), ("image", "photographs"), ("labels", "order for cat")} <= found
    assert not {part for part, _ in found if part == "text"}


def test_model_that_gives_nan(bundle: Path, build: Build) -> None:
    other = build(Tower.IMAGE, name="other", scale=float("nan"), nan_golden=True)
    (bundle / "image/model.onnx").write_bytes(other.model_path.read_bytes())
    resign(bundle)
    report = self_test(read_bundle(bundle))
    broken = [check for check in report.checks if check.name == "photographs: cosine"]
    assert broken[0].value is None and "NaN" in str(broken[0].note) and not broken[0].passed


def test_model_that_its_runtime_refuses(bundle: Path) -> None:
    (bundle / "image/model.onnx").write_bytes(b"no model")
    resign(bundle)
    with pytest.raises(ArtifactCorruptError, match=r"onnxruntime .* cannot load"):
        self_test(read_bundle(bundle))


CHANGES: list[tuple[Callable[[dict[str, Any]], object], tuple[str, str]]] = [
    (lambda content: content["preprocess"].update(interpolation="bilinear"), ("image", "preprocessing")),
    (lambda content: content["preprocess"].update(resize_mode="squash"), ("image", "preprocessing")),
    (lambda content: content["tokenizer"].update(cleaning=["ftfy"]), ("text", "sentences with other ids")),
    (lambda content: content["tokenizer"].update(special_texts=[]), ("text", "sentences with other ids")),
    (lambda content: content["tokenizer"].update(pattern=r"\S+"), ("text", "sentences with other ids")),
    (lambda content: content["templates"].update(articles="as-written"), ("text", "label embeddings")),
    (lambda content: content["templates"].update(texts=["not a {}"]), ("text", "label embeddings")),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_manifest_that_tells_another_way(
    bundle: Path, change: Callable[[dict[str, Any]], object], expected: tuple[str, str]
) -> None:
    edit(bundle, change)
    assert expected in failed(read_bundle(bundle))


def test_damaged_merges(bundle: Path) -> None:
    path = bundle / "tokenizer/merges.bin"
    merges = np.fromfile(path, "<u2").reshape(-1, 2)
    # Merges of bytes alone, in another order: any other that comes before its parts is refused when it is read.
    of_bytes = np.flatnonzero(merges.max(axis=1) < 512)
    merges[of_bytes] = merges[of_bytes[::-1]]
    merges.tofile(path)
    resign(bundle)
    assert ("text", "sentences with other ids") in failed(read_bundle(bundle))


def test_labels_in_another_order(bundle: Path) -> None:
    path = bundle / "labels/embeddings.bin"
    values = np.fromfile(path, "<f4").reshape(len(LABELS), -1)
    values[::-1].tofile(path)
    resign(bundle)
    found = failed(read_bundle(bundle))
    assert ("text", "label embeddings") in found
    assert any(part == "labels" for part, _ in found)


def test_other_processor_gets_the_wider_tolerances(bundle: Path) -> None:
    def elsewhere(content: dict[str, Any]) -> None:
        content["image"]["executed_by"]["machine"] = "arm64"

    edit(bundle, elsewhere)
    opened = read_bundle(bundle)
    report = self_test(opened)
    assert report.passed and not report.image_same and report.text_same
    golden = next(check for check in report.checks if (check.part, check.name) == ("image", "golden outputs: cosine"))
    assert golden.bound == opened.manifest.image.tolerances.other.cosine_min < 0.999999
    assert "other runtime or processor" in golden.basis


def test_tower_with_another_gelu_is_judged_as_it_was_exported(build: Build, tmp_path: Path) -> None:
    used = PassReport(PassName.TANH_GELU, ("stages.0",), exact=False, max_abs_error=1e-3)
    image = build(Tower.IMAGE, passes=(used,))
    path = image.folder / image.manifest.golden.reference.file
    reference = np.fromfile(path, "<f4").reshape(-1, DIM)
    # As far from PyTorch as the tanh form may be, and no fp32 artefact without it.
    unit(reference + np.random.default_rng(5).normal(size=reference.shape, scale=1e-3)).astype("<f4").tofile(path)
    resign(image.folder, MANIFEST_NAME)
    write_bundle(BundleRequest(load_artifact(image.folder), build(Tower.TEXT), LABELS), tmp_path / "tanh.bundle")
    report = self_test(read_bundle(tmp_path / "tanh.bundle"))
    assert [check for check in report.checks if not check.passed] == []
    check = next(each for each in report.checks if (each.part, each.name) == ("image", "PyTorch's outputs: error"))
    assert check.value is not None and check.value > 1e-4


def test_classifying_with_stored_and_with_given_labels(bundle: Path) -> None:
    opened = read_bundle(bundle)
    image = opened.manifest.end_to_end.images[0]
    assert image.ranking is not None
    photograph = Image.fromarray(opened.tensor(image.pixels))
    stored = classify(opened, photograph)
    assert [label for label, _ in stored] == [LABELS[place] for place in image.ranking.places]
    np.testing.assert_allclose([p for _, p in stored], image.ranking.probabilities, rtol=1e-4)
    given = dict(classify(opened, photograph, LABELS[::-1]))
    for label, probability in stored:
        assert given[label] == pytest.approx(probability, rel=1e-4)
    bare = replace(opened, manifest=replace(opened.manifest, labels=None))
    with pytest.raises(BundleError, match="has no labels"):
        classify(bare, photograph)
