"""What an artefact is made from, as one hash: an export whose hash is known already has nothing to do."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from pocketclip.export.artifact.manifest import CalibrationRecord, ParityData
from pocketclip.export.artifact.source import source_sha256
from pocketclip.export.job import ExportJob
from pocketclip.export.targets import package_versions
from pocketclip.models import documents

# Where they come from shows in what they are: the configuration, the hash of the weights and of the samples.
_NOT_INPUTS = frozenset({"config", "weights", "out", "calibration", "parity_data"})


def inputs_sha256(
    job: ExportJob, weights_sha256: str, calibration: CalibrationRecord | None, parity: ParityData | None = None
) -> str:
    """The hash over weights, configuration, precision and options, calibration samples, and all tools.

    Args:
        job: what to export; the place it goes to plays no part.
        weights_sha256: of the model, as in its manifest.
        calibration: the samples that were observed, for jobs that read them.
        parity: the user's own samples that the proof is made on.
    """
    options = {
        field.name: _plain(getattr(job, field.name))
        for field in dataclasses.fields(job)
        if field.name not in _NOT_INPUTS
    }
    inputs = {
        "config": job.config.sha256,
        "weights": weights_sha256,
        "options": options,
        "calibration": None if calibration is None else calibration.inputs_sha256,
        "parity_data": None if parity is None else parity.inputs_sha256,
        "versions": package_versions(job.target),
        "source": source_sha256(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return documents.to_builtin(value)
    return value
