"""What an artefact gives on this computer for its golden inputs."""

from __future__ import annotations

import numpy as np

from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.targets import open_session


def run_golden_inputs(artifact: Artifact) -> np.ndarray:
    """The first output of every golden sample, `(samples, values)`.

    Raises:
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_session`.
    """
    inputs = artifact.golden(artifact.manifest.golden.inputs)
    session = open_session(artifact)
    try:
        return np.concatenate([session.run([inputs[i : i + 1]])[0].reshape(1, -1) for i in range(len(inputs))])
    finally:
        session.close()
