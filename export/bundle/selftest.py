"""Runs a bundle on this computer and compares every step with its golden data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketclip.export.bundle.image_input import image_input, step_sizes
from pocketclip.export.bundle.manifest import BundledTower, Execution, GoldenRanking, Tolerance
from pocketclip.export.bundle.prompts import embed_labels
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.bundle.tolerances import execution_here
from pocketclip.export.encoders import Embeddings, embed
from pocketclip.export.parity.measures import cosines
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import open_model
from pocketclip.models.documents import document
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.evaluation.zero_shot import rank_labels

SELFTEST_SCHEMA_VERSION = 1
# So many labels are embedded again, each through all templates.
LABELS_REPEATED = 2


class Limit(StrEnum):
    """Which side of its bound a value must be on."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@document
class Check:
    """One comparison: a value of `samples` samples, its bound, and why the bound is what it is.

    `value` is None where nothing could be measured; `note` says why.
    """

    part: str
    name: str
    samples: int
    value: float | None
    limit: Limit
    bound: float
    basis: str
    note: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the value was measured and is on the right side of its bound."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.limit is Limit.AT_LEAST else self.value <= self.bound


@document
class SelfTestReport:
    """What a self-test found (schema 1). `image_same` and `text_same`: whether runtime and processor are the golden
    data's, so that the narrow tolerances apply."""

    schema_version: int
    bundle_sha256: str
    model: str
    image: Execution
    image_same: bool
    text: Execution
    text_same: bool
    checks: tuple[Check, ...]
    failures: int

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.failures == 0


def self_test(bundle: OpenedBundle) -> SelfTestReport:
    """Runs preprocessing, tokenizer, both towers and label ranking on the golden data.

    Raises:
        TargetUnavailableError: a tower's runtime is not installed.
        ArtifactCorruptError: a runtime refuses its file.
        BundleCorruptError: the tokenizer's data does not fit together.
    """
    manifest = bundle.manifest
    image, text = execution_here(manifest.image.target), execution_here(manifest.text.target)
    checks = (
        *_image_checks(bundle, same=image == manifest.image.executed_by),
        *_text_checks(bundle, same=text == manifest.text.executed_by),
    )
    return SelfTestReport(
        schema_version=SELFTEST_SCHEMA_VERSION,
        bundle_sha256=manifest.sha256,
        model=manifest.model.name,
        image=image,
        image_same=image == manifest.image.executed_by,
        text=text,
        text_same=text == manifest.text.executed_by,
        checks=checks,
        failures=sum(not check.passed for check in checks),
    )


def _image_checks(bundle: OpenedBundle, *, same: bool) -> Iterator[Check]:
    manifest = bundle.manifest
    end = manifest.end_to_end
    golden = bundle.tensor(end.preprocessed)
    inputs = np.concatenate(
        [
            image_input(Image.fromarray(bundle.tensor(each.pixels)), manifest.preprocess, manifest.image.input)
            for each in end.images
        ]
    )
    error = np.abs(inputs.astype(np.float64) - golden) / step_sizes(manifest.preprocess, manifest.image.input)
    yield Check(
        "image",
        "preprocessing, steps of 8 bits",
        len(inputs),
        # Values of a float input are rounded: what is left is far below a step.
        float(error.max()),
        Limit.AT_MOST,
        end.pixel_tolerance,
        "the rounding of a resampling filter",
    )
    with closing(open_model(manifest.image.target, bundle.model_path(manifest.image))) as session:
        yield from _tower_checks(bundle, "image", manifest.image, session, same=same)
        wanted = bundle.tensor(end.image_embeddings)
        tolerance, basis = _tolerance(manifest.image, same=same)
        embedded = _embedded(session, list(inputs[:, None]))
        yield from _embedding_checks("image", "photographs", embedded, wanted, tolerance, basis)
    if manifest.labels is not None:
        labels = bundle.tensor(manifest.labels.embeddings)
        for place, each in enumerate(end.images):
            if each.ranking is not None:
                found = None if isinstance(embedded, str) else rank_labels(embedded[place : place + 1], labels, 1.0)
                yield _ranking_check(each.name, each.ranking, found, labels @ wanted[place], tolerance, basis)


def _text_checks(bundle: OpenedBundle, *, same: bool) -> Iterator[Check]:
    manifest = bundle.manifest
    end = manifest.end_to_end
    tokenizer = BundleTokenizer(manifest.tokenizer, bundle.folder)
    golden = bundle.tensor(end.token_ids)
    ids = np.concatenate([tokenizer(sentence) for sentence in end.sentences])
    wrong = np.flatnonzero((ids != golden).any(1))
    yield Check(
        "text",
        "sentences with other ids",
        len(ids),
        float(len(wrong)),
        Limit.AT_MOST,
        0.0,
        "ids are exact",
        f"first: {end.sentences[wrong[0]]!r}" if len(wrong) else None,
    )
    tolerance, basis = _tolerance(manifest.text, same=same)
    with closing(open_model(manifest.text.target, bundle.model_path(manifest.text))) as session:
        yield from _tower_checks(bundle, "text", manifest.text, session, same=same)
        wanted = bundle.tensor(end.sentence_embeddings)
        yield from _embedding_checks(
            "text", "sentences", _embedded(session, list(golden[:, None])), wanted, tolerance, basis
        )
        if manifest.labels is not None:
            names = manifest.labels.names[:LABELS_REPEATED]
            stored = bundle.tensor(manifest.labels.embeddings)[: len(names)]
            try:
                repeated = embed_labels(names, manifest.templates, lambda label: embed(session, tokenizer(label)))
            except NonFiniteError as error:
                repeated = str(error)
            yield from _embedding_checks("text", "label embeddings", repeated, stored, tolerance, basis)


def _tower_checks(
    bundle: OpenedBundle, part: str, tower: BundledTower, session: Session, *, same: bool
) -> Iterator[Check]:
    found = _embedded(session, list(bundle.tensor(tower.golden.inputs)[:, None]))
    tolerance, basis = _tolerance(tower, same=same)
    outputs = _unit(bundle.tensor(tower.golden.outputs))
    yield from _embedding_checks(part, "golden outputs", found, outputs, tolerance, basis)
    if tower.tolerances.reference is not None:
        reference = _unit(bundle.tensor(tower.golden.reference))
        yield from _embedding_checks(
            part, "PyTorch's outputs", found, reference, tower.tolerances.reference, f"budget of {tower.precision}"
        )


def _tolerance(tower: BundledTower, *, same: bool) -> tuple[Tolerance, str]:
    if same:
        return tower.tolerances.same, "same runtime and processor"
    return tower.tolerances.other, f"other runtime or processor: twice the budget of {tower.precision}"


def _embedded(session: Session, inputs: list[np.ndarray]) -> Embeddings | str:
    """Normalised embeddings (N, D), or what went wrong."""
    try:
        return np.concatenate([embed(session, array) for array in inputs])
    except NonFiniteError as error:
        return str(error)


def _embedding_checks(
    part: str, name: str, found: Embeddings | str, wanted: Embeddings, tolerance: Tolerance, basis: str
) -> Iterator[Check]:
    measured: tuple[float | None, float | None] = (None, None)
    note = found if isinstance(found, str) else None
    if not isinstance(found, str):
        if found.shape == wanted.shape:
            measured = float(cosines(found, wanted).min()), float(np.abs(found.astype(np.float64) - wanted).max())
        else:
            note = f"the shape is {list(found.shape)}, not {list(wanted.shape)}"
    yield Check(part, f"{name}: cosine", len(wanted), measured[0], Limit.AT_LEAST, tolerance.cosine_min, basis, note)
    yield Check(part, f"{name}: error", len(wanted), measured[1], Limit.AT_MOST, tolerance.max_abs, basis, note)


def _ranking_check(
    name: str,
    golden: GoldenRanking,
    found: list[tuple[int, float]] | None,
    golden_cosines: NDArray[np.float32],
    tolerance: Tolerance,
    basis: str,
) -> Check:
    """How far apart the golden cosines of labels are that stand in each other's places; 0 where the order is the same.

    An embedding that moves by d changes each cosine by at most d, so labels may change places where their golden
    cosines are within 2 d of each other.

    Args:
        name: the image.
        golden: its best labels.
        found: labels with their probabilities here, the best first; None where there is no embedding.
        golden_cosines: (K,) golden cosines of all labels.
        tolerance: of the image's embedding.
        basis: why the tolerance is what it is.
    """
    bound = 2 * float(np.sqrt(2 * max(0.0, 1 - tolerance.cosine_min)))
    value, note = None, "there is no embedding to rank"
    if found is not None:
        places = [place for place, _ in found[: len(golden.places)]]
        # The golden order too: labels or their embeddings may not be those that it was made with.
        stands = golden_cosines[[places, list(golden.places)]]
        value = float(np.abs(stands - np.array(golden.cosines)).max())
        note = None
    return Check("labels", f"order for {name}", len(golden.places), value, Limit.AT_MOST, bound, basis, note)


def _unit(embeddings: Embeddings) -> Embeddings:
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
