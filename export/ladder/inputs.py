"""The lowest rung: what the manifest makes of the same images and captions is what the model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pocketclip.export.artifact.feeding import FOLDED, artifact_input
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.inputs.parity_data import read_parity_data
from pocketclip.export.inputs.samples import parity_inputs
from pocketclip.export.ladder.report import Divergence, Method, Rung, RungName, Status
from pocketclip.export.ladder.subject import Subject, spread
from pocketclip.export.passes.tower_module import INPUT_NAMES
from pocketclip.export.precision import Tower
from pocketclip.models.config import AnyConfig
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.preprocess import PreprocessSpec

# Of a mean and a deviation that are taken out of the graph and put back.
ROUNDING = 1e-5
EXECUTED_BY = "the manifest's preprocessing"


def inputs_rung(subject: Subject) -> Rung:
    """Feeds the samples as an application would, by the manifest alone, and compares them with the model's own."""
    artifact, config = subject.artifact, subject.model.config
    failures = [*_interface(subject), *_fields(artifact, config)]
    try:
        declared = _declared_inputs(subject, len(subject.inputs))
    except PocketClipError as error:
        failures.append(str(error))
    else:
        failures += _differences(declared, subject.inputs)
    rung = Rung(RungName.INPUTS, EXECUTED_BY, Status.PASSED, len(subject.inputs))
    if not failures:
        return rung
    part = "preprocessing" if subject.tower is Tower.IMAGE else "tokenizer"
    divergence = Divergence(
        method=Method.INPUTS,
        detail=f"the {part} of {artifact.folder.name}/manifest.json: {failures[0]}; no op of the model is reached",
    )
    return replace(rung, status=Status.FAILED, failures=tuple(failures), divergence=divergence)


def _expected_preprocess(artifact: Artifact, config: AnyConfig) -> PreprocessSpec:
    """The model's own, less what a pass has put into the graph and proven there."""
    folded = FOLDED in artifact.manifest.used_passes
    return replace(config.preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)) if folded else config.preprocess


def _interface(subject: Subject) -> Iterator[str]:
    declared = subject.artifact.manifest.inputs
    given = artifact_input(subject.inputs[0], subject.model.config.preprocess, subject.artifact.manifest)
    if len(declared) != 1 or declared[0].shape[1:] != given.shape[1:] or declared[0].dtype != given.dtype.name:
        worded = ", ".join(f"{spec.name}: {spec.dtype} {spec.shape}" for spec in declared)
        yield f"the artefact takes {worded}, the model {INPUT_NAMES[subject.tower]}: {given.dtype} {given.shape}"


def _fields(artifact: Artifact, config: AnyConfig) -> Iterator[str]:
    """Words every field of the preprocessing that the manifest has otherwise than the configuration."""
    if artifact.manifest.tower is Tower.TEXT:
        return
    declared = artifact.manifest.preprocess
    if declared is None:
        yield "the manifest has no preprocessing"
        return
    expected_spec = _expected_preprocess(artifact, config)
    for field in dataclasses.fields(expected_spec):
        found, expected = getattr(declared, field.name), getattr(expected_spec, field.name)
        if found != expected:
            yield f"{field.name} is {found} in the manifest, {expected} in the model's configuration"


def _declared_inputs(subject: Subject, count: int) -> list[np.ndarray]:
    artifact, own = subject.artifact, subject.model.config
    manifest, config = artifact.manifest, own
    if manifest.tower is Tower.IMAGE and manifest.preprocess is not None:
        config = replace(config, preprocess=manifest.preprocess)
    elif manifest.tower is Tower.TEXT and manifest.tokenizer is not None:
        vocabulary = manifest.tokenizer.vocabulary
        if vocabulary is not None and vocabulary.endswith(".json"):
            vocabulary = str((artifact.folder / vocabulary).resolve())
        config = replace(config, tokenizer=replace(manifest.tokenizer, vocabulary=vocabulary))
    if subject.data is None:
        every = parity_inputs(config, manifest.tower)
    else:
        every = list(read_parity_data(subject.data, config, manifest.tower).inputs)
    declared = spread(every, count)
    if manifest.tower is Tower.TEXT or _expected_preprocess(artifact, own) == own.preprocess:
        return declared
    # Back to the model's own, which all other rungs are fed.
    mean, std = (np.asarray(each, np.float32).reshape(1, 3, 1, 1) for each in (own.preprocess.mean, own.preprocess.std))
    return [(array - mean) / std for array in declared]


def _differences(declared: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> Iterator[str]:
    pairs = list(zip(declared, expected, strict=True))
    shapes = [(found.shape, wanted.shape) for found, wanted in pairs if found.shape != wanted.shape]
    if shapes:
        yield f"inputs are of shape {shapes[0][0]}, the model's of {shapes[0][1]}"
        return
    errors = [float(np.abs(found.astype(np.float64) - wanted).max()) for found, wanted in pairs]
    different = sum(error > ROUNDING for error in errors)
    if different:
        yield f"{different} of {len(pairs)} inputs differ from the model's, by up to {max(errors):.4g}"
