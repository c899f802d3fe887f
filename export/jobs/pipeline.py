"""Exporting one tower for one target at one precision: convert, prove, write the artefact."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pocketclip.export.artifact.batches import FilledSession, filled
from pocketclip.export.artifact.manifest import (
    CONFIG_NAME,
    MANIFEST_NAME,
    SCHEMA_VERSION,
    VOCABULARY_NAME,
    Golden,
    GoldenTensor,
    Manifest,
    ModelIdentity,
    TensorSpec,
    list_files,
)
from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ConversionError
from pocketclip.export.inputs.calibration import CalibrationRequest, CalibrationSet, load_calibration
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs.fingerprint import inputs_sha256
from pocketclip.export.lint.run import lint_export
from pocketclip.export.mixed import lowering as mixed_lowering
from pocketclip.export.own_samples import SampleRequest
from pocketclip.export.parity.budgets import budget_for
from pocketclip.export.parity.emulated import EMULATED, emulated_samples
from pocketclip.export.parity.measures import Reference, compare, make_reference, run_session
from pocketclip.export.parity.other_chips import with_other_chips
from pocketclip.export.passes.pipeline import Passed, apply_passes
from pocketclip.export.passes.registry import passes_for
from pocketclip.export.passes.tower_module import INPUT_NAMES, OUTPUT_NAME, tower_module
from pocketclip.export.precision import Tower
from pocketclip.export.targets import load_target, package_versions, requirement
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.rejection import explain
from pocketclip.export.targets.trained_quantization import ranges_of, scheme_cautions
from pocketclip.models import atomic, documents
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.config import AnyConfig
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.registry import build_model, checkpoint_of
from pocketclip.models.text.tokenizer import TokenizerSpec, load_tokenizer
from pocketclip.models.text.vocabulary import save_vocabulary
from pocketclip.models.towers.clip import AnyModel

GOLDEN_SAMPLES = 8


def export_artifact(job: ExportJob) -> ExportResult:
    """Converts, runs the parity check and writes the artefact, whole or not at all.

    An artefact that misses its parity budget is written too, with the failures in its manifest.

    Raises:
        ConversionError: the converter rejected the model; the message names the module.
        CalibrationError: as `export.inputs.calibration.load_calibration`.
        PlanError, DropBudgetError: the plan or budget does not fit the model; as `export.mixed.lowering.lower`.
        NonFiniteError: the converted model gives NaN or infinity; nothing is written.
        TargetUnavailableError: the target's packages are missing.
        StorageError: the folder cannot be written.
    """
    started = time.perf_counter()
    target = load_target(job.target)
    model = _model(job.config, job.weights)
    reference = _reference(job.config, job.weights, job.tower, job.raw, job.parity_data)
    if job.target in EMULATED:
        reference = reference.some(emulated_samples(job.target, model, job.tower))
    passed = _rewritten(job, model, reference)
    calibration = None
    if job.reads_calibration:
        calibration = _calibration(job.calibration, job.config, job.tower, job.parity_data)
    ranged = calibration if job.precision.needs_calibration else None
    request = LoweringRequest(
        module=passed.module,
        example=passed.example,
        input_name=INPUT_NAMES[job.tower],
        output_name=OUTPUT_NAME,
        precision=job.precision,
        # Each sample fills the batch alone: ranges are of single samples.
        calibration=()
        if ranged is None
        else tuple(passed.adapt(np.repeat(array, job.batch, axis=0)) for array in ranged.inputs),
        ios=job.ios,
        isa=job.isa,
        ranges=ranges_of(model, job.tower),
        samples=[passed.adapt(rows) for rows in _examples(reference, job.batch)],
        socs=job.socs,
    )
    identity = _identity(model)
    record = None if calibration is None else calibration.record
    with atomic.new_directory(job.folder) as folder:
        try:
            entry_point, plan = mixed_lowering.lower(target, request, folder, job, model, passed.adapt)
        except (PocketClipError, OSError):
            raise
        except Exception as error:
            raise ConversionError(f"{job.target} cannot convert {job.label}: {explain(error, request)}") from error
        session = FilledSession(target.open(folder / entry_point, threads=1), job.batch)
        inputs = [passed.adapt(array) for array in reference.inputs]
        outputs = run_session(session, inputs, job.batch)
        # What is shipped for self-tests are built-in samples: nobody's own photographs leave the machine by it.
        shipped = _golden_reference(job.config, job.weights, job.tower, job.raw) if job.parity_data else reference
        fed = [passed.adapt(array) for array in shipped.inputs] if job.parity_data else inputs
        given = run_session(session, fed, job.batch) if job.parity_data else outputs
        session.close()
        budget = budget_for(job.target, job.precision, passed.names)
        compared = compare(reference, outputs, budget, target.executed_by())
        compared = with_other_chips(compared, target, folder, replace(reference, inputs=inputs), budget)
        parity = mixed_lowering.judged(compared, plan, job.target)
        golden = _write_golden(folder, fed, shipped, given)
        tokenizer = _write_tokenizer(folder, model.config) if job.tower is Tower.TEXT else None
        _write_config(folder, model.config)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            model=identity,
            tower=job.tower,
            target=job.target,
            precision=job.precision,
            entry_point=entry_point,
            inputs=(_input_spec(model, job.tower, passed),),
            outputs=(_output_spec(model.config, reference, job.batch),),
            normalized=not job.raw,
            preprocess=_preprocess(model, passed) if job.tower is Tower.IMAGE else None,
            tokenizer=tokenizer,
            files=list_files(folder),
            versions=package_versions(job.target),
            golden=golden,
            parity=parity,
            plan=plan,
            calibration=None if ranged is None else ranged.record,
            requires=requirement(job.target, job.precision, job.ios),
            inputs_sha256=inputs_sha256(job, identity.weights_sha256, record, reference.data),
            instruction_set=job.isa,
            passes=passed.reports,
            trained=checkpoint_of(job.config, job.weights) is not None,
            cautions=(*job.cautions, *scheme_cautions(model, job.target, job.precision)),
            parity_data=reference.data,
        )
        manifest = replace(manifest, lint=lint_export(request.module, folder, manifest, outputs))
        documents.write(manifest, folder / MANIFEST_NAME)
        # What a reader would refuse is not handed out.
        load_artifact(folder)
    return ExportResult(job.folder, manifest, time.perf_counter() - started)


@functools.lru_cache(maxsize=1)
def _model(config: AnyConfig, weights: str | None) -> AnyModel:
    return build_model(config, weights)


@functools.lru_cache(maxsize=2)
def _reference(
    config: AnyConfig, weights: str | None, tower: Tower, raw: bool, data: SampleRequest | None
) -> Reference:
    return make_reference(_model(config, weights), tower, raw=raw, data=data)


def _golden_reference(config: AnyConfig, weights: str | None, tower: Tower, raw: bool) -> Reference:
    """PyTorch's side of the golden samples alone."""
    whole = _reference(config, weights, tower, raw, None)
    return whole.at(_golden_places(len(whole.inputs)))


def _rewritten(job: ExportJob, model: AnyModel, reference: Reference) -> Passed:
    spec = model.config.preprocess if job.tower is Tower.IMAGE else None
    passes = passes_for(
        job.target, job.isa, job.tower, job.precision, options=job.passes, without=job.without, preprocess=spec
    )
    # numpy gives an axis that was added a stride of 0, which ExecuTorch refuses in an example: a plain copy has none.
    samples = map(torch.from_numpy, _examples(reference, job.batch))
    proof = [sample.clone(memory_format=torch.contiguous_format) for sample in samples]
    return apply_passes(tower_module(model, job.tower, raw=job.raw), passes, proof)


def _examples(reference: Reference, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Two inputs of the tower: scenes and photographs, or captions of them."""
    first, last = reference.inputs[:batch], reference.inputs[-batch:]
    # Of the user's own samples there may be fewer than a batch takes.
    return filled(np.concatenate(list(first)), batch), filled(np.concatenate(list(last)), batch)


@functools.lru_cache(maxsize=2)
def _calibration(
    request: CalibrationRequest, config: AnyConfig, tower: Tower, parity: SampleRequest | None
) -> CalibrationSet:
    return load_calibration(request, config, tower, parity)


def _identity(model: AnyModel) -> ModelIdentity:
    return ModelIdentity(
        name=model.config.name,
        config_sha256=model.config.sha256,
        weights_sha256=weights_sha256(model),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        embedding_dim=model.config.embedding_dim,
        logit_scale=model.scale().item(),
    )


def _preprocess(model: AnyModel, passed: Passed) -> PreprocessSpec:
    """What is left for the application to do."""
    spec = model.config.preprocess
    if PassName.FOLD_PREPROCESSING not in passed.names:
        return spec
    return replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def _input_spec(model: AnyModel, tower: Tower, passed: Passed) -> TensorSpec:
    shape = tuple(passed.example.shape)
    if tower is Tower.TEXT:
        return TensorSpec(INPUT_NAMES[tower], shape, "int32", "NT", 0.0, float(model.text_encoder.vocabulary_size - 1))
    layout = "NHWC" if PassName.CHANNELS_LAST_INPUT in passed.names else "NCHW"
    if PassName.BYTE_INPUT in passed.names:
        return TensorSpec(INPUT_NAMES[tower], shape, "uint8", layout, 0.0, 255.0)
    spec = _preprocess(model, passed)
    low = min((0.0 - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True))
    high = max((1.0 - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True))
    return TensorSpec(INPUT_NAMES[tower], shape, "float32", layout, low, high)


def _output_spec(config: AnyConfig, reference: Reference, batch: int) -> TensorSpec:
    # Raw embeddings have no bound of their own: the next whole number beyond those that were seen.
    bound = float(np.ceil(np.abs(reference.embeddings).max()))
    return TensorSpec(OUTPUT_NAME, (batch, config.embedding_dim), "float32", "ND", -bound, bound)


def _write_golden(folder: Path, inputs: Sequence[np.ndarray], reference: Reference, outputs: np.ndarray) -> Golden:
    chosen = _golden_places(len(outputs))
    return Golden(
        inputs=_write_tensor(folder, "golden_inputs.bin", np.concatenate(list(inputs[chosen]))),
        reference=_write_tensor(folder, "golden_reference.bin", reference.embeddings[chosen]),
        outputs=_write_tensor(folder, "golden_outputs.bin", outputs[chosen]),
    )


def _golden_places(count: int) -> slice:
    """Every k-th sample, so that scenes and photographs both appear."""
    step = max(1, count // GOLDEN_SAMPLES)
    return slice(0, step * GOLDEN_SAMPLES, step)


def _write_tensor(folder: Path, name: str, values: np.ndarray) -> GoldenTensor:
    little_endian = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    (folder / name).write_bytes(little_endian.tobytes())
    return GoldenTensor(name, values.shape, values.dtype.name)


def _write_config(folder: Path, config: AnyConfig) -> None:
    vocabulary = config.tokenizer.vocabulary
    if vocabulary is not None and vocabulary.endswith(".json"):
        # A vocabulary of the user's own: the folder must not depend on where it was made.
        config = replace(config, tokenizer=_write_tokenizer(folder, config))
    documents.write(config, folder / CONFIG_NAME)


def _write_tokenizer(folder: Path, config: AnyConfig) -> TokenizerSpec:
    spec = config.tokenizer
    vocabulary = load_tokenizer(spec).vocabulary
    if vocabulary is None:
        return spec
    save_vocabulary(vocabulary, folder / VOCABULARY_NAME, description=f"Kept ids of {config.name}")
    return TokenizerSpec(context_length=spec.context_length, vocabulary=VOCABULARY_NAME)
