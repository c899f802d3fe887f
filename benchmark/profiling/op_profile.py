"""Profiles an artefact on this computer."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmark.errors import ProfilingError
from benchmark.profile_records import OpProfile
from benchmark.profiling.worker import PROFILERS
from export.artifact import Artifact
from models import documents

_WARMUP = 5
_INFERENCES = 30
_TIMEOUT_S = 600.0


def profile_artifact(artifact: Artifact, runtime: str, *, threads: int = 1, inferences: int = _INFERENCES) -> OpProfile:
    """Time by op of an artefact's golden inputs, in a process of its own.

    Raises:
        ProfilingError: the runtime has no profiler here, or it failed.
    """
    if runtime not in PROFILERS:
        raise ProfilingError(f"there is no profiler of {runtime} here; there is one of {', '.join(PROFILERS)}")
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
        command = [sys.executable, "-m", "benchmark.profiling.worker"]
        try:
            done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise ProfilingError(f"profiling {artifact.label} took more than {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProfilingError(f"profiling {artifact.label} ended with code {done.returncode}: {last}")
    return documents.parse(
        OpProfile, done.stdout.strip().splitlines()[-1], source=f"the profile of {artifact.label}", error=ProfilingError
    )
