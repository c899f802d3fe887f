"""Runs a bundle on this computer and compares every step with its golden data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketclip.export.bundle.image_input import image_input, step_sizes
from pocketclip.export.bundle.manifest import BundledModel, Execution, GoldenRanking, NpuVariant, Tolerance, Variant
from pocketclip.export.bundle.prompts import embed_labels
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.bundle.tolerances import EMULATED, execution_here
from pocketclip.export.bundle.variants import open_bundled, tower_of, why_not_here
from pocketclip.export.encoders import Embeddings, embed
from pocketclip.export.npu.npu_report import SocName
from pocketclip.export.parity.measures import cosines
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import load_target
from pocketclip.models.documents import document
from pocketclip.models.errors import NonFiniteError
from pocketclip.models.evaluation.zero_shot import rank_labels

SELFTEST_SCHEMA_VERSION = 3
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
class VariantRun:
    """How a variant was tested: by `runtime`, which is or is not what made its golden outputs (`same`).

    `soc` is the chip that it is for; None for one that is for newer systems. `not_run` says why nothing here runs it;
    then there are no checks of it.
    """

    tower: Tower
    soc: SocName | None
    target: TargetName
    precision: Precision
    runtime: str | None
    same: bool
    not_run: str | None


@document
class SelfTestReport:
    """What a self-test found (schema 3). `image_same` and `text_same`: whether runtime and processor are the golden
    data's, so that the narrow tolerances apply. Checks of a variant name its target in their part, and its chip."""

    schema_version: int
    bundle_sha256: str
    model: str
    image: Execution
    image_same: bool
    text: Execution
    text_same: bool
    checks: tuple[Check, ...]
    failures: int
    variants: tuple[VariantRun, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.failures == 0


def self_test(bundle: OpenedBundle) -> SelfTestReport:
    """Runs preprocessing, tokenizer, both towers and label ranking on the golden data, and every variant whose emulator
    or runtime is here.

    Raises:
        TargetUnavailableError: a tower's runtime is not installed.
        ArtifactCorruptError: a runtime refuses its file.
        BundleCorruptError: the tokenizer's data does not fit together.
    """
    manifest = bundle.manifest
    image, text = execution_here(manifest.image.target), execution_here(manifest.text.target)
    variants = [variant for tower in Tower for variant in manifest.variants_of(tower)]
    runs = [_variant_run(variant) for variant in variants]
    checks = (
        *_image_checks(bundle, same=image == manifest.image.executed_by),
        *_text_checks(bundle, same=text == manifest.text.executed_by),
        *(
            check
            for variant, run in zip(variants, runs, strict=True)
            if run.not_run is None
            for check in _variant_checks(bundle, variant, same=run.same)
        ),
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
        variants=tuple(runs),
    )


def _variant_run(variant: Variant) -> VariantRun:
    reason = why_not_here(variant)
    runtime = None if reason is not None else load_target(variant.target).executed_by()
    if isinstance(variant, NpuVariant):
        soc, same = variant.soc, variant.executed_by.machine == EMULATED and variant.executed_by.runtime == runtime
    else:
        soc, same = None, reason is None and variant.executed_by == execution_here(variant.target)
    return VariantRun(variant.tower, soc, variant.target, variant.precision, runtime, same, reason)


def _variant_checks(bundle: OpenedBundle, variant: Variant, *, same: bool) -> Iterator[Check]:
    """What a variant gives for its own golden data, and for that of the whole way, which the tower itself made."""
    end = bundle.manifest.end_to_end
    chip = f" {variant.soc}" if isinstance(variant, NpuVariant) else ""
    part = f"{variant.tower}{chip} {variant.target}"
    with closing(open_bundled(bundle, variant)) as session:
        yield from _tower_checks(bundle, part, variant, session, same=same)
        # Both are within twice their own budget's angle of each other, so within twice the wider one's.
        tolerance = wider_tolerance(variant, tower_of(bundle, variant.tower))
        basis = "another precision: twice the wider budget"
        if variant.tower is Tower.TEXT:
            ids = bundle.tensor(end.token_ids)
            wanted = bundle.tensor(end.sentence_embeddings)
            found = _embedded(session, list(ids[:, None]))
            yield from _embedding_checks(part, "sentences", found, wanted, tolerance, basis)
            return
        inputs = _golden_inputs(bundle, variant)
        wanted = bundle.tensor(end.image_embeddings)
        embedded = _embedded(session, list(inputs[:, None]))
        yield from _embedding_checks(part, "photographs", embedded, wanted, tolerance, basis)


def wider_tolerance(first: BundledModel, second: BundledModel) -> Tolerance:
    """How far apart what two models of one tower give may be: the wider of their tolerances from what others give."""
    one, other = first.tolerances.other, second.tolerances.other
    return Tolerance(min(one.cosine_min, other.cosine_min), max(one.max_abs, other.max_abs))


def _golden_inputs(bundle: OpenedBundle, model: BundledModel) -> np.ndarray:
    manifest = bundle.manifest
    return np.concatenate(
        [
            image_input(Image.fromarray(bundle.tensor(each.pixels)), manifest.preprocess, model.input)
            for each in manifest.end_to_end.images
        ]
    )


def _image_checks(bundle: OpenedBundle, *, same: bool) -> Iterator[Check]:
    manifest = bundle.manifest
    end = manifest.end_to_end
    golden = bundle.tensor(end.preprocessed)
    inputs = _golden_inputs(bundle, manifest.image)
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
    with closing(open_bundled(bundle, manifest.image)) as session:
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
    with closing(open_bundled(bundle, manifest.text)) as session:
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
    bundle: OpenedBundle, part: str, tower: BundledModel, session: Session, *, same: bool
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


def _tolerance(tower: BundledModel, *, same: bool) -> tuple[Tolerance, str]:
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
