"""What of an export is there already: artefacts whose inputs are those they were made from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pocketclip.export.artifact.manifest import CalibrationRecord, ParityData
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ArtifactError
from pocketclip.export.inputs.calibration import load_calibration
from pocketclip.export.inputs.parity_data import note_place, read_parity_data
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs.fingerprint import inputs_sha256
from pocketclip.export.own_samples import MOST_NAMED
from pocketclip.export.precision import Tower
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.data.left_out import LeftOut, described
from pocketclip.models.pixels.colour_profiles import ignored_words
from pocketclip.models.registry import build_model

_LOG = logging.getLogger("pocketclip.export")


@dataclass(frozen=True)
class Prepared:
    """The jobs that are left to do, those that need nothing done, and the size of the model's weights in fp32."""

    jobs: tuple[ExportJob, ...]
    unchanged: tuple[tuple[ExportJob, ExportResult], ...]
    weights_bytes: int


def prepare(jobs: Sequence[ExportJob], *, force: bool) -> Prepared:
    """Reads weights and calibration data once, so that what is wrong with them is one error before any export starts.

    Args:
        jobs: of one model and one calibration request.
        force: take nothing for unchanged.

    Raises:
        CheckpointError, NonFiniteError: the checkpoint cannot be used.
        CalibrationError: the calibration or parity data cannot be used.
    """
    # The workers read the files as they are now.
    read_parity_data.cache_clear()
    first = jobs[0]
    model = build_model(first.config, first.weights)
    weights, size = weights_sha256(model), 4 * sum(parameter.numel() for parameter in model.parameters())
    del model
    records: dict[Tower, CalibrationRecord] = {}
    proofs: dict[Tower, ParityData] = {}
    for job in jobs:
        if job.parity_data is not None and job.tower not in proofs:
            own = read_parity_data(job.parity_data, job.config, job.tower)
            proofs[job.tower] = ParityData.of(job.parity_data, own)
            note_place(job.parity_data, proofs[job.tower])
            _tell(f"parity data of the {job.tower} tower", own.skipped, own.left_out, proofs[job.tower])
        if job.reads_calibration and job.tower not in records:
            loaded = load_calibration(job.calibration, job.config, job.tower, job.parity_data)
            records[job.tower] = loaded.record
            _tell(f"calibration of the {job.tower} tower", loaded.skipped, loaded.left_out, loaded.record)
    left: list[ExportJob] = []
    unchanged: list[tuple[ExportJob, ExportResult]] = []
    for job in jobs:
        record = records[job.tower] if job.reads_calibration else None
        there = None if force else _there(job, inputs_sha256(job, weights, record, proofs.get(job.tower)))
        if there is None:
            left.append(job)
        else:
            unchanged.append((job, there))
    return Prepared(tuple(left), tuple(unchanged), size)


def _tell(
    what: str,
    skipped: Sequence[str],
    left_out: Sequence[LeftOut],
    record: CalibrationRecord | ParityData,
) -> None:
    if skipped:
        named = "; ".join(skipped[:MOST_NAMED]) + ("; ..." if len(skipped) > MOST_NAMED else "")
        _LOG.warning("%s: %d samples cannot be used and are skipped: %s", what, len(skipped), named)
    if left_out:
        _LOG.info("note: %s, %s", what, described(left_out))
    if record.ignored_profiles:
        words = ignored_words(record.ignored_profiles, record.first_ignored_profile)
        _LOG.info("note: %s: %s", what, words)


def _there(job: ExportJob, expected: str) -> ExportResult | None:
    """The artefact in the job's folder, if it is whole and made from the same inputs."""
    try:
        artifact = load_artifact(job.folder)
    except ArtifactError:
        return None
    if artifact.manifest.inputs_sha256 != expected:
        return None
    return ExportResult(job.folder, artifact.manifest, 0.0, unchanged=True)
