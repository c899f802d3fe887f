"""Profiles an artefact on this computer."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from pocketclip.benchmark.errors import ProfilingError
from pocketclip.benchmark.profiling.worker import PROFILERS
from pocketclip.benchmark.records.profile import OpProfile
from pocketclip.benchmark.runners.worker_call import call_worker
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models import documents

_WARMUP = 5
_INFERENCES = 30
_TIMEOUT_S = 600.0


def profile_artifact(artifact: Artifact, runtime: str, *, threads: int = 1, inferences: int = _INFERENCES) -> OpProfile:
    """Time by op of an artefact's golden inputs, in a process of its own.

    Raises:
        ProfilingError: the runtime has no profiler here, or it failed.
    """
    if runtime not in PROFILERS:
        raise ProfilingError(f"there is no profiler for {runtime} here; profilers exist for {', '.join(PROFILERS)}")
    manifest = artifact.manifest
    with tempfile.TemporaryDirectory(prefix="pocketclip-profile-") as scratch:
        inputs = Path(scratch, "inputs.npy")
        np.save(inputs, artifact.golden(manifest.golden.inputs))
        job = {
            "runtime": runtime,
            "model": str(artifact.folder / manifest.entry_point),
            "inputs": str(inputs),
            "threads": threads,
            "warmup": _WARMUP,
            "inferences": inferences,
        }
        found = call_worker(
            "pocketclip.benchmark.profiling.worker",
            job,
            what=f"profiling {artifact.label}",
            error=ProfilingError,
            timeout_seconds=_TIMEOUT_S,
        )
    return documents.parse(OpProfile, found, source=f"the profile of {artifact.label}", error=ProfilingError)
