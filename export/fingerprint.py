"""What an artefact is made from, as one hash: an export whose hash is known already has nothing to do."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from export.job import ExportJob
from export.manifest import CalibrationRecord, ParityData, hash_file
from export.targets import package_versions
from models import documents

# Where they come from shows in what they are: the configuration, the hash of the weights and of the samples.
_NOT_INPUTS = frozenset({"config", "weights", "out", "calibration", "parity_data"})


def inputs_sha256(
    job: ExportJob, weights_sha256: str, calibration: CalibrationRecord | None, parity: ParityData | None = None
) -> str:
    """The hash over weights, configuration, precision and options, calibration samples, and all tools.

    Args:
        job: what to export; the place it goes to plays no part.
        weights_sha256: of the model, as in its manifest.
        calibration: the samples that were observed, for precisions that need them.
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


@functools.cache
def source_sha256() -> str:
    """The hash of the code that makes artefacts: a change of it is a change of what comes out."""
    digest = hashlib.sha256()
    for package in ("export", "models"):
        root = Path(__file__).parents[1] / package
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()
