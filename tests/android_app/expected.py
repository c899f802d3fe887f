"""A nano bundle and what Python makes of it, for the Kotlin tests to compare with."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.image_input import image_input
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.encoders import embed
from pocketclip.export.targets import open_model
from pocketclip.models.evaluation.zero_shot import rank_labels
from tests.app_golden.captions import captions
from tests.app_golden.images import images

LABELS = (
    "a red circle",
    "an orange triangle",
    "two blue squares",
    "a green star",
    "a yellow pentagon",
    "three purple rings",
)


def write_fixtures(image_artifact: Path, text_artifact: Path, folder: Path) -> None:
    """Writes `bundle/`, embeddings of the golden images and captions, rankings, and a tower of other weights."""
    write_bundle(BundleRequest(load_artifact(image_artifact), load_artifact(text_artifact), LABELS), folder / "bundle")
    bundle = read_bundle(folder / "bundle")
    manifest = bundle.manifest
    with closing(open_model(manifest.image.target, bundle.model_path(manifest.image))) as session:
        seen = np.concatenate(
            [embed(session, image_input(each.upright, manifest.preprocess, manifest.image.input)) for each in images()]
        )
    tokenizer = BundleTokenizer(manifest.tokenizer, bundle.folder)
    with closing(open_model(manifest.text.target, bundle.model_path(manifest.text))) as session:
        spoken = np.concatenate([embed(session, tokenizer(text)) for text in captions()])
    assert manifest.labels is not None
    labels = bundle.tensor(manifest.labels.embeddings)
    rankings = [[place for place, _ in rank_labels(row[None], labels, manifest.model.logit_scale)] for row in seen]
    seen.astype("<f4").tofile(folder / "image_embeddings.bin")
    spoken.astype("<f4").tofile(folder / "caption_embeddings.bin")
    (folder / "rankings.json").write_text(json.dumps({"rankings": rankings}))
    _write_other_weights(bundle.model_path(manifest.image), folder / "other_image.onnx")


def _write_other_weights(path: Path, target: Path) -> None:
    """The same graph with its largest weights turned round: it loads and runs, and computes something else."""
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda weights: np.prod(weights.dims))
    values = numpy_helper.to_array(largest)
    largest.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values[::-1]), largest.name))
    onnx.save(model, target)
