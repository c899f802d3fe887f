"""Making a bundle of an image and a text artefact."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

from pocketclip.export.artifact.manifest import list_files
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.golden import SENTENCES, golden_images, golden_ranking
from pocketclip.export.bundle.image_input import check_image_input, image_input
from pocketclip.export.bundle.licences import licence_notes
from pocketclip.export.bundle.manifest import (
    BUNDLE_SCHEMA_VERSION,
    PLAIN_SCHEMA_VERSION,
    Bundle,
    EndToEnd,
    GoldenImage,
    LabelSet,
    NpuBundle,
    NpuVariant,
    PromptTemplates,
    StoredTensor,
)
from pocketclip.export.bundle.prompts import StoredTemplates, choose_templates, embed_labels, store_templates
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.storing import store_tower, store_variants
from pocketclip.export.bundle.tensors import write_tensor
from pocketclip.export.bundle.tokenizer import write_tokenizer
from pocketclip.export.encoders import embed
from pocketclip.export.errors import BundleError
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.precision import MAKER_TARGETS, QNN_TARGETS, TargetName, Tower
from pocketclip.export.targets import open_session
from pocketclip.models import atomic, documents
from pocketclip.models.text.tokenizer import load_tokenizer

# A difference of rounding in a resampling filter; preprocessing that is wrong is off by far more.
PIXEL_TOLERANCE = 1.0
# What runs on every Android phone's processor.
_FALLBACKS = (TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE)
_LAYOUTS = {Tower.IMAGE: ("NCHW", "NHWC"), Tower.TEXT: ("NT",)}


@dataclass(frozen=True)
class BundleRequest:
    """What to bundle.

    `templates` as `choose_templates` takes them; `weights_licence` is what the user states for the model's weights;
    `allow_failed` takes artefacts that missed their parity budget, or were never compared; `allow_untrained` those of
    fresh random weights, which the bundle's licence notes name. `npu` are artefacts of either tower for NPUs, the
    preferred ones first: they run in the place of `image` or `text` on phones with their chips.
    """

    image: Artifact
    text: Artifact
    labels: Sequence[str] = ()
    templates: str | None = None
    weights_licence: str | None = None
    allow_failed: bool = False
    allow_untrained: bool = False
    npu: Sequence[Artifact] = ()


@dataclass(frozen=True)
class Answers:
    """What both towers give: embeddings of the golden images and sentences and, where there are any, of the labels.

    `spoken` has the sentences, the first label's first prompt last; `seen` has a row for each of `inputs`.
    """

    labels: np.ndarray | None
    sentences: tuple[str, ...]
    spoken: np.ndarray
    inputs: tuple[np.ndarray, ...]
    seen: np.ndarray


def run_towers(
    request: BundleRequest, templates: PromptTemplates, *, sign: Callable[[int], object] = lambda count: None
) -> Answers:
    """Runs both towers on the golden data, one after the other: with large models, both would double the memory.

    Args:
        request: what to bundle.
        templates: what labels are put into.
        sign: called with the number of label prompts done.

    Raises:
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_session`.
        NonFiniteError: a tower gives NaN or infinity.
    """
    image, text = request.image.manifest, request.text.manifest
    assert image.preprocess is not None and text.tokenizer is not None
    tokenizer = load_tokenizer(text.tokenizer, request.text.folder)
    with closing(open_session(request.text)) as session:

        def encode(sentence: str) -> np.ndarray:
            return embed(session, tokenizer(sentence))

        labels = embed_labels(request.labels, templates, encode, sign) if request.labels else None
        prompts = [StoredTemplates(templates).prompts(label)[0] for label in request.labels[:1]]
        sentences = tuple(dict.fromkeys([*SENTENCES, *prompts]))
        spoken = np.concatenate([encode(sentence) for sentence in sentences])
    inputs = tuple(image_input(picture, image.preprocess, image.inputs[0]) for picture in golden_images().values())
    with closing(open_session(request.image)) as session:
        seen = np.concatenate([embed(session, array) for array in inputs])
    return Answers(labels, sentences, spoken, inputs, seen)


Run = Callable[[BundleRequest, PromptTemplates], Answers]


def write_bundle(request: BundleRequest, out: Path, run: Run = run_towers) -> Bundle:
    """Runs both towers on the golden data and writes the bundle, whole or not at all.

    Args:
        request: what to bundle.
        out: the bundle's folder; a bundle that stands there is replaced.
        run: `run_towers`, or what calls it in another process.

    Raises:
        BundleError: the artefacts do not belong together, failed their parity check, or lack what a bundle needs; or
            something else stands at `out`.
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_session`.
        NonFiniteError: a tower gives NaN or infinity.
        PromptError: as `models.evaluation.prompts.load_templates`.
        StorageError: the folder cannot be written.
    """
    check_pair(request.image, request.text, allow_failed=request.allow_failed, allow_untrained=request.allow_untrained)
    _check_variants(request)
    _check_place(out)
    image, text = request.image.manifest, request.text.manifest
    assert image.preprocess is not None and text.tokenizer is not None
    tokenizer = load_tokenizer(text.tokenizer, request.text.folder)
    templates = store_templates(choose_templates(request.templates, tokenizer))
    with atomic.new_directory(out) as folder:
        answers = run(request, templates)
        labels, images = answers.labels, golden_images()
        rankings = [
            None if labels is None else golden_ranking(row[None], labels, image.model.logit_scale)
            for row in answers.seen
        ]
        towers = {artifact.manifest.tower: store_tower(artifact, folder) for artifact in (request.image, request.text)}
        variants = [variant for artifact in request.npu for variant in store_variants(artifact, folder)]
        bundle = Bundle(
            schema_version=PLAIN_SCHEMA_VERSION,
            created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            generator=f"pocketclip {metadata.version('pocketclip')}",
            model=image.model,
            image=towers[Tower.IMAGE],
            text=towers[Tower.TEXT],
            preprocess=image.preprocess,
            tokenizer=write_tokenizer(folder, tokenizer),
            templates=templates,
            labels=None
            if labels is None
            else LabelSet(tuple(request.labels), write_tensor(folder, "labels/embeddings.bin", labels)),
            end_to_end=EndToEnd(
                images=tuple(
                    GoldenImage(name, _store_pixels(folder, name, picture), ranking)
                    for (name, picture), ranking in zip(images.items(), rankings, strict=True)
                ),
                preprocessed=write_tensor(folder, "golden/preprocessed.bin", np.concatenate(answers.inputs)),
                image_embeddings=write_tensor(folder, "golden/image_embeddings.bin", answers.seen),
                sentences=answers.sentences,
                token_ids=write_tensor(folder, "golden/token_ids.bin", tokenizer(answers.sentences)),
                sentence_embeddings=write_tensor(folder, "golden/sentence_embeddings.bin", answers.spoken),
                pixel_tolerance=PIXEL_TOLERANCE,
            ),
            licences=licence_notes(request.image, request.weights_licence),
            files=list_files(folder),
        )
        if variants:
            bundle = _with_variants(bundle, variants)
        documents.write(bundle, folder / BUNDLE_NAME)
        # What a reader would refuse is not handed out.
        read_bundle(folder)
    return bundle


def check_pair(image: Artifact, text: Artifact, *, allow_failed: bool = False, allow_untrained: bool = False) -> None:
    """Refuses artefacts that cannot be used together.

    Raises:
        BundleError: naming what does not fit, and what to do.
    """
    for artifact, wanted in ((image, Tower.IMAGE), (text, Tower.TEXT)):
        if artifact.manifest.tower is not wanted:
            raise BundleError(
                f"{artifact.folder} holds the {artifact.manifest.tower} tower, not the {wanted} tower",
                fix="give the image artefact to --image and the text artefact to --text",
            )
        _check_maker(artifact)
        if artifact.manifest.target in QNN_TARGETS:
            raise BundleError(
                f"{artifact.label} runs on some Snapdragon chips alone, and a bundle's towers on every phone",
                fix=f"give it to --npu, and to --{wanted} an artefact for the CPU, e.g. of target onnx",
            )
        _check_artifact(artifact, allow_failed=allow_failed)
        _check_trained(artifact, allow_untrained=allow_untrained)
    _check_one_model(image, text)


def _check_variants(request: BundleRequest) -> None:
    """Refuses artefacts for NPUs that cannot run in the place of the towers; raises as `check_pair`."""
    towers = {Tower.IMAGE: request.image, Tower.TEXT: request.text}
    taken: dict[tuple[Tower, TargetName, str], Artifact] = {}
    for artifact in request.npu:
        manifest = artifact.manifest
        plain = towers[manifest.tower]
        _check_maker(artifact)
        if manifest.target not in QNN_TARGETS:
            raise BundleError(
                f"{artifact.label} is not for an NPU",
                fix=f"give it to --{manifest.tower}; --npu takes the targets {', '.join(QNN_TARGETS)}",
            )
        for each in towers.values():
            if each.manifest.target not in _FALLBACKS:
                raise BundleError(
                    f"{each.label} cannot stand in for {artifact.label} on Android phones with another chip",
                    fix=f"bundle an artefact for the CPU, of target {', '.join(_FALLBACKS)}",
                )
        _check_artifact(artifact, allow_failed=request.allow_failed)
        _check_trained(artifact, allow_untrained=request.allow_untrained)
        _check_one_model(plain, artifact)
        for context in read_report(artifact.folder).contexts:
            other = taken.setdefault((manifest.tower, manifest.target, context.soc), artifact)
            if other is not artifact:
                raise BundleError(
                    f"{other.label} and {artifact.label} are both for {context.soc}", fix="give one of them to --npu"
                )


def _check_maker(artifact: Artifact) -> None:
    if artifact.manifest.target in MAKER_TARGETS:
        raise BundleError(
            f"{artifact.label} cannot be bundled: the apps do not run what is compiled for its maker's NPUs",
            fix="bundle an artefact for the CPU, e.g. of target tflite",
        )


def _check_trained(artifact: Artifact, *, allow_untrained: bool) -> None:
    if artifact.manifest.trained is False and not allow_untrained:
        raise BundleError(
            f"{artifact.label} has untrained random weights, so its results are meaningless",
            fix=(
                "export a trained model "
                "(--weights, or a run's folder as --model), or give --allow-untrained to measure only latency"
            ),
        )


def _check_one_model(left: Artifact, right: Artifact) -> None:
    first, second = left.manifest, right.manifest
    for what, one, other in (
        ("weights", first.model.weights_sha256, second.model.weights_sha256),
        ("configurations", first.model.config_sha256, second.model.config_sha256),
        ("embedding dimensions", first.model.embedding_dim, second.model.embedding_dim),
        ("logit scales", first.model.logit_scale, second.model.logit_scale),
    ):
        if one != other:
            raise BundleError(
                f"{left.label} and {right.label} have different {what} ({str(one)[:12]} and {str(other)[:12]})",
                fix="export both from one model" if first.tower is second.tower else "export both towers of one model",
            )
    if first.normalized != second.normalized:
        raise BundleError(
            f"{left.label} and {right.label}: one gives normalised embeddings, the other raw ones",
            fix="export both with --raw or both without",
        )


def _check_artifact(artifact: Artifact, *, allow_failed: bool) -> None:
    manifest = artifact.manifest
    if manifest.batch > 1:
        raise BundleError(
            f"{artifact.label} takes {manifest.batch} photographs at once, apps give it one",
            fix="export it without --batch",
        )
    lacking = manifest.preprocess is None if manifest.tower is Tower.IMAGE else manifest.tokenizer is None
    if lacking or len(manifest.inputs) != 1 or len(manifest.outputs) != 1:
        raise BundleError(
            (
                f"the manifest of {artifact.folder} does not describe its tower's input (one input, one output, "
                "preprocessing or tokenizer)"
            ),
            fix="export it again",
        )
    layout = manifest.inputs[0].layout
    if layout not in _LAYOUTS[manifest.tower]:
        raise BundleError(
            f"{artifact.label} takes its input in layout {layout}; bundles know {', '.join(_LAYOUTS[manifest.tower])}"
        )
    if manifest.preprocess is not None:
        check_image_input(manifest.preprocess, manifest.inputs[0])
    for tensor in (manifest.golden.inputs, manifest.golden.reference, manifest.golden.outputs):
        # Refused here where a value is not finite, before anything is run.
        artifact.golden(tensor)
    if allow_failed:
        return
    if manifest.parity is None:
        raise BundleError(
            f"{artifact.label} was never compared with PyTorch", fix="export it again, or give --allow-failed"
        )
    if not manifest.parity.passed:
        raise BundleError(
            f"{artifact.label} missed its parity budget ({'; '.join(manifest.parity.failures)})",
            fix="choose another precision, or give --allow-failed",
        )


def _check_place(out: Path) -> None:
    """What stands at the goal is replaced: that must not be anything but a bundle."""
    if not out.exists() or (out / BUNDLE_NAME).is_file() or (out.is_dir() and not any(out.iterdir())):
        return
    raise BundleError(f"{out} exists and is not a bundle", fix="choose another folder with --out")


def _with_variants(bundle: Bundle, variants: Iterable[NpuVariant]) -> NpuBundle:
    fields = {each.name: getattr(bundle, each.name) for each in dataclasses.fields(bundle)}
    return NpuBundle(**{**fields, "schema_version": BUNDLE_SCHEMA_VERSION}, variants=tuple(variants))


def _store_pixels(folder: Path, name: str, image: Image.Image) -> StoredTensor:
    return write_tensor(folder, f"golden/{name}.rgb", np.asarray(image))
