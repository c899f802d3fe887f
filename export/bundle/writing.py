"""Making a bundle of an image and a text artefact."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pocketclip.export.artifact.listed_files import unlisted_file
from pocketclip.export.artifact.manifest import list_files
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.bundle.fitting import BundleRequest, check_fit
from pocketclip.export.bundle.golden import SENTENCES, golden_images, golden_ranking
from pocketclip.export.bundle.image_input import image_input
from pocketclip.export.bundle.licences import licence_notes
from pocketclip.export.bundle.manifest import (
    NPU_SCHEMA_VERSION,
    PLAIN_SCHEMA_VERSION,
    SYSTEM_SCHEMA_VERSION,
    Bundle,
    EndToEnd,
    GoldenImage,
    LabelSet,
    NpuBundle,
    PromptTemplates,
    StoredTensor,
    SystemBundle,
)
from pocketclip.export.bundle.prompts import StoredTemplates, choose_templates, embed_labels, store_templates
from pocketclip.export.bundle.reading import read_bundle, read_bundle_manifest
from pocketclip.export.bundle.storing import store_system_variant, store_tower, store_variants
from pocketclip.export.bundle.tensors import write_tensor
from pocketclip.export.bundle.tokenizer import write_tokenizer
from pocketclip.export.encoders import embed
from pocketclip.export.errors import BundleError
from pocketclip.export.precision import Tower
from pocketclip.export.targets import open_session
from pocketclip.models import atomic, documents
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.untrusted.files import reading_errors
from pocketclip.models.untrusted.printable import printable_path

# A difference of rounding in a resampling filter; preprocessing that is wrong is off by far more.
PIXEL_TOLERANCE = 1.0


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
    check_fit(request)
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
        npu_variants = [variant for artifact in request.npu for variant in store_variants(artifact, folder)]
        system_variants = [
            store_system_variant(artifact, folder, request.specializations) for artifact in request.coreai
        ]
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
        if npu_variants:
            bundle = NpuBundle(**_fields(bundle, NPU_SCHEMA_VERSION), variants=tuple(npu_variants))
        if system_variants:
            bundle = SystemBundle(**_fields(bundle, SYSTEM_SCHEMA_VERSION), variants=tuple(system_variants))
        documents.write(bundle, folder / BUNDLE_NAME)
        # What a reader would refuse is not handed out.
        read_bundle(folder)
    return bundle


def _check_place(out: Path) -> None:
    """What stands at the goal is replaced: that must not be anything but a bundle, and nobody may work in it."""
    name, fix = printable_path(out), "choose another folder with --out"
    with reading_errors(out, error=BundleError):
        if not out.exists():
            return
        if Path.cwd().is_relative_to(out.resolve()):
            raise BundleError(f"{name} is the current folder or holds it, and a bundle takes its place", fix=fix)
        if out.is_dir() and not any(out.iterdir()):
            return
        if not (out / BUNDLE_NAME).is_file():
            raise BundleError(f"{name} exists and is not a bundle", fix=fix)
        try:
            files = read_bundle_manifest(out).files
        except BundleError as error:
            raise BundleError(
                f"{name} exists and is not a bundle that can be replaced: {error.what}", fix=fix
            ) from error
        unlisted = unlisted_file(out, BUNDLE_NAME, files)
    if unlisted is not None:
        raise BundleError(f"{name} holds {printable_path(unlisted)}, which is not part of its bundle", fix=fix)


def _fields(bundle: Bundle, version: int) -> dict[str, Any]:
    fields = {each.name: getattr(bundle, each.name) for each in dataclasses.fields(bundle)}
    return {**fields, "schema_version": version}


def _store_pixels(folder: Path, name: str, image: Image.Image) -> StoredTensor:
    return write_tensor(folder, f"golden/{name}.rgb", np.asarray(image))
